package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/store"
)

// entityTags reads a list of ETags (RFC 9110, section 8.8.3), weak or not, without their quotes. It
// leaves out what is no ETag: nothing has it.
func entityTags(lines []string) (tags []string) {
	for _, rest := range lines {
		for rest != "" {
			rest = strings.TrimLeft(rest, " \t,")
			if quoted, ok := strings.CutPrefix(strings.TrimPrefix(rest, "W/"), `"`); ok {
				if tag, after, ok := strings.Cut(quoted, `"`); ok {
					tags, rest = append(tags, tag), after
					continue
				}
			}
			_, rest, _ = strings.Cut(rest, ",")
		}
	}
	return tags
}

// anyTag reports whether a condition is *, which matches whatever there is. In If-Match that is no
// condition here: what is not there cannot be edited, and need not be deleted.
func anyTag(sent []string) bool { return len(sent) == 1 && strings.TrimSpace(sent[0]) == "*" }

// coding matches what gateways that compress add to an ETag: Apache "x-gzip", Jetty "x--gzip", others
// with another sign. The ETags of the API end otherwise.
var coding = regexp.MustCompile(`[-;:+]{1,2}(gzip|br|zstd|deflate)$`)

// matches compares ETags weakly (RFC 9110, section 13.1.2).
func matches(sent []string, tag string) bool {
	if anyTag(sent) {
		return true
	}
	tags := entityTags(sent)
	own := entityTags([]string{tag})[0]
	return slices.Contains(tags, own) || slices.ContainsFunc(tags, func(t string) bool { return coding.ReplaceAllString(t, "") == own })
}

// tagNumbers reads the numbers before the first dots of ETags. The ETags may be weak: some proxies make
// strong ones so, and the number means the same.
func tagNumbers(sent []string) (numbers []int64) {
	for _, tag := range entityTags(sent) {
		number, _, ok := strings.Cut(tag, ".")
		if n, err := strconv.ParseInt(number, 10, 64); ok && err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// editVersion reads the version that an edit of e is based on, from If-Match. Of several versions it is
// that of e, if it is among them.
func editVersion(h http.Header, e store.Event) (int64, error) {
	sent := h.Values("If-Match")
	numbers := tagNumbers(sent)
	switch {
	case len(sent) == 0:
		return 0, problem.New(problem.PreconditionRequired)
	case anyTag(sent):
		return store.AnyVersion, nil
	case len(numbers) == 0: // an ETag that the API never gave matches no event
		return 0, problem.New(problem.VersionMismatch)
	case slices.Contains(numbers, e.Version):
		return e.Version, nil
	}
	return slices.Max(numbers), nil
}

// registrationNumber reads from If-Match which registration of a user is meant; 0 means whichever there
// is. Of several it is the user's, if that is among them. For ETags that GET never gave it returns a
// number that no registration has, so that an unknown event is reported first.
func (a *API) registrationNumber(ctx context.Context, h http.Header, event, user store.ID) (int64, error) {
	sent := h.Values("If-Match")
	if len(sent) == 0 || anyTag(sent) {
		return 0, nil
	}
	numbers := tagNumbers(sent)
	switch len(numbers) {
	case 0:
		return math.MaxInt64, nil
	case 1:
		return numbers[0], nil
	}
	found, err := a.store.Registration(ctx, event, user)
	switch {
	case err == nil && slices.Contains(numbers, found.Number):
		return found.Number, nil
	case err == nil, errors.Is(err, store.ErrEventNotFound), errors.Is(err, store.ErrRegistrationNotFound):
		return slices.Max(numbers), nil // which is surely the latest of them
	}
	return 0, err
}
