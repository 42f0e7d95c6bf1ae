package telemetry_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/telemetry"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// open serves a new registry at an address, until the end of the test.
func open(t *testing.T, at telemetry.AdminAddr) (*telemetry.Admin, *system.Log, error) {
	t.Helper()
	log := new(system.Log)
	a, err := telemetry.Open(at, telemetry.NewRegistry("test"), zerolog.New(log))
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a, log, err
}

// get asks for a path in the name of a host.
func get(t *testing.T, addr, host, path string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if h := res.Header; h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s answers %d with the headers %v", path, res.StatusCode, h)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestAdminServes(t *testing.T) {
	a, _, err := open(t, telemetry.AdminAddr{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/":                               "/metrics",
		"/metrics":                        `eventio_build_info{commit=`,
		"/debug/pprof/":                   "goroutine",
		"/debug/pprof/goroutine?debug=1":  "goroutine profile",
		"/debug/pprof/profile?seconds=1":  "",
		"/debug/pprof/trace?seconds=0.01": "",
	} {
		if status, body := get(t, a.Addr(), a.Addr(), path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d %.200s", path, status, body)
		}
	}
	for _, path := range []string{"/debug/pprof/cmdline", "/metrics/", "/readyz", "/api/events"} {
		if status, _ := get(t, a.Addr(), a.Addr(), path); status != http.StatusNotFound {
			t.Errorf("%s answers %d", path, status)
		}
	}
	_, port, _ := net.SplitHostPort(a.Addr())
	for host, want := range map[string]int{
		"localhost:" + port: http.StatusOK, "LOCALHOST": http.StatusOK, "127.0.0.1": http.StatusOK, "[::1]:" + port: http.StatusOK, "[::1]": http.StatusOK,
		"evil.example": http.StatusMisdirectedRequest, "evil.example:" + port: http.StatusMisdirectedRequest,
		"127.0.0.1.evil.example": http.StatusMisdirectedRequest, "localhost.evil.example:" + port: http.StatusMisdirectedRequest,
	} {
		if status, _ := get(t, a.Addr(), host, "/metrics"); status != want {
			t.Errorf("who asks for %s gets %d, want %d", host, status, want)
		}
	}
}

func TestAdminAddresses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := taken.Addr().String()
	for _, off := range []string{"", telemetry.Off} {
		if a, _, err := open(t, telemetry.AdminAddr{Addr: off, Default: at}); a != nil || err != nil {
			t.Errorf("%q: %v %v", off, a, err)
		}
	}
	a, log, err := open(t, telemetry.AdminAddr{Addr: at, Default: at})
	if a != nil || err != nil || !strings.Contains(log.String(), `"level":"warn","admin_addr":"`+at) || !strings.Contains(log.String(), "--admin-addr") {
		t.Errorf("the default is taken: %v %v\n%s", a, err, log)
	}
	_, _, err = open(t, telemetry.AdminAddr{Addr: at, Default: "127.0.0.1:9090"})
	testenv.WantSentence(t, err, at, "in use", "--admin-addr")
	for _, wrong := range []string{"nowhere", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "ada:hunter2@127.0.0.1:1"} {
		_, _, err := open(t, telemetry.AdminAddr{Addr: wrong})
		testenv.WantSentence(t, err, "--admin-addr")
		if !errors.Is(err, process.ErrUsage) || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

func TestRegistry(t *testing.T) {
	r := telemetry.NewRegistry("test")
	if problems, err := testutil.GatherAndLint(r); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(r, "eventio_build_info", "go_goroutines", "process_start_time_seconds"); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
}
