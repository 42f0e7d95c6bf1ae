package testenv

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// shell is a program whose output and end a test chooses.
func shell(t *testing.T, script string) *Program {
	t.Helper()
	return RunProgram(t, exec.Command("sh", "-c", script))
}

func TestProgramsTellWhereTheyListen(t *testing.T) {
	for name, c := range map[string]struct{ prints, text, want string }{
		"in a log":          {`echo '{"message":"x"}'; echo '{"message":"serving","addr":"1.2.3.4:5"}'`, "serving", "1.2.3.4:5"},
		"to people":         {`echo 'It is listening on http://1.2.3.4:5 for you'`, "listening on ", "http://1.2.3.4:5"},
		"only a whole line": {`printf 'at 1.2'; sleep 0.1; echo '.3.4:5'`, "at ", "1.2.3.4:5"},
		"no address":        {`echo ready`, "ready", ""},
	} {
		p := shell(t, c.prints+"; sleep 600")
		if got, err := p.Find(t.Context(), c.text); err != nil || got != c.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestAnEndedProgramIsNotWaitedFor, and its error has what it said.
func TestAnEndedProgramIsNotWaitedFor(t *testing.T) {
	begun := time.Now()
	_, err := shell(t, "echo no such port >&2; exit 3").Find(t.Context(), "listening")
	if err == nil || !strings.Contains(err.Error(), "has ended") || !strings.Contains(err.Error(), "no such port") || time.Since(begun) > startLimit/2 {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

func TestProgramsStop(t *testing.T) {
	const begin = "echo begun; while :; do sleep 0.05; done"
	good := shell(t, "trap 'exit 0' TERM; "+begin)
	bad := shell(t, "trap 'exit 7' TERM; "+begin)
	for _, p := range []*Program{good, bad} {
		if _, err := p.Find(t.Context(), "begun"); err != nil {
			t.Fatal(err)
		}
	}
	if err := good.Stop(); err != nil || good.ExitCode() != 0 {
		t.Errorf("%v, exit %d", err, good.ExitCode())
	}
	if err := bad.Stop(); err == nil || !strings.Contains(err.Error(), "exit 7") {
		t.Errorf("exit 7 is %v", err)
	}
	for range 2 {
		if err := good.Remove(); err != nil {
			t.Error(err)
		}
	}
}

func TestLinesAreReadOnce(t *testing.T) {
	p := shell(t, "echo one; echo two; printf thr; sleep 600")
	if _, err := p.Find(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one\ntwo\n", ""} {
		if got, err := p.Lines(); err != nil || string(got) != want {
			t.Errorf("lines are %q, %v, want %q", got, err, want)
		}
	}
	if err := p.Forget(); err != nil || p.Says("one") {
		t.Errorf("it is not forgotten: %v", err)
	}
}
