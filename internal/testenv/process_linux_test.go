package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const parentEnv = "TESTENV_ACT_AS_PARENT"

// actAsParent starts a child, prints its process id and waits to be killed.
func actAsParent() {
	if os.Getenv(parentEnv) == busy {
		for range busyThreads {
			go func() {
				runtime.LockOSThread()
				for n := 0; ; n++ {
					_ = fmt.Sprint(n)
				}
			}()
		}
		select {}
	}
	child, err := StartProcess(filepath.Join(os.Getenv(parentEnv), "log"), exec.Command("sleep", "600"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(child.Pid)
	<-child.life.Done()
	os.Exit(1)
}

// busy is what a program that does nothing but work is called, on so many threads.
const (
	busy        = "busy"
	busyThreads = 32
)

// TestAFrozenProcessStandsStill: when Signal has sent SIGSTOP, no thread runs any more.
func TestAFrozenProcessStandsStill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), parentEnv+"="+busy, fmt.Sprintf("GOMAXPROCS=%d", busyThreads))
	p, err := StartProcess(filepath.Join(t.TempDir(), "log"), cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.End(os.Kill) }()
	Eventually(t, 10*time.Second, "all threads", func() error {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.Pid))
		if err == nil && len(threads) < busyThreads {
			err = fmt.Errorf("%d threads", len(threads))
		}
		return err
	})
	for range 200 {
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := standsStill(p.Pid); err != nil {
			t.Fatal(err)
		}
		if err := p.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		Eventually(t, 10*time.Second, "go on", func() error {
			if standsStill(p.Pid) == nil {
				return errors.New("it stands still")
			}
			return nil
		})
	}
}

func TestChildDiesWithItsKilledParent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), parentEnv+"="+t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	_ = parent.Process.Kill()
	_ = parent.Wait()
	if err != nil {
		t.Fatal(err)
	}
	stat := filepath.Join("/proc", strings.TrimSpace(line), "stat")
	Eventually(t, 10*time.Second, "the end of the child", func() error {
		text, err := os.ReadFile(stat)
		// In a container nobody may reap the orphan: then it stays, but as a zombie.
		if err != nil || strings.Contains(string(text), ") Z ") {
			return nil
		}
		return errors.New("it runs")
	})
}
