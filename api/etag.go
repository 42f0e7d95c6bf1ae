package api

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
)

// writeRead answers a read with v, or with 304 when the client has it already.
func writeRead(w http.ResponseWriter, r *request, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	writeTagged(w, r.Request, "application/json", body)
	return nil
}

// writeTagged sends a body with its ETag, unless it has one already. The tag is weak because
// compression may change the bytes on the way; the content that it stands for is the same.
func writeTagged(w http.ResponseWriter, r *http.Request, media string, body []byte) {
	h := w.Header()
	tag := h.Get("ETag")
	if tag == "" {
		sum := sha256.Sum256(body)
		tag = `W/"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
		h.Set("ETag", tag)
	}
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-cache") // keep it, but ask before using it
	}
	if matches(r.Header.Values("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // a client that is gone needs no answer
}

// matches is the weak comparison of RFC 9110, section 13.1.2. Our tags have no commas, so
// splitting at them is enough.
func matches(sent []string, tag string) bool {
	for _, line := range sent {
		for one := range strings.SplitSeq(line, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// An event's tag has the organizer's version, the revision of everything, and the states, which
// change with time alone. The whole of it tells whether the event is as it was (If-None-Match);
// for an edit only the version counts (If-Match), so that seats which are taken meanwhile do not
// make it fail.
func eventTag(e store.Event) string {
	life, registration := e.States(time.Now())
	return fmt.Sprintf(`"%d.%d.%s.%s"`, e.Version, e.Revision, life, registration)
}

// editVersion reads the version that an edit is based on, from If-Match.
func editVersion(h http.Header) (int64, error) {
	sent := h.Values("If-Match")
	if len(sent) == 0 {
		return 0, problem.New(problem.PreconditionRequired)
	}
	if anyTag(sent) {
		return store.AnyVersion, nil
	}
	if len(sent) == 1 {
		if n, ok := tagNumber(sent[0]); ok {
			return n, nil
		}
	}
	// A tag that we never gave matches no event.
	return 0, problem.New(problem.VersionMismatch)
}

// anyTag reports whether If-Match takes whatever there is. For us that is no condition: what is
// not there cannot be edited, and need not be cancelled.
func anyTag(sent []string) bool { return len(sent) == 1 && strings.TrimSpace(sent[0]) == "*" }

// tagNumber is the number before the first dot of a tag of ours. It may be weak: a proxy makes
// strong ones so, and a number that is the same means the same thing.
func tagNumber(tag string) (n int64, ok bool) {
	tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
	if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return 0, false
	}
	number, _, ok := strings.Cut(tag[1:len(tag)-1], ".")
	n, err := strconv.ParseInt(number, 10, 64)
	return n, ok && err == nil && n > 0
}

// A registration's tag has its number, its status and the position of who waits. The whole of
// it tells whether the registration is as it was (If-None-Match); only the number says which
// one it is (If-Match), so that who moved up in the line meanwhile can still leave it. It is
// weak as all tags but those of events are.
func registrationTag(r wire.Registration) string {
	if r.Status == wire.Waitlisted {
		return fmt.Sprintf(`W/"%d.%s.%d"`, r.Number, r.Status, r.Position)
	}
	return fmt.Sprintf(`W/"%d.%s"`, r.Number, r.Status)
}

// registrationNumber reads from If-Match which registration is meant; 0 when that is not said.
// A tag that GET never gave is that of a number which no registration has, so that who asks about
// an unknown event is told that first.
func registrationNumber(h http.Header) (int64, error) {
	sent := h.Values("If-Match")
	switch {
	case len(sent) == 0, anyTag(sent):
		return 0, nil
	case len(sent) > 1 || strings.Contains(sent[0], ","):
		return 0, problem.InvalidField("If-Match", "must be one ETag from GET at this path, or *")
	}
	if n, ok := tagNumber(sent[0]); ok {
		return n, nil
	}
	return math.MaxInt64, nil
}

// noPreconditions refuses headers under whose condition a route cannot act: to ignore one
// would be to do what the client did not want.
func noPreconditions(h http.Header, names ...string) error {
	var f input.Fields
	for _, name := range names {
		if sent := h.Values(name); len(sent) > 0 && (name != "If-Match" || !anyTag(sent)) {
			f.Add(name, "is not supported here")
		}
	}
	return f.Err()
}
