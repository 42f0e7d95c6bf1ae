package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

// TestAnEmbeddedProcessIsKilledAgainAndAgain: people come and go at an eventio that has everything in one process,
// which is killed at any moment and started again with the same folder. Nothing that anybody was told is lost, a
// second process on the folder is refused meanwhile, and in the end the database is whole.
//
// EVENTIO_KILLS is how often, 8 by default.
func TestAnEmbeddedProcessIsKilledAgainAndAgain(t *testing.T) {
	kills, err := strconv.Atoi(os.Getenv("EVENTIO_KILLS"))
	if err != nil {
		kills = 8
	}
	seed := planOf(t).seed
	port, err := testenv.FreePort()
	succeeds(t, err)
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	c := (&cluster{env: append(os.Environ(), "EVENTIO_AUTH=trusted", "EVENTIO_DATA="+filepath.Join(t.TempDir(), "data"))}).with("EVENTIO_ADDR=" + addr)
	p := c.embedded(t)
	crowd := newAudience(t, addr)
	people, random := crowd.run(4, seeds(seed)), seeds(seed+1)()
	for i := range kills {
		time.Sleep(100*time.Millisecond + time.Duration(random.Int64N(int64(900*time.Millisecond))))
		if i == kills/2 {
			c.refusesASecond(t, p.Pid)
		}
		succeeds(t, p.End(syscall.SIGKILL))
		p = c.embedded(t)
	}
	time.Sleep(time.Second) // of peace
	crowd.over.Store(true)
	people.Wait()
	crowd.settle()
	crowd.judge()
	succeeds(t, p.Stop())
	verify := exec.Command(filepath.Join(programs, "eventio"), "verify")
	verify.Env = c.env
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("eventio verify: %v\n%s", err, out)
	}
}

// embedded starts an eventio, which tells people where it listens.
func (c *cluster) embedded(t *testing.T) *testenv.Program {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, "eventio"))
	cmd.Env = c.env
	p := testenv.RunProgram(t, cmd)
	_, err := p.Find(t.Context(), "listening on ")
	succeeds(t, err)
	return p
}

// refusesASecond starts another process on the same folder, which ends at once and names the first one.
func (c *cluster) refusesASecond(t *testing.T, first int) {
	t.Helper()
	second := exec.Command(filepath.Join(programs, "eventio"))
	second.Env = c.with("EVENTIO_ADDR=127.0.0.1:0").env
	started := time.Now()
	out, err := second.CombinedOutput()
	if took := time.Since(started); err == nil || took > 2*time.Second || !strings.Contains(string(out), "in use by process "+strconv.Itoa(first)+":") {
		t.Errorf("a second process on the folder ended after %v with %v:\n%s", took, err, out)
	}
}
