package e2e

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestProcessesSayWhoseTheyAre: api and worker log database and prefix when they start, meet
// under the prefix they are given, and readiness tells nothing of it to strangers.
func TestProcessesSayWhoseTheyAre(t *testing.T) {
	c := newCluster(t)
	c.env = append(c.env, "EVENTIO_NATS_PREFIX=acme.test")
	api, worker := c.start(t, "api"), c.start(t, "worker")
	id := ""
	for _, p := range []*process{worker, api} {
		if !strings.Contains(p.Tail(), `"nats_prefix":"acme.test"`) {
			t.Errorf("a process does not say its prefix:\n%s", p.Tail())
		}
		_, rest, _ := strings.Cut(p.Tail(), `"database":"`)
		said, _, _ := strings.Cut(rest, `"`)
		if said == "" || id != "" && said != id {
			t.Errorf("a process says that its database is %q, the other said %q", said, id)
		}
		id = said
		body, err := probed(p, "/readyz", http.StatusOK)
		if err != nil || strings.Contains(body, id) || strings.Contains(body, "acme") {
			t.Errorf("readiness answers %s, %v", body, err)
		}
	}
	people := newClient(t, api.addr)
	succeeds(t, register(t, people, createEvent(t, people, 9)))
}

// TestAnUpgradeFromTheVersionBefore: its APIs ask on a subject that names no database. A worker
// serves them only when EVENTIO_NATS_SHARED_SUBJECT says so.
func TestAnUpgradeFromTheVersionBefore(t *testing.T) {
	c := newCluster(t)
	server := testenv.StartNATS(t)
	c.env = append(c.env, "NATS_URL="+server.URL())
	api := c.start(t, "api")
	people := newClient(t, api.addr)
	e := createEvent(t, people, 9)
	conn, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	registerOld := func() (messages.Outcome, error) { // as an API of the version before does
		data, err := messages.Encode(messages.SeatRequest{
			Kind: messages.KindRegister, RequestID: store.NewID().Hex(), EventID: e.ID, UserID: store.NewID(), RemainingMillis: 5000,
		})
		if err != nil {
			t.Fatal(err)
		}
		msg, err := conn.Request("eventio.v2.seats", data, 10*time.Second)
		if err != nil {
			return "", err
		}
		replies, err := messages.DecodeReplies(msg.Data)
		if err != nil {
			return "", err
		}
		return replies[0].Outcome, nil
	}
	worker := c.start(t, "worker")
	succeeds(t, register(t, people, e))
	if outcome, err := registerOld(); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a worker that was not told to answers %s, %v", outcome, err)
	}
	if err := worker.terminate(); err != nil {
		t.Fatal(err)
	}
	worker = c.start(t, "worker", "--nats-shared-subject")
	testenv.Eventually(t, limit, "serve the old subject", func() error {
		outcome, err := registerOld()
		if err == nil && outcome != store.Registered {
			t.Fatalf("the outcome is %s", outcome)
		}
		return err
	})
	succeeds(t, register(t, people, e))
	if !strings.Contains(worker.Tail(), "do not say which database") {
		t.Errorf("the worker does not warn:\n%s", worker.Tail())
	}
	if err := worker.terminate(); err != nil {
		t.Error(err)
	}
}
