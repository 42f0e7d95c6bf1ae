package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const parentEnv = "TESTENV_ACT_AS_PARENT"

// actAsParent starts a child, prints its process id and waits to be killed.
func actAsParent() {
	child, err := StartProcess(filepath.Join(os.Getenv(parentEnv), "log"), exec.Command("sleep", "600"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(child.Pid)
	<-child.life.Done()
	os.Exit(1)
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
