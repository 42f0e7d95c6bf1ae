//go:build gateways

package main

import (
	"strings"
	"testing"
)

// TestThroughNginx: S16 runs for real, only tiny.
func TestThroughNginx(t *testing.T) {
	out, err := runBench(t, "--quick", "--scenario", "S16")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"| S16 | token of an issuer |", "| S16 | header of a gateway |", "| S16 | API key |", "| S16 | own token, through nginx |", "| S16 | one event, through nginx |",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the table has no %q:\n%s", want, out)
		}
	}
}
