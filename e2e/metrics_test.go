package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/eventio/eventio/internal/testenv"
)

// operated is a process whose metrics are read.
type operated struct {
	*process
	admin string // where its operators' listener is
}

// adminAddr finds the listener in a log.
var adminAddr = regexp.MustCompile(`"admin_addr":"([^"]+)"`)

// operate starts a program with its operators' listener at a free port.
func (c *cluster) operate(t *testing.T, program string, args ...string) operated {
	t.Helper()
	p := c.with("EVENTIO_ADMIN_ADDR=127.0.0.1:0").start(t, program, args...)
	return operated{p, adminOf(t, p.Program)}
}

// adminOf returns where the operators' listener of a program is.
func adminOf(t *testing.T, p *testenv.Program) (addr string) {
	t.Helper()
	testenv.Eventually(t, limit, "serve metrics", func() error {
		found := adminAddr.FindSubmatch(p.Output())
		if found == nil {
			return fmt.Errorf("no admin_addr; %s", p.Tail())
		}
		addr = string(found[1])
		return nil
	})
	return addr
}

// metrics reads all metrics of a process.
func metrics(t *testing.T, admin string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(exposed(t, admin)))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// exposed reads /metrics.
func exposed(t *testing.T, admin string) []byte {
	t.Helper()
	res, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s, %v", res.Status, err)
	}
	return data
}

