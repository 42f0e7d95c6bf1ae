package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
)

// TestWrongInputs: each wrong input ends the program with one sentence that says what to do,
// and gives no password away.
func TestWrongInputs(t *testing.T) {
	const mongodb, nats = "mongodb://127.0.0.1:1/x", "nats://127.0.0.1:1"
	servers := func(mongodbURI, natsURL string, more ...string) []string {
		return slices.Concat([]string{"--addr", "127.0.0.1:0", "--mongodb-uri", mongodbURI, "--nats-url", natsURL, "--start-timeout", "100ms"}, more)
	}
	for name, c := range map[string]struct { // the servers' flags are those of cmd/api, which tries more
		args  []string
		says  []string
		usage bool
	}{
		"no servers":      {nil, []string{"--mongodb-uri or MONGODB_URI", "--nats-url or NATS_URL", "notifier --help"}, true},
		"a port":          {servers(mongodb, nats, "--addr", "127.0.0.1:99999"), []string{"--addr", "65535"}, true},
		"no MongoDB":      {servers(mongodb, nats), []string{"MongoDB cannot be reached at 127.0.0.1:1", "connection refused", "--mongodb-uri"}, false},
		"a NATS password": {servers(mongodb, "nats://ada:hunter2@pass/w@127.0.0.1:1"), []string{"--nats-url", "percent-encoded"}, true},
		"no network":      {servers(mongodb, nats, "--webhook-allow", "10.0.0.0/8,hunter2"), []string{"--webhook-allow", "10.1.0.0/16"}, true},
		"mapped network":  {servers(mongodb, nats, "--webhook-allow", "::ffff:10.0.0.0/104"), []string{"--webhook-allow"}, true},
		"a short lease":   {servers(mongodb, nats, "--relay-lease", "10ms"), []string{"--relay-lease", "1s"}, true},
		"a long lease":    {servers(mongodb, nats, "--relay-lease", "1h"), []string{"--relay-lease", "1m"}, true},
		"nobody to ask":   {[]string{"healthcheck", "--addr", "127.0.0.1:1"}, []string{"127.0.0.1:1", "connection refused", "--addr"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			var log system.Log // NATS logs from a goroutine of its own
			err := run(t.Context(), process.Env{Args: c.args, Stdout: &out, Stderr: &log})
			testenv.WantSentence(t, err, c.says...)
			if errors.Is(err, process.ErrUsage) != c.usage {
				t.Errorf("that the command line is wrong is %v, want %v: %v", !c.usage, c.usage, err)
			}
			if err != nil && strings.Contains(err.Error()+log.String(), "hunter2") {
				t.Errorf("the password is in %q or in the log\n%s", err, log.String())
			}
		})
	}
}
