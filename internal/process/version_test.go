package process

import (
	"bytes"
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionOf(t *testing.T) {
	for name, c := range map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"a release": {debug.BuildInfo{GoVersion: "go1.26.1", Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.modified", Value: "false"},
		}}, "worker version v1.2.3, commit 0123abcd, Go 1.26.1"},
		"with changes": {debug.BuildInfo{GoVersion: "go1.26.1", Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.modified", Value: "true"},
		}}, "worker version unknown, commit 0123abcd, modified, Go 1.26.1"},
		"outside of the repository": {debug.BuildInfo{GoVersion: "go1.26.1"}, "worker version unknown, commit unknown, Go 1.26.1"},
		"nothing":                   {debug.BuildInfo{}, "worker version unknown, commit unknown, Go unknown"},
	} {
		if got := versionOf("worker", &c.info); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestLinked: what the linker was told is said where the build does not say it.
func TestLinked(t *testing.T) {
	for want, info := range map[string]debug.BuildInfo{
		"worker version v2, commit cafe, Go 1.26.1": {GoVersion: "go1.26.1", Main: debug.Module{Version: "(devel)"}},
		"worker version v1, commit 0123, Go 1.26.1": {GoVersion: "go1.26.1", Main: debug.Module{Version: "v1"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123"}}},
	} {
		if got := versionOf("worker", linked(info, "v2", "cafe")); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestVersionFlag: it is answered although flags are missing, also after a command.
func TestVersionFlag(t *testing.T) {
	for _, args := range [][]string{{"--version"}, {"serve", "--version"}} {
		var cli struct {
			Serve struct {
				Needed string `required:""`
			} `cmd:"" default:"withargs"`
		}
		var out bytes.Buffer
		_, err := Parse(&cli, Env{Args: args, Stdout: &out, Stderr: &out}, "worker", "")
		if !errors.Is(err, errAnswered) || !strings.HasPrefix(out.String(), "worker version ") ||
			!strings.HasSuffix(out.String(), strings.Replace(runtime.Version(), "go", ", Go ", 1)+"\n") || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%q: %v, printed %q", args, err, out.String())
		}
	}
}

// known is the command line of a program that knows a store.
type known struct{}

func (*known) Schema() string { return "MongoDB schema 9" }

func TestVersionTellsTheSchema(t *testing.T) {
	var out bytes.Buffer
	_, err := Parse(&known{}, Env{Args: []string{"--version"}, Stdout: &out, Stderr: &out}, "worker", "")
	if !errors.Is(err, errAnswered) || !strings.HasSuffix(out.String(), ", MongoDB schema 9\n") {
		t.Errorf("%v, printed %q", err, out.String())
	}
}
