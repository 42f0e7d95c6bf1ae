// Package loadtest measures the production processes against baselines held in the same
// run. It reports ratios and medians; README.md says how to read them.
package loadtest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// limit bounds every wait for a process.
const limit = 30 * time.Second

// system is one API and one worker process on a real NATS server and a real MongoDB, all
// with the settings they have in production.
type system struct {
	mongoURI string
	addr     string // of the API
	worker   *process
}

func startSystem(b *testing.B) *system {
	b.Helper()
	bin := b.TempDir()
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "../cmd/api", "../cmd/worker")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	s := &system{mongoURI: testenv.MongoDB(b)}
	env := append(os.Environ(),
		"NATS_URL="+testenv.StartNATS(b).URL(),
		"MONGODB_URI="+s.mongoURI,
		"EVENTIO_ADDR=127.0.0.1:0",
		"EVENTIO_AUTH=trusted", // the crowd has ids and no passwords
		"EVENTIO_LOG_LEVEL=info",
		"EVENTIO_DRAIN_DELAY=0s",
	)
	s.worker = start(b, filepath.Join(bin, "worker"), env)
	s.worker.await(b, "taking seat requests")
	s.addr = start(b, filepath.Join(bin, "api"), env).await(b, "serving HTTP").Addr
	return s
}

// process is a child process whose log goes to a file: through a pipe this process would
// have to read every line while it measures.
type process struct {
	cmd    *exec.Cmd
	log    string
	read   int // bytes of the log that next has returned
	exited chan struct{}
}

func start(b *testing.B, path string, env []string) *process {
	b.Helper()
	p := &process{cmd: exec.Command(path), log: filepath.Join(b.TempDir(), "log"), exited: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	p.cmd.Env, p.cmd.Stderr = env, log
	if err := p.cmd.Start(); err != nil {
		b.Fatalf("start %s: %v", path, err)
	}
	go func() {
		_ = p.cmd.Wait() // only the end matters
		close(p.exited)
	}()
	b.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(limit):
			b.Errorf("%s is still running %v after SIGTERM", path, limit)
			_ = p.cmd.Process.Kill()
			<-p.exited
		}
		if b.Failed() {
			data, _ := os.ReadFile(p.log)
			b.Logf("the end of the log of %s:\n%s", path, data[max(0, len(data)-2000):])
		}
	})
	return p
}

// entry is what matters here of a line of a log.
type entry struct {
	Message   string `json:"message"`
	Addr      string `json:"addr"`
	BatchSize int    `json:"batch_size"`
}

// next returns the whole lines that the log has got since the last call.
func (p *process) next(b *testing.B) []entry {
	b.Helper()
	data, err := os.ReadFile(p.log)
	if err != nil {
		b.Fatal(err)
	}
	data = data[p.read:]
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	p.read += len(data)
	var entries []entry
	for line := range bytes.Lines(data) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			b.Fatalf("a line of the log is no JSON: %s", line)
		}
		entries = append(entries, e)
	}
	return entries
}

// await returns the first line with that message.
func (p *process) await(b *testing.B, message string) entry {
	b.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, e := range p.next(b) {
			if e.Message == message {
				return e
			}
		}
	}
	b.Fatalf("the log does not say %q within %v", message, limit)
	return entry{}
}

// batches returns the sizes of the batches in which the worker has settled n requests since
// the last call. A batch is logged after its requests are answered, so it may wait a moment.
func (p *process) batches(b *testing.B, n int) []int {
	b.Helper()
	var sizes []int
	sum := 0
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, e := range p.next(b) {
			if e.Message == "batch" {
				sizes = append(sizes, e.BatchSize)
				sum += e.BatchSize
			}
		}
		if sum >= n {
			return sizes
		}
	}
	b.Fatalf("the worker's log tells of %d requests, want %d", sum, n)
	return nil
}
