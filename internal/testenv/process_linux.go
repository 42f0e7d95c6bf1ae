package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// dieWithParent has the kernel kill the child when this process dies, however it dies: a
// test binary that runs into its time limit or is killed runs no clean-up of its own.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// standsStill returns an error while a thread of a process runs, by proc_pid_stat(5). One that has ended stands still.
func standsStill(pid int) error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return err
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return err
		}
		// The name, in parentheses, may hold anything; the state comes behind it.
		state := string(text[strings.LastIndexByte(string(text), ')')+1:])
		if !strings.ContainsAny(state[:min(3, len(state))], "TtZX") {
			return fmt.Errorf("a thread of process %d is not stopped: %s", pid, text)
		}
	}
	return nil
}
