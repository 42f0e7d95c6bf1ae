package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
)

// TestWrongInputs: each wrong input ends the program with one sentence that says what to do,
// and gives no password away.
func TestWrongInputs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	const mongodb, nats = "mongodb://127.0.0.1:1/x", "nats://127.0.0.1:1"
	servers := func(mongodbURI, natsURL string, more ...string) []string {
		return slices.Concat([]string{"--addr", "127.0.0.1:0", "--mongodb-uri", mongodbURI, "--nats-url", natsURL, "--start-timeout", "100ms"}, more)
	}
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"no servers":             {nil, []string{"--mongodb-uri", "--nats-url", "--help"}},
		"a port":                 {servers(mongodb, nats, "--addr", "127.0.0.1:99999"), []string{"--addr", "65535"}},
		"no MongoDB":             {servers(mongodb, nats), []string{"MongoDB cannot be reached at 127.0.0.1:1", "connection refused"}},
		"no MongoDB URI":         {servers("127.0.0.1:1", nats), []string{"MONGODB_URI", "mongodb://"}},
		"a MongoDB password":     {servers("mongodb://ada:hunter2@pass/w@127.0.0.1:1/x", nats), []string{"MONGODB_URI", "percent-encoded"}},
		"a NATS password":        {servers(mongodb, "nats://ada:hunter2@pass/w@127.0.0.1:1"), []string{"NATS_URL", "percent-encoded"}},
		"a NATS port":            {servers(mongodb, "nats://127.0.0.1:99999"), []string{"NATS_URL", "65535"}},
		"no credentials":         {servers(mongodb, nats, "--nats-creds", file+"x"), []string{"NATS_CREDS", file + "x", "does not exist"}},
		"no certificates":        {servers(mongodb, nats, "--nats-ca", file+"x"), []string{"NATS_CA", file + "x", "does not exist"}},
		"not certificates":       {servers(mongodb, nats, "--nats-ca", file), []string{"NATS_CA", file, "PEM"}},
		"nobody to ask":          {[]string{"healthcheck", "--addr", "127.0.0.1:1"}, []string{"127.0.0.1:1", "connection refused", "--addr"}},
		"no address to ask":      {[]string{"healthcheck", "--addr", "localhost"}, []string{"--addr", "127.0.0.1:3000"}},
		"nobody of the name":     {[]string{"healthcheck", "--addr", "nowhere.invalid:80"}, []string{"nowhere.invalid", "--addr"}},
		"an unreachable address": {servers(mongodb, nats, "--addr", "192.0.2.1:80"), []string{"no such address", "--addr"}},
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
