package e2e

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
)

// oneMachine is the cluster that scripts/cluster.sh starts.
type oneMachine struct {
	*testenv.Program
	dir string
	env []string
	url string
}

// startOneMachine starts it, and wants it to be told to stop, or to have ended, before the test does.
func startOneMachine(t *testing.T) *oneMachine {
	t.Helper()
	port, err := freeBlock()
	succeeds(t, err)
	m := &oneMachine{dir: filepath.Join(t.TempDir(), "cluster"), url: "https://localhost:" + strconv.Itoa(port)}
	m.env = append(os.Environ(), "CLUSTER_DIR="+m.dir, "CLUSTER_PORT="+strconv.Itoa(port))
	m.Program = testenv.RunProgram(t, m.script())
	t.Cleanup(func() { // what the script would end
		_ = m.Signal(syscall.SIGTERM)
		<-m.Ended()
	})
	testenv.Eventually(t, 5*time.Minute, "serve", func() error {
		select {
		case <-m.Ended():
			t.Fatalf("the script has ended: %s", m.Tail())
		default:
		}
		if !m.Says("serving " + m.url) {
			return fmt.Errorf("it does not say so: %s", m.Tail())
		}
		return nil
	})
	return m
}

// freeBlock returns a port that was free a moment ago, with the 59 above it. They are below those that the system gives to
// connections, of which the cluster has many.
func freeBlock() (int, error) {
	var last error
	for range 20 {
		first := 20000 + 60*rand.N(200)
		last = nil
		for port := first; port < first+60 && last == nil; port++ {
			var l net.Listener
			if l, last = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); last == nil {
				last = l.Close()
			}
		}
		if last == nil {
			return first, nil
		}
	}
	return 0, fmt.Errorf("no 60 free ports: %w", last)
}

func (m *oneMachine) script(args ...string) *exec.Cmd {
	cmd := exec.Command("../scripts/cluster.sh", args...)
	cmd.Env = m.env
	return cmd
}

// operator runs eventio as an operator of the cluster would, with the settings that the script prints.
func (m *oneMachine) operator(t *testing.T, args string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", `eval "$(../scripts/cluster.sh env)" && eventio `+args)
	cmd.Env = m.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("eventio %s: %v", args, err)
	}
	return string(out)
}

// client returns one that believes the authority of the cluster.
func (m *oneMachine) client(t *testing.T) *client.Client {
	t.Helper()
	authority, err := os.ReadFile(filepath.Join(m.dir, "secrets", "gateway", "ca.crt"))
	succeeds(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{MaxIdleConnsPerHost: 64, TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(m.url, client.Config{HTTP: &http.Client{Transport: transport}, Retry: client.Retry{Attempts: 30, Wait: 50 * time.Millisecond}})
	succeeds(t, err)
	return c
}

// pid returns that of a part.
func (m *oneMachine) pid(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, "run", name+".pid"))
	succeeds(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	succeeds(t, err)
	return pid
}

// TestClusterOnOneMachine: scripts/cluster.sh starts all of a production cluster, with TLS and logins. A burst comes through
// its nginx, while one NATS server and the primary of MongoDB are killed: everybody gets an answer, nothing is sold twice, and
// when it is told to stop nothing of it is left.
func TestClusterOnOneMachine(t *testing.T) {
	const places, people = 300, 400
	m := startOneMachine(t)
	var tokens []string
	for scanner := bufio.NewScanner(strings.NewReader(m.operator(t, "token --count "+strconv.Itoa(people+1)))); scanner.Scan(); {
		var one struct{ Token string }
		succeeds(t, json.Unmarshal(scanner.Bytes(), &one))
		tokens = append(tokens, one.Token)
	}
	anybody := m.client(t)
	organizer := anybody.As(tokens[people])
	wish := newEvent(places)
	wish.OrganizerID = client.ID{}
	e, err := organizer.CreateEvent(t.Context(), wish)
	succeeds(t, err)

	parts := []string{"nats-1", "nats-2", "nats-3", "mongod-1", "mongod-2", "mongod-3", "worker-1", "worker-2", "worker-3", "api-1", "api-2", "notifier", "nginx"}
	pids := make(map[string]int)
	for _, name := range parts {
		pids[name] = m.pid(t, name)
	}
	var answered, seats, refused atomic.Int64
	var crowd sync.WaitGroup
	queue := make(chan int)
	half := make(chan struct{})
	for range 40 {
		crowd.Go(func() {
			for i := range queue {
				_, err := anybody.As(tokens[i]).Register(t.Context(), e.ID, client.ID{})
				switch {
				case err == nil:
					seats.Add(1)
				case errors.Is(err, client.CodeSoldOut):
					refused.Add(1)
				default:
					t.Errorf("person %d: %v", i, err)
				}
				if answered.Add(1) == places/3 {
					close(half)
				}
			}
		})
	}
	go func() {
		for i := range people {
			queue <- i
		}
		close(queue)
	}()
	<-half
	for _, name := range []string{"nats-2", "mongod-1"} {
		succeeds(t, syscall.Kill(pids[name], syscall.SIGKILL))
	}
	crowd.Wait()
	if seats.Load() != places || refused.Load() != people-places {
		t.Errorf("%d have a seat, %d are refused; there are %d seats for %d", seats.Load(), refused.Load(), places, people)
	}
	if said := m.operator(t, "verify"); !strings.Contains(said, "clean") || !strings.Contains(said, strconv.Itoa(places)+" registrations") {
		t.Errorf("eventio verify says %s", said)
	}
	for _, name := range []string{"nats-2", "mongod-1"} {
		testenv.Eventually(t, limit, "tell that "+name+" has ended", func() error {
			if !m.Says(name + " has ended") {
				return fmt.Errorf("%s", m.Tail())
			}
			return nil
		})
	}
	out, err := m.script().CombinedOutput() // a second one
	if err == nil || !bytes.Contains(out, []byte("it runs already")) {
		t.Errorf("a second cluster in the folder: %v\n%s", err, out)
	}
	plain := strings.Replace(m.url, "https", "http", 1)
	if res, err := http.Get(plain); err == nil {
		res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("nginx answers %d without TLS", res.StatusCode)
		}
	}

	succeeds(t, m.Signal(syscall.SIGINT))
	select {
	case <-m.Ended():
	case <-time.After(2 * time.Minute):
		t.Fatalf("the script does not stop: %s", m.Tail())
	}
	if !m.Says("stopped") || m.Says("does not end") {
		t.Errorf("the end is not clean: %s", m.Tail())
	}
	for name, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("%s still runs", name)
		}
	}
}
