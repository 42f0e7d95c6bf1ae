// Package rig builds and runs the processes that are measured, and reads what they cost.
package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

// limit bounds every wait for a process.
const limit = 30 * time.Second

// Build builds commands of this module, named like api, into dir.
func Build(ctx context.Context, dir string, commands ...string) error {
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, c := range commands {
		args = append(args, "github.com/eventio/eventio/cmd/"+c)
	}
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// Process is a child whose log goes to a file: through a pipe this process would have to
// read every line while it measures. Its methods are not safe for concurrent use.
type Process struct {
	*testenv.Process
	Name string
	log  string
	read int64 // bytes of the log that next has returned
}

// Start starts cmd, whose log is kept in dir.
func Start(dir, name string, cmd *exec.Cmd) (*Process, error) {
	log, err := os.CreateTemp(dir, name+"-*.log")
	if err != nil {
		return nil, err
	}
	if err := log.Close(); err != nil {
		return nil, err
	}
	p, err := testenv.StartProcess(log.Name(), cmd)
	if err != nil {
		return nil, err
	}
	return &Process{Process: p, Name: name, log: log.Name()}, nil
}

// Stop ends the process in an orderly way, and removes its log. It may come twice.
func (p *Process) Stop() error {
	if err := p.End(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	if err := os.Remove(p.log); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// entry is what matters here of a line of a log.
type entry struct {
	Message   string `json:"message"`
	Addr      string `json:"addr"`
	BatchSize int    `json:"batch_size"`
}

// next returns those whole lines with that message that the log has got since the last call.
func (p *Process) next(message string) ([]entry, error) {
	file, err := os.Open(p.log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.NewSectionReader(file, p.read, 1<<40))
	if err != nil {
		return nil, err
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	p.read += int64(len(data))
	mark := []byte(`"` + message + `"`) // most lines are others, and need no decoding
	var entries []entry
	for line := range bytes.Lines(data) {
		if !bytes.Contains(line, mark) {
			continue
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("a line of the log of %s is no JSON: %s", p.Name, line)
		}
		if e.Message == message {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// Await waits for the line of the log with that message and returns the address in it.
func (p *Process) Await(ctx context.Context, message string) (addr string, err error) {
	err = testenv.Poll(ctx, limit, func() error {
		select {
		case <-p.Ended():
			return fmt.Errorf("%s has ended; %s", p.Name, p.Tail())
		default:
		}
		entries, err := p.next(message)
		switch {
		case err != nil:
			return err
		case len(entries) == 0:
			return fmt.Errorf("%s does not say %q; %s", p.Name, message, p.Tail())
		}
		addr = entries[0].Addr
		return nil
	})
	return addr, err
}

// Tail is the end of the log.
func (p *Process) Tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return "the end of its log:\n" + string(data[max(0, len(data)-2000):])
}

// Batches returns the sizes of the batches that workers have settled since they were asked
// last, when these are n requests together. A batch is logged after its requests are
// answered, so it may wait a moment.
func Batches(ctx context.Context, n int, workers ...*Process) ([]int, error) {
	var sizes []int
	sum := 0
	err := testenv.Poll(ctx, limit, func() error {
		for _, p := range workers {
			entries, err := p.next("batch")
			if err != nil {
				return err
			}
			for _, e := range entries {
				sizes = append(sizes, e.BatchSize)
				sum += e.BatchSize
			}
		}
		if sum < n {
			return fmt.Errorf("the logs of the workers tell of %d requests, want %d", sum, n)
		}
		return nil
	})
	return sizes, err
}

// Forget empties the log, whose lines would fill the disk in a long run.
func (p *Process) Forget() error {
	p.read = 0
	return os.Truncate(p.log, 0)
}
