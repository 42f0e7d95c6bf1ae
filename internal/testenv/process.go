package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// A Process is a child that does not outlive this one.
type Process struct {
	*os.Process
	life context.Context // done when the child has ended and was reaped
}

// StartProcess starts cmd with its output appended to the file logPath.
func StartProcess(logPath string, cmd *exec.Cmd) (*Process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// The child's input stays open as long as this process lives: the Docker wrapper of
	// scripts/mongod.sh, which no signal can reach, ends its container by that.
	input, keepOpen, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()

	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, log, log
	cmd.SysProcAttr = dieWithParent()
	life, ended := context.WithCancel(context.Background())
	p := &Process{life: life}
	started := make(chan error)
	go func() {
		// Linux ends the child when the thread that started it ends, and Go ends idle
		// threads at will: so this one is held until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer keepOpen.Close()
		defer ended()
		err := cmd.Start()
		p.Process = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait() // the reason is in the log; only the end matters
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// Ended is closed when the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.life.Done() }

// Signal sends sig. After SIGSTOP it waits until all threads of the process stand still, where that can be seen: on a busy machine some go on for
// a while, and what a test says of a frozen process would be of one that runs.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.Process.Signal(sig); err != nil || sig != syscall.SIGSTOP {
		return err
	}
	return Poll(context.Background(), stopLimit, func() error { return standsStill(p.Pid) })
}

// End sends sig and waits until the process is gone. One that has ended already is fine.
func (p *Process) End(sig os.Signal) error {
	if err := p.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.life.Done():
		return nil
	case <-time.After(stopLimit):
		_ = p.Process.Kill()
		<-p.life.Done()
		return fmt.Errorf("process %d did not end within %v of %v", p.Pid, stopLimit, sig)
	}
}
