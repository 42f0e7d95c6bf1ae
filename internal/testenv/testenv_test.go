package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(parentEnv) != "" {
		actAsParent()
	}
	goleak.VerifyTestMain(M{m})
}

// recorder notes a failure instead of failing.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) { r.failure = fmt.Sprintf(format, args...) }

func TestEventually(t *testing.T) {
	t.Run("waits_until_the_check_passes", func(t *testing.T) {
		calls := 0
		Eventually(t, time.Minute, "the third call", func() error {
			if calls++; calls < 3 {
				return errors.New("too early")
			}
			return nil
		})
		if calls != 3 {
			t.Errorf("checked %d times, want 3", calls)
		}
	})
	t.Run("fails_with_the_last_error", func(t *testing.T) {
		r := &recorder{TB: t}
		Eventually(r, 20*time.Millisecond, "the impossible", func() error { return errors.New("still not") })
		if want := "the impossible: not within 20ms: still not"; r.failure != want {
			t.Errorf("failed with %q, want %q", r.failure, want)
		}
	})
}

// TestWithoutMongodTestsFail: a machine without any mongod sees red tests and the reason, never
// skipped ones.
func TestWithoutMongodTestsFail(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() // holds sh alone: no mongod, python3 or docker
	if err := os.Symlink(shell, filepath.Join(path, "sh")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestMongoDB$", "-test.v")
	cmd.Env = []string{"PATH=" + path, "HOME=" + t.TempDir()}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("ended with %v, want exit code 1", err)
	}
	if !strings.Contains(string(out), "no mongod: install") || strings.Contains(string(out), "SKIP") {
		t.Errorf("does not fail with the reason:\n%s", out)
	}
}
