package serve

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// AnyTag reports whether a condition is *, which matches whatever there is. In If-Match that is no
// condition here: what is not there cannot be edited, and need not be deleted.
func AnyTag(sent []string) bool { return len(sent) == 1 && strings.TrimSpace(sent[0]) == "*" }

// coding matches what gateways that compress add to an ETag: Apache "x-gzip", Jetty "x--gzip", others
// with another sign. The ETags of the API end otherwise.
var coding = regexp.MustCompile(`[-;:+]{1,2}(gzip|br|zstd|deflate)$`)

// Matches compares ETags weakly (RFC 9110, section 13.1.2).
func Matches(sent []string, tag string) bool {
	if AnyTag(sent) {
		return true
	}
	tags := entityTags(sent)
	own := entityTags([]string{tag})[0]
	return slices.Contains(tags, own) || slices.ContainsFunc(tags, func(t string) bool { return coding.ReplaceAllString(t, "") == own })
}

// TagNumbers reads the numbers before the first dots of ETags. The ETags may be weak: some proxies make
// strong ones so, and the number means the same.
func TagNumbers(sent []string) (numbers []int64) {
	for _, tag := range entityTags(sent) {
		number, _, ok := strings.Cut(tag, ".")
		if n, err := strconv.ParseInt(number, 10, 64); ok && err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
