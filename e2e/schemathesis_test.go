//go:build schemathesis

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

// seed makes two runs alike; another one looks elsewhere.
var seed = flag.String("schemathesis.seed", "1", "the seed of the fuzzer's choices")

// examples bounds a run: of each operation that many, and of their sequences.
const examples = "40"

// python runs a program of the cached Python environment in a folder and returns what it
// said.
func python(t *testing.T, dir, program string, args ...string) []byte {
	t.Helper()
	bin, err := testenv.Script(t.Context(), "schemathesis.sh")
	if err != nil {
		t.Fatalf("prepare Python: %v", err)
	}
	// A run is bounded by its number of examples; this is for one that hangs.
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "NO_COLOR=1")
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return out
}

// TestSchemathesis: nothing that a fuzzer makes of the served document gets an answer that
// the document does not have, in any phase, the stateful one included: from somebody with a
// token, and from somebody who is believed without one.
func TestSchemathesis(t *testing.T) {
	config, err := os.ReadFile("schemathesis.toml")
	if err != nil {
		t.Fatal(err)
	}
	onEveryStore(t, func(t *testing.T, url string) {
		for name, auth := range map[string]string{"with a token": "true", "without": "false"} {
			t.Run(name, func(t *testing.T) {
				// It keeps what it found in the folder in which it runs.
				dir := t.TempDir()
				text := fmt.Appendf(nil, "%s\n[auth]\nauto-signup = %s\n", config, auth)
				if err := os.WriteFile(filepath.Join(dir, "schemathesis.toml"), text, 0o600); err != nil {
					t.Fatal(err)
				}
				out := python(t, dir, "st", "run", url+"/openapi.json",
					"--max-examples", examples, "--seed", *seed, "--continue-on-failure")
				for _, phase := range []string{"Examples", "Coverage", "Fuzzing", "Stateful"} {
					if !bytes.Contains(out, []byte("✅ "+phase)) {
						t.Errorf("the phase %s did not run and pass", phase)
					}
				}
				t.Logf("%s", out)
			})
		}
	})
}

// TestGeneratedClient: a client that openapi-python-client makes from the served document
// signs up, creates an event and takes a seat.
func TestGeneratedClient(t *testing.T) {
	onEveryStore(t, func(t *testing.T, url string) {
		dir := filepath.Join(t.TempDir(), "client")
		t.Logf("%s", python(t, ".", "openapi-python-client", "generate", "--url", url+"/openapi.json",
			"--meta", "none", "--output-path", filepath.Join(dir, "event_io_client"), "--fail-on-warning"))
		t.Logf("%s", python(t, ".", "python", "generated_client.py", dir, url))
	})
}

// TestGeneratedGoClient: a client that oapi-codegen makes of the served document compiles, and signs up,
// searches, sends an event back as it was read, and takes a seat.
func TestGeneratedGoClient(t *testing.T) {
	onEveryStore(t, func(t *testing.T, url string) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "generated"))); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"tool", "oapi-codegen", "-generate", "types,client,skip-prune", "-package", "main", "-o", "client.gen.go", url + "/openapi.json"},
			{"build", "-mod=readonly", "-o", "generated", "."},
		} {
			runs(t, dir, "go", args...)
		}
		t.Logf("%s", runs(t, dir, filepath.Join(dir, "generated"), url))
	})
}

// TestRedocly: the served document has neither an error nor a warning of Redocly's recommended rules.
func TestRedocly(t *testing.T) {
	program, err := testenv.Script(t.Context(), "redocly.sh")
	if err != nil {
		t.Fatalf("prepare Redocly: %v", err)
	}
	document, err := filepath.Abs("../docs/openapi.json") // which is what is served: TestOpenAPIIsCommitted
	if err != nil {
		t.Fatal(err)
	}
	out := runs(t, t.TempDir(), "node", program, "lint", "--extends=recommended", "--format=json", document)
	var found struct {
		Totals struct{ Errors, Warnings, Ignored int } `json:"totals"`
	}
	if err := json.NewDecoder(bytes.NewReader(out[bytes.IndexByte(out, '{'):])).Decode(&found); err != nil || found.Totals.Errors+found.Totals.Warnings+found.Totals.Ignored > 0 {
		t.Fatalf("%v\n%s", err, out)
	}
}

// runs runs a program in a folder and returns what it said. It fails unless the program succeeds.
func runs(t *testing.T, dir, program string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	// No update notice, no account of what was run.
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true", "GOFLAGS=")
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return out
}
