package messages

// MaxTraceID is the longest trace id, in bytes.
const MaxTraceID = 64

// ValidTraceID reports whether s can be a trace id: 1 to MaxTraceID letters, digits, dots,
// underscores and hyphens of ASCII. Such a text is safe in any log and any header.
func ValidTraceID(s string) bool {
	if len(s) == 0 || len(s) > MaxTraceID {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
