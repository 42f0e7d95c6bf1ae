// Package e2e runs the production processes against a real NATS server and a real MongoDB
// replica set, and ends them in every way.
package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

// programs is the folder of the programs, which are built once.
var programs string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if programs, err = os.MkdirTemp("", "eventio-e2e-"); err == nil {
		defer os.RemoveAll(programs)
		err = testenv.Build(context.Background(), programs, "api", "worker", "notifier", "eventio")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return testenv.M{M: m}.Run()
}

// limit bounds every wait for a process.
const limit = 30 * time.Second

// cluster is a set of processes around one NATS server and one database.
type cluster struct{ env []string }

func newCluster(t testing.TB) *cluster {
	t.Helper()
	return &cluster{env: append(os.Environ(),
		"NATS_URL="+testenv.StartNATS(t).URL(),
		"MONGODB_URI="+testenv.MongoDB(t),
		"EVENTIO_ADDR=127.0.0.1:0",
		"EVENTIO_AUTH=trusted", // the crowds of these tests have ids and no passwords
	)}
}

// with is the same cluster, whose programs get more environment: NAME=value.
func (c *cluster) with(variables ...string) *cluster {
	return &cluster{env: append(slices.Clip(c.env), variables...)}
}

// process is a program that runs, and where it listens.
type process struct {
	*testenv.Program
	addr string
}

// start starts a program and waits until its log says where it listens.
func (c *cluster) start(t testing.TB, program string, args ...string) *process {
	t.Helper()
	p, err := c.launch(t, program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// launch is start for a goroutine that must not end the test.
func (c *cluster) launch(t testing.TB, program string, args ...string) (*process, error) {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, program), args...)
	cmd.Env = c.env
	p := testenv.RunProgram(t, cmd)
	addr, err := p.Find(t.Context(), `"addr":`)
	return &process{p, addr}, err
}

// terminate sends SIGTERM and wants exit 0 within 10 s: behind nginx a process drains for 6 s.
func (p *process) terminate() error {
	begun := time.Now()
	err := p.Stop()
	if took := time.Since(begun); err == nil && took > 10*time.Second {
		err = fmt.Errorf("it ended %v after SIGTERM", took)
	}
	return err
}
