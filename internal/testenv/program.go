package testenv

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Build builds commands of this module, named like api, into dir.
func Build(ctx context.Context, dir string, commands ...string) error {
	return BuildTagged(ctx, dir, "", commands...)
}

// BuildTagged is Build with build tags, comma-separated.
func BuildTagged(ctx context.Context, dir, tags string, commands ...string) error {
	args := []string{"build", "-tags", tags, "-o", dir + string(filepath.Separator)}
	for _, c := range commands {
		args = append(args, "github.com/eventio/eventio/cmd/"+c)
	}
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// A Program is a Process whose output is kept in a file: through a pipe its reader would take
// part in all that is measured. Its methods are safe for concurrent use, but for Lines and Forget.
type Program struct {
	*Process
	Name string
	cmd  *exec.Cmd
	path string // of the file
	read int64  // bytes that Lines has returned
}

// StartProgram starts cmd, called name, whose output is kept in dir. The caller ends it.
func StartProgram(dir, name string, cmd *exec.Cmd) (*Program, error) {
	file, err := os.CreateTemp(dir, name+"-*.log")
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	p, err := StartProcess(file.Name(), cmd)
	if err != nil {
		return nil, err
	}
	return &Program{Process: p, Name: name, cmd: cmd, path: file.Name()}, nil
}

// RunProgram starts cmd for this test, which it fails if that is impossible. What still runs at
// the test's end is killed, and the output of a failed test is logged.
func RunProgram(tb testing.TB, cmd *exec.Cmd) *Program {
	tb.Helper()
	p, err := StartProgram(tb.TempDir(), filepath.Base(cmd.Path), cmd)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	tb.Cleanup(func() {
		_ = p.Kill() // most have ended
		<-p.Ended()
		if tb.Failed() {
			tb.Logf("%s %d: %s", p.Name, p.Pid, p.Tail())
		}
	})
	return p
}

// Find waits for a whole line of the output that has text, as long as the program runs. It returns the address that is told
// there: addr or admin_addr of a line of a log, else the first word after text.
func (p *Program) Find(ctx context.Context, text string) (addr string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = Poll(ctx, startLimit, func() error {
		state := "runs and"
		select {
		case <-p.Ended():
			state = "has ended and"
			cancel() // no further look
		default:
		}
		before, after, found := bytes.Cut(p.Output(), []byte(text))
		rest, _, whole := bytes.Cut(after, []byte("\n"))
		if !found || !whole {
			return fmt.Errorf("%s %s does not say %q; %s", p.Name, state, text, p.Tail())
		}
		line := append(append(bytes.Clone(before[bytes.LastIndexByte(before, '\n')+1:]), text...), rest...)
		var entry struct {
			Addr  string
			Admin string `json:"admin_addr"`
		}
		if json.Unmarshal(line, &entry) == nil {
			addr = cmp.Or(entry.Addr, entry.Admin)
		} else if words := strings.Fields(string(rest)); len(words) > 0 {
			addr = words[0]
		}
		return nil
	})
	return addr, err
}

// Addr waits until a log says where the program listens, and fails the test when it does not.
func (p *Program) Addr(tb testing.TB) string {
	tb.Helper()
	addr, err := p.Find(tb.Context(), `"addr":`)
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return addr
}

// Output is all that the program has printed and logged.
func (p *Program) Output() []byte {
	data, err := os.ReadFile(p.path)
	if err != nil {
		return []byte(err.Error())
	}
	return data
}

// Says reports whether the output has text.
func (p *Program) Says(text string) bool { return bytes.Contains(p.Output(), []byte(text)) }

// Tail is the end of the output.
func (p *Program) Tail() string {
	data := p.Output()
	return "the end of its output:\n" + string(data[max(0, len(data)-4000):])
}

// Lines returns the whole lines that the output has got since the last call.
func (p *Program) Lines() ([]byte, error) {
	file, err := os.Open(p.path)
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
	return data, nil
}

// Forget empties the file, which would fill the disk in a long run.
func (p *Program) Forget() error {
	p.read = 0
	return os.Truncate(p.path, 0)
}

// Stop sends SIGTERM and waits for the end, which must be exit 0.
func (p *Program) Stop() error {
	if err := p.End(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	if code := p.ExitCode(); code != 0 {
		return fmt.Errorf("stop %s: exit %d", p.Name, code)
	}
	return nil
}

// Remove stops the program and removes its output. It may come twice.
func (p *Program) Remove() error {
	stopped := p.Stop()
	if err := os.Remove(p.path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(stopped, err)
	}
	return stopped
}

// ExitCode is that of a program that has ended; -1: a signal ended it.
func (p *Program) ExitCode() int { return p.cmd.ProcessState.ExitCode() }
