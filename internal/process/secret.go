package process

import (
	"strconv"
	"strings"
)

// MayTell reports whether an error may quote the value of a setting. One with a user's name and
// password before a host, or the text of a key file in place of its name, gets into any setting by
// a mistake in a shell or in an environment file.
func MayTell(value string) bool {
	return !strings.ContainsAny(value, "@\n\r")
}

// Quote returns the value of a setting in quotes, or says that it is not told.
func Quote(value string) string {
	if !MayTell(value) {
		return "its value, which may hold a secret,"
	}
	return strconv.Quote(value)
}
