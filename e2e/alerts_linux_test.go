//go:build alerts

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
)

// prometheus is a real Prometheus with the rules of deploy/prometheus, in which time goes faster.
type prometheus struct{ url string }

// faster changes the times of the rules, so that a fault of seconds is what one of minutes is: nothing
// else of them.
func faster(t *testing.T) string {
	t.Helper()
	rules, err := os.ReadFile("../deploy/prometheus/rules.yml")
	succeeds(t, err)
	text := regexp.MustCompile(`\[\d+[mh]\]`).ReplaceAllString(string(rules), "[10s]")
	text = regexp.MustCompile(`for: \d+[sm]`).ReplaceAllString(text, "for: 1s")
	// Its threshold is in the expression; what is normal is up to 6 s.
	lag := "(eventio_relay_lag_seconds) > 60"
	if !strings.Contains(text, lag) {
		t.Fatalf("the rules have no %q", lag)
	}
	return strings.Replace(text, lag, "(eventio_relay_lag_seconds) > 10", 1)
}

// observe starts a Prometheus that reads the metrics of processes.
func observe(t *testing.T, targets ...string) *prometheus {
	t.Helper()
	found, err := testenv.Script(t.Context(), "prometheus.sh", "prometheus")
	if err != nil {
		t.Fatalf("no Prometheus: %v", err)
	}
	port, err := testenv.FreePort()
	succeeds(t, err)
	dir, addr := t.TempDir(), fmt.Sprintf("127.0.0.1:%d", port)
	config := "global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}\nrule_files: [rules.yml]\n" +
		"scrape_configs:\n  - job_name: eventio\n    static_configs:\n      - targets: ['" + strings.Join(targets, "', '") + "']\n"
	succeeds(t, errors.Join(
		os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600),
		os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(faster(t)), 0o600)))
	cmd := exec.Command(found, "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--log.level=warn")
	testenv.RunProgram(t, cmd)
	p := &prometheus{"http://" + addr}
	testenv.Eventually(t, limit, "read the metrics", func() error {
		var up struct {
			Data struct{ Result []json.RawMessage }
		}
		if err := p.ask("/api/v1/query?query=up==1", &up); err != nil {
			return err
		}
		if n := len(up.Data.Result); n != len(targets) {
			return fmt.Errorf("%d of %d are read", n, len(targets))
		}
		return nil
	})
	return p
}

