//go:build k6

package k6

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

// limit bounds every wait for a process.
const limit = 30 * time.Second

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
	said := start(t, nil, "eventio", "--addr", "127.0.0.1:0", "--data", data, "--auth", auth, "--log-level", "warn")
	s := system{url: said.await(t, "Event.io is listening on ")}
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
	start(t, env, "worker").await(t, "taking seat requests")
	start(t, env, "worker").await(t, "taking seat requests")
	return system{url: "http://" + start(t, env, "api").await(t, "serving HTTP"), tokens: mint(env)}
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

// output is a file that gets what a process prints and logs.
type output string

func start(t *testing.T, env []string, program string, args ...string) output {
	t.Helper()
	path := filepath.Join(t.TempDir(), "output")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(filepath.Join(bin, program), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), file, file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has no more to do
		_ = cmd.Wait()
		if data, _ := os.ReadFile(path); t.Failed() {
			t.Logf("the end of what %s said:\n%s", program, data[max(0, len(data)-2000):])
		}
	})
	return output(path)
}

// await waits for a line with that text. It returns the address that a line of the log has,
// else the first word after the text.
func (o output) await(t *testing.T, text string) (found string) {
	t.Helper()
	testenv.Eventually(t, limit, text, func() error {
		data, err := os.ReadFile(string(o))
		if err != nil {
			return err
		}
		before, after, ok := bytes.Cut(data, []byte(text))
		rest, _, whole := bytes.Cut(after, []byte("\n"))
		if !ok || !whole {
			return os.ErrNotExist
		}
		line := string(before[bytes.LastIndexByte(before, '\n')+1:]) + text + string(rest)
		var entry struct{ Addr string }
		if json.Unmarshal([]byte(line), &entry) == nil {
			found = entry.Addr
		} else {
			found = strings.Fields(string(rest) + " -")[0]
		}
		return nil
	})
	return found
}
