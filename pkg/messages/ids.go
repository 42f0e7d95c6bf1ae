package messages

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// ID is the id of a user or of an event.
type ID = bson.ObjectID

const (
	// MaxRequestID is the length of the longest request id, in bytes.
	MaxRequestID = 255
	// MaxTraceID is the length of the longest trace id, in bytes.
	MaxTraceID = 64
)

// ValidRequestID reports whether s can be a request id: 1 to MaxRequestID bytes of
// printable ASCII.
func ValidRequestID(s string) bool {
	return len(s) > 0 && len(s) <= MaxRequestID && !strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 || c > 0x7e })
}

// ValidTraceID reports whether s can be a trace id: 1 to MaxTraceID letters, digits, dots,
// underscores and hyphens of ASCII. Such a text is safe in any log and any header.
func ValidTraceID(s string) bool {
	return len(s) > 0 && len(s) <= MaxTraceID && !strings.ContainsFunc(s, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-')
	})
}