func (p *prometheus) ask(path string, into any) error {
	res, err := http.Get(p.url + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
}

// firing returns the alerts that are raised now.
func (p *prometheus) firing() (names []string, err error) {
	var got struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	err = p.ask("/api/v1/alerts", &got)
	for _, a := range got.Data.Alerts {
		if name := a.Labels["alertname"]; a.State == "firing" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}

// await waits until all of some alerts have been raised, not necessarily at the same time.
func (p *prometheus) await(t *testing.T, raised map[string]bool, alerts ...string) {
	t.Helper()
	begun := time.Now()
	testenv.Eventually(t, 2*limit, "raise "+strings.Join(alerts, ", "), func() error {
		now, err := p.firing()
		if err != nil {
			return err
		}
		for _, name := range now {
			raised[name] = true
		}
		for _, name := range alerts {
			if !raised[name] {
				return fmt.Errorf("%s is not raised; now there are %v", name, now)
			}
		}
		return nil
	})
	t.Logf("after %v: %v", time.Since(begun).Round(time.Millisecond), alerts)
}

// calm waits until nothing is raised.
func (p *prometheus) calm(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, 2*limit, "raise no alert", func() error {
		now, err := p.firing()
		if err == nil && len(now) > 0 {
			err = fmt.Errorf("there are %v", now)
		}
		return err
	})
}

// TestAlertsAreTrue makes each alert of deploy/prometheus true once on real processes, and wants none while
// all is well, before and between.
func TestAlertsAreTrue(t *testing.T) {
	mongod, nats := testenv.StartMongo(t), testenv.StartNATS(t)
	c := &cluster{env: append(os.Environ(), "NATS_URL="+nats.URL(), "MONGODB_URI="+mongod.URI(), "EVENTIO_ADDR=127.0.0.1:0",
		"EVENTIO_AUTH=trusted", "EVENTIO_MAX_WAITING=100", "EVENTIO_SMTP_URL=smtp://127.0.0.1:1", "EVENTIO_MAIL_FROM=eventio@example.org",
		"EVENTIO_PUBLIC_URL=https://example.org", "EVENTIO_RELAY_LEASE=2s")}
	port, err := testenv.FreePort() // the worker that is started anew has the address of the first one
	succeeds(t, err)
	workerAdmin := fmt.Sprintf("127.0.0.1:%d", port)
	startWorker := func() *process { return c.with("EVENTIO_ADMIN_ADDR="+workerAdmin).start(t, "worker") }
	worker := startWorker()
	api, notifier := c.operate(t, "api"), c.operate(t, "notifier")
	ready(t, api.addr)
	p := observe(t, api.admin, workerAdmin, notifier.admin)

	people := newClient(t, api.addr)
	e := createEvent(t, people, 1_000_000)
	for range 20 {
		succeeds(t, register(t, people, e))
	}
	raised := make(map[string]bool)
	testenv.Eventually(t, limit, "find everything", func() error {
		if value(metrics(t, api.admin), "eventio_dependency_up") != 3 {
			return errors.New("something is away")
		}
		return nil
	})
	p.calm(t)

	t.Log("somebody is to get a mail, and there is no SMTP server")
	user, err := people.SignUp(t.Context(), client.NewUser{Name: "Ada", Email: "ada@example.org", Password: "correct horse battery"})
	succeeds(t, err)
	_, err = people.Register(t.Context(), e.ID, user.ID)
	succeeds(t, err)
	p.await(t, raised, "EventioMailServerAway")

	t.Log("the worker is killed")
	succeeds(t, worker.Signal(syscall.SIGKILL))
	p.await(t, raised, "EventioNoWorker", "EventioPartGone")
	startWorker()

	t.Log("the database stands still while a crowd comes")
	testenv.Eventually(t, limit, "have a worker again", func() error { return register(t, people, e) })
	succeeds(t, mongod.Signal(syscall.SIGSTOP))
	var crowd sync.WaitGroup
	coming, enough := context.WithCancel(t.Context())
	defer enough()
	for range 400 {
		crowd.Go(func() {
			for coming.Err() == nil { // again and again: Prometheus sees no rise in a counter that was not there before
				_ = register(t, people, e) // nobody can be told anything definite
			}
		})
	}
	p.await(t, raised, "EventioQueueOld", "EventioQueueFull", "EventioDoubts", "EventioGoodputBurnsFast", "EventioGoodputBurnsSlowly",
		"EventioStoreAway", "EventioRevocationsUnreadable", "EventioDeliveryLag")
	enough()
	crowd.Wait()
	succeeds(t, mongod.Signal(syscall.SIGCONT))
	testenv.Eventually(t, limit, "register again", func() error { return register(t, people, e) })

	t.Log("NATS is away")
	nats.Stop()
	p.await(t, raised, "EventioQueueAway")
	succeeds(t, nats.Restart())

	t.Log("there is no room for the database")
	// An installation of its own, seen by a Prometheus of its own: its worker would hide that the others have none.
	data := t.TempDir()
	embedded := exec.Command(filepath.Join(programs, "eventio"), "--addr", "127.0.0.1:0", "--data", data)
	embedded.Env = append(os.Environ(), "EVENTIO_ADMIN_ADDR=127.0.0.1:0")
	alone := testenv.RunProgram(t, embedded)
	url, err := alone.Find(t.Context(), "listening on ")
	succeeds(t, err)
	q := observe(t, adminOf(t, alone))
	log, err := os.Stat(filepath.Join(data, setup.DatabaseFile+"-wal"))
	succeeds(t, err)
	own := newClient(t, strings.TrimPrefix(url, "http://"))
	full := createEvent(t, own, 1_000_000)
	before := unix.Rlimit{Cur: uint64(log.Size()), Max: unix.RLIM_INFINITY}
	succeeds(t, unix.Prlimit(alone.Pid, unix.RLIMIT_FSIZE, &before, nil))
	testenv.Eventually(t, limit, "have no room", func() error {
		if err := register(t, own, full); !errors.Is(err, client.CodeStorageFull) {
			return errors.Join(errors.New("there is room"), err)
		}
		return nil
	})
	q.await(t, raised, "EventioStorageFull")
	succeeds(t, unix.Prlimit(alone.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}, nil))

	// The mail still waits for a server; all else is well again.
	testenv.Eventually(t, 2*limit, "be well again", func() error {
		now, err := p.firing()
		if now = slices.DeleteFunc(now, func(a string) bool { return a == "EventioMailServerAway" }); err == nil && len(now) > 0 {
			err = fmt.Errorf("there are %v", now)
		}
		return err
	})
	rules, err := os.ReadFile("../deploy/prometheus/rules.yml")
	succeeds(t, err)
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(string(rules), -1) {
		if !raised[alert[1]] {
			t.Errorf("%s was never raised", alert[1])
		}
	}
}
