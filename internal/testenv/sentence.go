package testenv

import (
	"strings"
	"testing"
)

// WantSentence fails the test unless err, with which a program ended, is one plain sentence
// that says all of says: one line, without the texts of drivers and of the system.
func WantSentence(tb testing.TB, err error, says ...string) {
	tb.Helper()
	if err == nil {
		tb.Fatalf("there is no error, want one that says %q", says)
	}
	text := err.Error()
	for _, want := range says {
		if !strings.Contains(text, want) {
			tb.Errorf("error %q does not say %q", text, want)
		}
	}
	for _, raw := range []string{
		"\n", "%!", "context ", "dial tcp", "lookup ", "listen tcp", "bind:", "connect:", "parsing uri", "server selection", "topology",
		"connection(", "nats: ", "x509", "SQLITE", "sql:", "(26)", "stat ", "mkdir ", "open /", "no such file", "nothing stored", "Post \"", "Get \"",
	} {
		if strings.Contains(text, raw) {
			tb.Errorf("error %q has the raw text %q", text, raw)
		}
	}
}
