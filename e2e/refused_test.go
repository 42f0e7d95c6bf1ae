package e2e

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/eventio/eventio/internal/testenv"
)

// TestRefusedByNATS: a password that NATS refuses, from the start and again later, is waited
// out, and the probes and the log tell it. A connection that NATS closes for good ends the
// process with exit 1, so that it is started again.
func TestRefusedByNATS(t *testing.T) {
	const password = "hunter2"
	nats := testenv.StartNATSWith(t, only("another"))
	c := newCluster(t)
	c.env = append(c.env, "NATS_URL="+strings.Replace(nats.URL(), "//", "//eventio:"+password+"@", 1))
	worker, api := c.start(t, "worker"), c.start(t, "api")
	both := map[string]*process{"worker": worker, "api": api}
	becomes := func(status int) {
		t.Helper()
		for name, p := range both {
			testenv.Eventually(t, limit, fmt.Sprintf("%s becomes %d", name, status), func() error {
				if _, err := probed(p, "/livez", http.StatusOK); err != nil {
					return err
				}
				_, err := probed(p, "/readyz", status)
				return err
			})
		}
	}
	becomes(http.StatusServiceUnavailable)
	for name, p := range both {
		testenv.Eventually(t, limit, name+" says why", func() error {
			if !p.Says("trying on") || p.Says("taking seat requests") {
				return errors.New(p.Tail())
			}
			return nil
		})
	}
	if err := nats.Reload(only(password)); err != nil {
		t.Fatal(err)
	}
	becomes(http.StatusOK)
	if log := worker.Tail(); !strings.Contains(log, "taking seat requests") {
		t.Errorf("the worker does not say that it takes requests:\n%s", log)
	}
	people := newClient(t, api.addr)
	e := createEvent(t, people, 100)

	refused, err := nats.Connections()
	if err == nil {
		err = nats.Reload(only("another"))
	}
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, limit, "many refused attempts", func() error {
		n, err := nats.Connections()
		if err == nil && n < refused+12 {
			err = fmt.Errorf("%d", n-refused)
		}
		return err
	})
	becomes(http.StatusServiceUnavailable)
	if err := nats.Reload(only(password)); err != nil {
		t.Fatal(err)
	}
	becomes(http.StatusOK)
	testenv.Eventually(t, limit, "serve again", func() error { return register(t, people, e) })

	if err := nats.Reload(func(o *server.Options) { only(password)(o); o.MaxPayload = 50 }); err != nil {
		t.Fatal(err)
	}
	for name, p := range both {
		_, _ = probed(p, "/readyz", 0) // a probe is above the limit
		testenv.Eventually(t, limit, name+" ends", func() error {
			select {
			case <-p.Ended():
				return nil
			default:
				return errors.New(p.Tail())
			}
		})
		if code, log := p.ExitCode(), p.Tail(); code != 1 || !strings.Contains(log, "Maximum Payload") {
			t.Errorf("%s: exit %d:\n%s", name, code, log)
		}
		if p.Says(password) {
			t.Errorf("%s: the password is in the log", name)
		}
	}
}

// only lets in who has the password.
func only(password string) func(*server.Options) {
	return func(o *server.Options) { o.Users = []*server.User{{Username: "eventio", Password: password}} }
}

// probed asks a probe of a process, wants a status, and returns the body.
func probed(p *process, path string, want int) (body string, err error) {
	res, err := http.Get("http://" + p.addr + path)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != want {
		err = fmt.Errorf("%s is %d", path, res.StatusCode)
	}
	return string(data), err
}
