package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
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
				if err := probed(p, "/livez", http.StatusOK); err != nil {
					return err
				}
				return probed(p, "/readyz", status)
			})
		}
	}
	becomes(http.StatusServiceUnavailable)
	for name, p := range both {
		testenv.Eventually(t, limit, name+" says why", func() error {
			if log := p.log.tail(); !strings.Contains(log, "trying on") || strings.Contains(log, "taking seat requests") {
				return errors.New(log)
			}
			return nil
		})
	}
	if err := nats.Reload(only(password)); err != nil {
		t.Fatal(err)
	}
	becomes(http.StatusOK)
	if log := worker.log.tail(); !strings.Contains(log, "taking seat requests") {
		t.Errorf("the worker does not say that it takes requests:\n%s", log)
	}
	people := newClient(t, api.addr)
	var e event
	people.want(t, http.StatusCreated, http.MethodPost, "/api/events", `{"organizer_id":"`+store.NewID().Hex()+
		`","title":"Refused","capacity":100,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`, &e)
	register := func() int {
		status, _ := people.send(http.MethodPost, seats(e), `{"user_id":"`+store.NewID().Hex()+`"}`, "")
		return status
	}

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
	testenv.Eventually(t, limit, "serve again", func() error {
		if status := register(); status != http.StatusCreated {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})

	if err := nats.Reload(func(o *server.Options) { only(password)(o); o.MaxPayload = 50 }); err != nil {
		t.Fatal(err)
	}
	for name, p := range both {
		_ = probed(p, "/readyz", 0) // a probe is above the limit
		testenv.Eventually(t, limit, name+" ends", func() error {
			select {
			case <-p.exited:
				return nil
			default:
				return errors.New(p.log.tail())
			}
		})
		if code, log := p.cmd.ProcessState.ExitCode(), p.log.tail(); code != 1 || !strings.Contains(log, "Maximum Payload") {
			t.Errorf("%s: exit %d:\n%s", name, code, log)
		}
		if strings.Contains(p.log.tail(), password) {
			t.Errorf("%s: the password is in the log", name)
		}
	}
}

// only lets in who has the password.
func only(password string) func(*server.Options) {
	return func(o *server.Options) { o.Users = []*server.User{{Username: "eventio", Password: password}} }
}

// probed asks a probe of a process and wants a status.
func probed(p *process, path string, want int) error {
	res, err := http.Get("http://" + p.addr + path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		return fmt.Errorf("%s is %d", path, res.StatusCode)
	}
	return nil
}
