//go:build k6

// Package k6 runs every k6 script with a small load: against real systems, where it must
// succeed, and against ones that lie, where it must not.
package k6

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
)

const version = "v1.8.1" // that of README.md

var bin string // folder of k6 and of our programs

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "eventio-k6-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	install := exec.Command("go", "install", "go.k6.io/k6@"+version)
	install.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := install.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "install k6: %v\n%s", err, out)
		return 1
	}
	if err := testenv.Build(context.Background(), bin, "eventio", "api", "worker"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return testenv.M{M: m}.Run()
}

// scripts is each script with a load that a busy machine bears.
var scripts = map[string][]string{
	"smoke":   {"RATE=10", "DURATION=2s", "CAPACITY=5"},
	"burst":   {"RATE=40", "DURATION=2s", "CAPACITY=5", "OPENS_IN=4s"},
	"soldout": {"RATE=40", "DURATION=2s", "CAPACITY=5", "HOLDERS=30"},
	"spread":  {"RATE=20", "DURATION=2s", "CAPACITY=2", "EVENTS=5"},
	"soak":    {"RATE=10", "DURATION=3s", "EVENTS=2"},
}

// The exit codes of k6.
const (
	succeeded       = 0
	thresholdFailed = 99
	scriptFailed    = 107
)

// script runs one and returns k6's exit code and what it said.
func script(t *testing.T, name, url string, env ...string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "k6"), "run", "--quiet", "--no-color", "--address", "", name+".js")
	// What is slow here is the machine of the test.
	cmd.Env = append(os.Environ(), "K6_NO_USAGE_REPORT=true", "PWD=", "URL="+url, "P95=60000")
	cmd.Env = append(append(cmd.Env, scripts[name]...), env...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestScripts(t *testing.T) {
	trusted, token, production := embedded(t, "trusted"), embedded(t, "token"), processes(t)
	for name := range scripts {
		for mode, s := range map[string]system{"trusted": trusted, "token": token, "production": production} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				var env []string
				if s.tokens != nil {
					env = append(env, "TOKENS="+s.tokens(t, 300))
				}
				if code, out := script(t, name, s.url, env...); code != succeeded {
					t.Errorf("exit %d\n%s", code, out)
				}
			})
		}
	}
}

// TestScriptsFindLies: each promise that is broken is found by the check or the
// threshold that is about it, and fails the run.
func TestScriptsFindLies(t *testing.T) {
	honest := embedded(t, "trusted")
	type lie struct {
		script, finds string
		tell          func() teller
	}
	lies := map[string]lie{
		"a promised seat is not there":     {"spread", "seats_balance", refusedForPromised},
		"a refused seat is there":          {"spread", "seats_balance", promisedForRefused},
		"a seat is another's":              {"soldout", "users_balance", anothersSeat},
		"somebody is on the roster twice":  {"spread", "nobody holds two seats", twiceOnTheRoster},
		"a stranger is on the roster":      {"spread", "only who asked holds a seat", strangerOnTheRoster},
		"more seats than places":           {"soak", "no more seats than places", fewerPlaces},
		"a place stays free":               {"spread", "every place is taken", morePlaces},
		"a fault":                          {"spread", "every answer is a documented one", fault},
		"refused without a time":           {"spread", "who is to come again is told when", refusedWithoutTime},
		"refused for good":                 {"spread", "refused", alwaysRefused},
		"nobody knows":                     {"spread", "unknown_outcomes", neverKnown},
		"an answer that cannot be read":    {"soak", "at no time more seats than places", unreadableEvent},
		"the connection is cut":            {"spread", "every answer is a documented one", cut},
		"a freed seat is not sold":         {"soldout", "a seat that was given up is sold again at once", freedSeatIsLost},
		"a seat before the opening":        {"burst", "nobody gets a seat before the opening", openTooEarly},
		"another answer to the same again": {"smoke", "the same request gets the same answer", repeatedIsRefused},
		"an iteration throws":              {"testdata/throws", "unfinished", theTruth},
	}
	for name := range scripts {
		lies["tickets_sold is off by one: "+name] = lie{name, "tickets_sold is the size of the roster", soldOffByOne}
	}
	for name, l := range lies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out := script(t, l.script, liar(t, honest.url, l.tell()), "TRIES=2")
			if code != thresholdFailed || !found(out, l.finds) {
				t.Errorf("exit %d, want %d and that it finds %q\n%s", code, thresholdFailed, l.finds, out)
			}
		})
	}
	t.Run("the truth", func(t *testing.T) {
		t.Parallel()
		if code, out := script(t, "spread", liar(t, honest.url, theTruth())); code != succeeded {
			t.Errorf("exit %d\n%s", code, out)
		}
	})
	t.Run("a roster that cannot be read", func(t *testing.T) {
		t.Parallel()
		if code, out := script(t, "spread", liar(t, honest.url, unreadableRoster())); code != scriptFailed {
			t.Errorf("exit %d, want %d\n%s", code, scriptFailed, out)
		}
	})
}

// found tells whether k6 says that this check failed, or that the threshold on this metric
// was crossed.
func found(out, what string) bool {
	for line := range strings.Lines(out) {
		if strings.TrimSpace(line) == "✗ "+what || strings.Contains(line, "have been crossed") && strings.Contains(line, what) {
			return true
		}
	}
	return false
}

// TestScriptsSayWhatIsMissing: in words, before there is any load.
func TestScriptsSayWhatIsMissing(t *testing.T) {
	s := embedded(t, "token")
	few := s.tokens(t, 10)
	for name, c := range map[string]struct {
		url  string
		env  []string
		says string
	}{
		"no tokens":      {s.url, nil, "wants tokens: eventio token --count"},
		"too few tokens": {s.url, []string{"TOKENS=" + few}, "TOKENS has 10 tokens and this run needs 31"},
		"nobody there":   {"http://127.0.0.1:1", nil, "an event cannot be created at http://127.0.0.1:1: 0"},
		"no number":      {s.url, []string{"RATE=fast"}, "RATE: want a whole number from 1, got fast"},
		"no duration":    {s.url, []string{"DURATION=5"}, "DURATION: want a duration like 90s, 5m or 2h, got 5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code, out := script(t, "smoke", c.url, c.env...); code != scriptFailed || !strings.Contains(out, c.says) {
				t.Errorf("exit %d, want %d and %q\n%s", code, scriptFailed, c.says, out)
			}
		})
	}
}
