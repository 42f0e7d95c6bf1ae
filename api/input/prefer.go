package input

import (
	"net/http"
	"strings"
)

// Strict reports whether a client asks to be told of everything that would be ignored:
// Prefer: handling=strict (RFC 7240, section 4.4). Of several values the first one counts.
func Strict(h http.Header) bool {
	for _, line := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			preference, _, _ = strings.Cut(preference, ";") // its parameters
			name, value, _ := strings.Cut(preference, "=")
			if strings.EqualFold(strings.TrimSpace(name), "handling") {
				return strings.EqualFold(strings.Trim(strings.TrimSpace(value), `"`), "strict")
			}
		}
	}
	return false
}