// value returns the sum of the values of a metric whose labels have the given values: name, value, ... It
// is 0 when there is none.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) (sum float64) {
	for _, m := range families[name].GetMetric() {
		matches := true
		for i := 0; i < len(labels); i += 2 {
			matches = matches && slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool {
				return l.GetName() == labels[i] && l.GetValue() == labels[i+1]
			})
		}
		if matches {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// series returns the names and labels of all time series of our own.
func series(families map[string]*dto.MetricFamily) (all []string) {
	for name, f := range families {
		if !strings.HasPrefix(name, "eventio_") {
			continue
		}
		for _, m := range f.GetMetric() {
			text := name
			for _, l := range m.GetLabel() {
				text += " " + l.GetName() + "=" + l.GetValue()
			}
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

// documentedRow matches a row of the tables of metrics in docs/operations.md: the name, its labels.
var documentedRow = regexp.MustCompile("(?m)^\\| `(eventio_[a-z_]+)`(?: by ([^|]*))? \\|")

// documented returns the labels of each metric that docs/operations.md names.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, row := range documentedRow.FindAllStringSubmatch(string(text), -1) {
		all[row[1]] = nil
		for _, label := range regexp.MustCompile("`([a-z]+)`").FindAllStringSubmatch(row[2], -1) {
			all[row[1]] = append(all[row[1]], label[1])
		}
	}
	return all
}

// TestMetrics runs every program, has people and hostile clients use them, and reads their metrics: they
// count what has happened, keep to the conventions of Prometheus, are documented, have no label that a
// client chooses, and are on no public port.
func TestMetrics(t *testing.T) {
	c := newCluster(t).with("EVENTIO_SMTP_URL=smtp://127.0.0.1:1", "EVENTIO_MAIL_FROM=eventio@example.org", "EVENTIO_PUBLIC_URL=https://example.org")
	worker, notifier, api := c.operate(t, "worker"), c.operate(t, "notifier"), c.operate(t, "api")
	embedded := serve(t, "EVENTIO_ADMIN_ADDR=127.0.0.1:0")
	admins := map[string]string{"api": api.admin, "worker": worker.admin, "notifier": notifier.admin, "eventio": adminOf(t, embedded.Program)}

	people := newClient(t, api.addr)
	ready(t, api.addr)
	const seats = 3
	e := createEvent(t, people, seats)
	for range seats + 2 {
		_ = register(t, people, e) // the last two are refused
	}
	hostile(t, api.addr, 1)
	hostile(t, strings.TrimPrefix(embedded.url, "http://"), 1)
	before := make(map[string][]string)
	for program, admin := range admins {
		before[program] = series(metrics(t, admin))
	}

	m := metrics(t, api.admin)
	if n := value(m, "eventio_http_requests_total", "route", "/api/events/{id}/registrations", "method", "POST", "code", "201", "outcome", "ok"); n != seats {
		t.Errorf("%v registrations are counted", n)
	}
	if n := value(m, "eventio_http_requests_total", "code", "409", "outcome", "sold_out"); n != 2 {
		t.Errorf("%v refusals are counted", n)
	}
	if value(m, "eventio_http_request_duration_seconds", "code", "201") < seats || value(m, "eventio_requester_workers", "state", "answering") != 1 {
		t.Errorf("durations or workers are not counted")
	}
	testenv.Eventually(t, limit, "find what it depends on", func() error {
		for _, part := range []string{"store", "queue", "workers"} {
			if value(metrics(t, api.admin), "eventio_dependency_up", "dependency", part) != 1 {
				return fmt.Errorf("%s is away", part)
			}
		}
		return nil
	})
	m = metrics(t, worker.admin)
	if n := value(m, "eventio_worker_requests_total", "kind", "register", "outcome", "registered"); n != seats {
		t.Errorf("the worker has counted %v registrations", n)
	}
	for _, phase := range []string{"load", "decide", "save", "commit"} {
		if value(m, "eventio_store_batch_phase_seconds", "phase", phase) == 0 {
			t.Errorf("the phase %s is not counted", phase)
		}
	}
	testenv.Eventually(t, limit, "tell of the changes", func() error {
		if n := value(metrics(t, notifier.admin), "eventio_relay_rows_total", "sink", "cloudevents"); n < seats {
			return fmt.Errorf("%v rows", n)
		}
		return nil
	})

	t.Run("hostile clients make no new series", func(t *testing.T) {
		hostile(t, api.addr, 2)
		hostile(t, strings.TrimPrefix(embedded.url, "http://"), 2)
		for program, admin := range admins {
			after := series(metrics(t, admin))
			for _, s := range after {
				// What happens by itself, at any time.
				if !slices.Contains(before[program], s) && strings.Contains(s, "method=") {
					t.Errorf("%s has got %s", program, s)
				}
			}
			if len(after) > 500 {
				t.Errorf("%s has %d series", program, len(after))
			}
		}
	})
	t.Run("conventions", func(t *testing.T) {
		for program, admin := range admins {
			problems, err := promlint.New(bytes.NewReader(exposed(t, admin))).Lint()
			if err != nil || len(problems) > 0 {
				t.Errorf("%s: %v %v", program, problems, err)
			}
		}
	})
	t.Run("documented", func(t *testing.T) {
		told, found := documented(t), make(map[string]bool)
		for program, admin := range admins {
			for name, f := range metrics(t, admin) {
				if !strings.HasPrefix(name, "eventio_") {
					continue
				}
				found[name] = true
				labels, ok := told[name]
				if !ok {
					t.Errorf("%s has %s, which docs/operations.md does not tell", program, name)
				}
				for _, m := range f.GetMetric() {
					for _, l := range m.GetLabel() {
						if !slices.Contains(labels, l.GetName()) {
							t.Errorf("docs/operations.md does not tell the label %s of %s", l.GetName(), name)
						}
					}
				}
			}
		}
		for name := range maps.Keys(told) {
			if !found[name] {
				t.Errorf("docs/operations.md tells of %s, which no program has", name)
			}
		}
	})
	t.Run("not on a public port", func(t *testing.T) {
		for _, addr := range []string{api.addr, worker.addr, notifier.addr, strings.TrimPrefix(embedded.url, "http://")} {
			for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars"} {
				if a := said(t, request(t, "GET", "http://"+addr+path, "")); a.status != http.StatusNotFound {
					t.Errorf("%s%s answers %d", addr, path, a.status)
				}
			}
		}
	})
}

// hostile sends requests of every form that clients can make up, each seed others.
func hostile(t *testing.T, addr string, seed uint64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	word := func() string { return fmt.Sprintf("%x", random.Uint64()) }
	for range 3 {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", strings.ToUpper(word())} {
			for _, path := range []string{
				"/" + word(), "/api/" + word(), "/api/events/" + word(), fmt.Sprintf("/api/events/%024x", random.Uint64()),
				"/api/events/" + word() + "/" + word(), "/api/users/" + word() + "/registrations", "/%2e%2e/" + word(), "/api/events?" + word() + "=1",
			} {
				if err := send(t.Context(), addr, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
					method, path, addr, word())); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// send sends a request as it is and reads the answer.
func send(ctx context.Context, addr, raw string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, raw); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}
