package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/setup"
)

// TestAReadOnlyMount: verify and backup of a folder that lies on a file system which takes no
// writes, such as a snapshot.
func TestAReadOnlyMount(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for what, fill := range databases(t) {
		t.Run(what, func(t *testing.T) {
			data, free := t.TempDir(), t.TempDir()
			fill(data)
			mount := `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"`
			inside := func(command string, args ...string) ([]byte, error) {
				cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"--map-root-user", "--mount", "sh", "-c", mount + command, data}, args...)...)
				cmd.Env = append(os.Environ(), programEnv+"=1")
				return cmd.CombinedOutput()
			}
			if out, err := inside(` && ! touch "$0/new"`); err != nil {
				t.Skipf("this machine lets nobody mount a file system: %v %s", err, out) // TestReadingNeedsNoOtherRight goes nearly the same way
			}
			run := func(args ...string) {
				t.Helper()
				out, err := inside(` && exec "$@"`, append([]string{self}, args...)...)
				if err != nil || args[0] == "verify" && !strings.Contains(string(out), "verify: 1 events, 4 registrations, 2 users") {
					t.Errorf("%v, it printed\n%s", err, out)
				}
			}
			run("verify", "--data", data)
			run("backup", "--data", data, filepath.Join(free, setup.DatabaseFile))
			run("verify", "--data", free)
		})
	}
}
