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
		if !strings.Contains(p.log.tail(), `"nats_prefix":"acme.test"`) {
			t.Errorf("a process does not say its prefix:\n%s", p.log.tail())
		}
		_, rest, _ := strings.Cut(p.log.tail(), `"database":"`)
		said, _, _ := strings.Cut(rest, `"`)
		if said == "" || id != "" && said != id {
			t.Errorf("a process says that its database is %q, the other said %q", said, id)
		}
		id = said
		status, body := newClient(t, p.addr).send(http.MethodGet, "/readyz", "", "")
		if status != http.StatusOK || strings.Contains(string(body), id) || strings.Contains(string(body), "acme") {
			t.Errorf("readiness answers %d %s", status, body)
		}
	}
	client := newClient(t, api.addr)
	e := client.createEvent(t, "9")
	client.want(t, http.StatusCreated, http.MethodPost, seats(e), wish(store.NewID()), nil)
}

// TestAnUpgradeFromTheVersionBefore: its APIs ask on a subject that names no database. A worker
// serves them only when EVENTIO_NATS_SHARED_SUBJECT says so.
func TestAnUpgradeFromTheVersionBefore(t *testing.T) {
	c := newCluster(t)
	server := testenv.StartNATS(t)
	c.env = append(c.env, "NATS_URL="+server.URL())
	api := c.start(t, "api")
	client := newClient(t, api.addr)
	e := client.createEvent(t, "9")
	conn, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	register := func() (messages.Outcome, error) { // as an API of the version before does
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
	client.want(t, http.StatusCreated, http.MethodPost, seats(e), wish(store.NewID()), nil)
	if outcome, err := register(); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("a worker that was not told to answers %s, %v", outcome, err)
	}
	if err := worker.terminate(); err != nil {
		t.Fatal(err)
	}
	worker = c.start(t, "worker", "--nats-shared-subject")
	testenv.Eventually(t, limit, "serve the old subject", func() error {
		outcome, err := register()
		if err == nil && outcome != messages.OutcomeRegistered {
			t.Fatalf("the outcome is %s", outcome)
		}
		return err
	})
	client.want(t, http.StatusCreated, http.MethodPost, seats(e), wish(store.NewID()), nil)
	if !strings.Contains(worker.log.tail(), "do not say which database") {
		t.Errorf("the worker does not warn:\n%s", worker.log.tail())
	}
	if err := worker.terminate(); err != nil {
		t.Error(err)
	}
}
