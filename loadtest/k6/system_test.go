//go:build k6

package k6

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
)

// system is a running Event.io. tokens makes a file of that many tokens; nil where none are
// wanted.
type system struct {
	url    string
	tokens func(t *testing.T, count int) string
}

// embedded is cmd/eventio with the default settings of that mode.
func embedded(t *testing.T, auth string) system {
	t.Helper()
	data := t.TempDir()
	s := system{url: start(t, nil, "listening on ", "eventio", "--addr", "127.0.0.1:0", "--data", data, "--auth", auth, "--log-level", "warn")}
	if auth == "token" {
		s.tokens = mint(nil, "--data", data)
	}
	return s
}

// processes is cmd/api and two of cmd/worker in token mode, with the key in MongoDB.
func processes(t *testing.T) system {
	t.Helper()
	env := []string{
		"NATS_URL=" + testenv.StartNATS(t).URL(), "MONGODB_URI=" + testenv.MongoDB(t),
		"EVENTIO_ADDR=127.0.0.1:0", "EVENTIO_AUTH=token", "EVENTIO_DRAIN_DELAY=0s",
	}
	start(t, env, "taking seat requests", "worker")
	start(t, env, "taking seat requests", "worker")
	return system{url: "http://" + start(t, env, "serving HTTP", "api"), tokens: mint(env)}
}

// mint lets the operator's command make the tokens.
func mint(env []string, flags ...string) func(*testing.T, int) string {
	return func(t *testing.T, count int) string {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, "eventio"), append([]string{"token", "--count", strconv.Itoa(count)}, flags...)...)
		cmd.Env = append(os.Environ(), env...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "tokens.ndjson")
		if err := os.WriteFile(path, out, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// start starts a program and returns the address behind text in what it says.
func start(t *testing.T, env []string, text, program string, args ...string) (addr string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, program), args...)
	cmd.Env = append(os.Environ(), env...)
	addr, err := testenv.RunProgram(t, cmd).Find(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
