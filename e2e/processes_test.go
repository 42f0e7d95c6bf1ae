// Package e2e runs the production processes against a real NATS server and a real MongoDB
// replica set, and ends them in every way.
package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// limit bounds every wait for a process.
const limit = 30 * time.Second

// cluster is a set of processes around one NATS server and one database.
type cluster struct {
	bin string
	env []string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "../cmd/api", "../cmd/worker", "../cmd/eventio")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return &cluster{bin: bin, env: append(os.Environ(),
		"NATS_URL="+testenv.StartNATS(t).URL(),
		"MONGODB_URI="+testenv.MongoDB(t),
		"EVENTIO_ADDR=127.0.0.1:0",
		"EVENTIO_AUTH=trusted", // the crowds of these tests have ids and no passwords
	)}
}

// with is the same cluster, whose programs get more environment: NAME=value.
func (c *cluster) with(variables ...string) *cluster {
	return &cluster{bin: c.bin, env: append(slices.Clip(c.env), variables...)}
}

// process is one that runs.
type process struct {
	cmd    *exec.Cmd
	addr   string
	log    *logFile
	exited chan struct{}
}

// start starts a program and waits until its log says where it listens.
func (c *cluster) start(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{
		cmd: exec.Command(filepath.Join(c.bin, program), args...), log: newLogFile(), exited: make(chan struct{}),
	}
	p.cmd.Env, p.cmd.Stderr, p.cmd.Stdout = c.env, p.log, os.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	go func() {
		_ = p.cmd.Wait() // the state is looked at through ProcessState
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // most have ended by now
		<-p.exited
		if t.Failed() {
			t.Logf("the end of the log of %s %d:\n%s", program, p.cmd.Process.Pid, p.log.tail())
		}
	})
	select {
	case p.addr = <-p.log.addr:
	case <-p.exited:
		t.Fatalf("%s ended at the start", program)
	case <-time.After(limit):
		t.Fatalf("%s did not start", program)
	}
	return p
}

// terminate sends SIGTERM and wants exit 0 within 10 s.
func (p *process) terminate() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("exit %d after SIGTERM", code)
		}
		return nil
	case <-time.After(10 * time.Second):
		return fmt.Errorf("still running 10 s after SIGTERM")
	}
}

// logFile keeps a process's log and finds the address in it.
type logFile struct {
	addr chan string // gets one address
	once sync.Once

	mu  sync.Mutex // guards all below
	buf bytes.Buffer
}

func newLogFile() *logFile { return &logFile{addr: make(chan string, 1)} }

func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	for line := range bytes.Lines(p) {
		var entry struct{ Addr string }
		if json.Unmarshal(line, &entry) == nil && entry.Addr != "" {
			l.once.Do(func() { l.addr <- entry.Addr })
		}
	}
	return len(p), nil
}

func (l *logFile) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buf.Bytes()
	return string(b[max(0, len(b)-4000):])
}
