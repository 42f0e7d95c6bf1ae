package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// A NATSCluster is NATS servers with routes to each other. Each is a process of its own, so
// that one can be frozen or killed. Restart must not run beside another method; the others are safe for concurrent use.
type NATSCluster struct {
	dir, program string
	servers      []*Process
	urls         []string
}

// clusterConfig is the configuration of a server: port, its route port, the routes of all.
// A frozen client or server is cut off within three seconds, as docs/operations.md says.
const clusterConfig = `
host: 127.0.0.1
port: %d
ping_interval: "1s"
ping_max: 2
cluster {
  name: eventio
  host: 127.0.0.1
  port: %d
  routes: [%s]
  ping_interval: "1s"
  ping_max: 2
  write_deadline: "2s"
}
`

// StartNATSCluster builds the NATS server that go.mod names, and starts size of them for
// this test; they are gone when it ends. It returns when each of them knows all.
func StartNATSCluster(tb testing.TB, size int) *NATSCluster {
	tb.Helper()
	dir := tb.TempDir()
	program := filepath.Join(dir, "nats-server")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		tb.Fatalf("testenv: build a NATS server: %v\n%s", err, out)
	}
	// Another process may take a port that was free a moment ago: then all are other ones.
	for attempt := 1; ; attempt++ {
		c, err := startNATSCluster(dir, program, size)
		tb.Cleanup(c.kill)
		if err == nil {
			return c
		}
		if c.kill(); attempt == 3 {
			tb.Fatalf("testenv: a cluster of NATS servers: %v", err)
		}
	}
}

// startNATSCluster returns also what it has started before an error.
func startNATSCluster(dir, program string, size int) (*NATSCluster, error) {
	c := &NATSCluster{dir: dir, program: program, servers: make([]*Process, size)}
	ports, routes := make([]int, 2*size), make([]string, size)
	for i := range ports {
		var err error
		if ports[i], err = FreePort(); err != nil {
			return c, err
		}
	}
	for i := range routes {
		routes[i] = fmt.Sprintf("nats://127.0.0.1:%d", ports[size+i])
	}
	for i := range size {
		config := fmt.Sprintf(clusterConfig, ports[i], ports[size+i], strings.Join(routes, ", "))
		if err := os.WriteFile(c.path(i)+".conf", []byte(config), 0o600); err != nil {
			return c, err
		}
		if err := c.start(i); err != nil {
			return c, err
		}
		c.urls = append(c.urls, fmt.Sprintf("nats://127.0.0.1:%d", ports[i]))
	}
	return c, Poll(context.Background(), startLimit, c.Whole)
}

// path is that of a server's files, without their ends.
func (c *NATSCluster) path(i int) string { return filepath.Join(c.dir, fmt.Sprintf("nats-%d", i)) }

func (c *NATSCluster) start(i int) (err error) {
	c.servers[i], err = StartProcess(c.path(i)+".log", exec.Command(c.program, "--config", c.path(i)+".conf"))
	return err
}

// Whole returns an error while a server does not tell its clients of all others, which it
// does when it has routes to them.
func (c *NATSCluster) Whole() error {
	for i, server := range c.servers {
		select {
		case <-server.Ended():
			return fmt.Errorf("server %d of the cluster has ended", i)
		default:
		}
		conn, err := nats.Connect(c.urls[i], nats.Timeout(2*time.Second))
		if err != nil {
			return err
		}
		known := conn.Servers()
		conn.Close()
		if len(known) < len(c.servers) {
			return fmt.Errorf("server %d of the cluster knows only %v", i, known)
		}
	}
	return nil
}

// URL is that of one server. Who connects to it learns of the others by itself.
func (c *NATSCluster) URL(i int) string { return c.urls[i] }

// Signal sends sig to one server: SIGSTOP freezes it, SIGCONT thaws it.
func (c *NATSCluster) Signal(i int, sig os.Signal) error { return c.servers[i].Signal(sig) }

// Kill ends one server with SIGKILL.
func (c *NATSCluster) Kill(i int) error { return c.servers[i].End(os.Kill) }

// Restart starts a server that was killed.
func (c *NATSCluster) Restart(i int) error { return c.start(i) }

// kill ends all servers. It may come twice.
func (c *NATSCluster) kill() {
	for _, p := range c.servers {
		if p == nil { // it has not started
			continue
		}
		_ = p.End(os.Kill) // a process that cannot be killed would fail its own test
	}
}
