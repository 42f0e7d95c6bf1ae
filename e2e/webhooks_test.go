package e2e

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
)

// receiver takes the calls of a webhook, over TLS with a certificate of its own.
type receiver struct {
	*httptest.Server
	certificate string // the path of a file
	steady      bool   // no call fails

	mu      sync.Mutex // guards all below
	secret  string
	changes []client.Change // in the order in which they came
	calls   int
	wrong   []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := new(receiver)
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	r.certificate = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Certificate().Raw})
	if err := os.WriteFile(r.certificate, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// ServeHTTP fails every fourth call after it has taken it, unless it is steady. There is nothing at /gone any more.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path == "/gone" {
		w.WriteHeader(http.StatusGone)
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var message client.WebhookMessage
	wh, err := standardwebhooks.NewWebhook(r.secret)
	if err == nil {
		err = wh.Verify(body, req.Header)
	}
	if err == nil {
		err = json.Unmarshal(body, &message)
	}
	if err != nil {
		r.wrong = append(r.wrong, err.Error())
	}
	r.changes = append(r.changes, message.Data.Changes...)
	if r.calls++; r.calls%4 == 0 && !r.steady {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// has returns an error unless all of some changes of an event came, in their order.
func (r *receiver) has(want []client.Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrong) > 0 {
		return fmt.Errorf("calls are wrong: %v", r.wrong)
	}
	next := 0
	for _, c := range r.changes {
		at := slices.IndexFunc(want, func(w client.Change) bool { return w.ID == c.ID })
		if at > next {
			return fmt.Errorf("%s came before %s", c.ID, want[next].ID)
		}
		next = max(next, at+1)
	}
	if next < len(want) {
		return fmt.Errorf("%d of %d came in %d calls", next, len(want), r.calls)
	}
	return nil
}

// TestWebhooksSurviveTheirNotifiers: while people register, notifiers are killed and calls fail. Every
// change comes, those of an event in order.
func TestWebhooksSurviveTheirNotifiers(t *testing.T) {
	r := newReceiver(t)
	c := newCluster(t).with("SSL_CERT_FILE="+r.certificate, "EVENTIO_WEBHOOK_ALLOW=127.0.0.0/8", "EVENTIO_RELAY_LEASE=1s")
	api := c.start(t, "api")
	c.start(t, "worker")
	notifiers := []*process{c.start(t, "notifier"), c.start(t, "notifier")}
	for _, n := range notifiers {
		for _, path := range []string{"/livez", "/readyz"} {
			if body, err := probed(n, path, http.StatusOK); err != nil {
				t.Fatalf("%s, %v", body, err)
			}
		}
	}
	testenv.Eventually(t, limit, "read the record", func() error {
		if !notifiers[0].Says("telling of changes") && !notifiers[1].Says("telling of changes") {
			return fmt.Errorf("nobody does")
		}
		return nil
	})
	people := newClient(t, api.addr)
	e := createEvent(t, people, 10_000)
	r.mu.Lock()
	hook, err := people.CreateWebhook(t.Context(), client.NewWebhook{URL: r.URL + "/hook", OwnerID: e.OrganizerID})
	r.secret = hook.Secret
	r.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	const kills, perKill = 5, 8
	for n := range kills {
		before := r.count()
		for range perKill {
			succeeds(t, register(t, people, e))
		}
		testenv.Eventually(t, limit, "make a call", func() error {
			if r.count() == before {
				return fmt.Errorf("there was none after %d kills", n)
			}
			return nil
		})
		succeeds(t, register(t, people, e)) // which may be under way
		victim := n % len(notifiers)
		if err := notifiers[victim].Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		notifiers[victim] = c.start(t, "notifier")
	}
	begun := time.Now()
	page, err := people.EventChangesPage(t.Context(), e.ID, client.ChangesQuery{Limit: 1000})
	if err != nil || page.More || len(page.Items) != kills*(perKill+1) {
		t.Fatalf("%d changes, %v", len(page.Items), err)
	}
	want := page.Items
	testenv.Eventually(t, limit, "tell of every change", func() error { return r.has(want) })
	t.Logf("everything of %d changes came %v after the last one, in %d calls", len(want), time.Since(begun), r.calls)
	for _, n := range notifiers {
		if err := n.terminate(); err != nil {
			t.Error(err)
		}
	}
}
