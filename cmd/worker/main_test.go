package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
)

// TestWrongInputs: each wrong input ends the program with one sentence that says what to do,
// and gives no password away.
func TestWrongInputs(t *testing.T) {
	const mongodb, nats = "mongodb://127.0.0.1:1/x", "nats://127.0.0.1:1"
	servers := func(mongodbURI, natsURL string, more ...string) []string {
		return slices.Concat([]string{"--addr", "127.0.0.1:0", "--mongodb-uri", mongodbURI, "--nats-url", natsURL, "--start-timeout", "100ms"}, more)
	}
	for name, c := range map[string]struct { // the servers' flags are those of cmd/api, which tries more
		args []string
		says []string
	}{
		"no servers":      {nil, []string{"--mongodb-uri", "--nats-url", "--help"}},
		"a port":          {servers(mongodb, nats, "--addr", "127.0.0.1:99999"), []string{"--addr", "65535"}},
		"no MongoDB":      {servers(mongodb, nats), []string{"MongoDB cannot be reached at 127.0.0.1:1", "connection refused"}},
		"a NATS password": {servers(mongodb, "nats://ada:hunter2@pass/w@127.0.0.1:1"), []string{"NATS_URL", "percent-encoded"}},
		"nobody to ask":   {[]string{"healthcheck", "--addr", "127.0.0.1:1"}, []string{"127.0.0.1:1", "connection refused", "--addr"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, log bytes.Buffer
			err := run(t.Context(), process.Env{Args: c.args, Stdout: &out, Stderr: &log})
			testenv.WantSentence(t, err, c.says...)
			if err != nil && strings.Contains(err.Error()+log.String(), "hunter2") {
				t.Errorf("the password is in %q or in the log\n%s", err, log.String())
			}
		})
	}
}
