package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/mailbox"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
)

// told is a cluster with everybody who hears of changes: a webhook's receiver, a consumer of NATS, a
// mailbox, and the open streams of people.
type told struct {
	*cluster
	t         *testing.T
	nats      *testenv.NATS
	box       *mailbox.Server
	hook      *receiver
	people    *client.Client
	notifiers []*process
	organizer store.ID
	js        jetstream.JetStream

	mu     sync.Mutex            // guards stream
	stream map[store.ID][]string // the ids of the promotions in a person's open stream
}

// newTold starts all of it over a database.
func newTold(t *testing.T, mongodbURI string) *told {
	t.Helper()
	folder := t.TempDir()
	w := &told{
		cluster: newCluster(t), t: t, organizer: store.NewID(), stream: make(map[store.ID][]string),
		nats: testenv.StartNATSWith(t, func(o *server.Options) { o.JetStream, o.StoreDir = true, folder }),
		box:  mailbox.Start(t, mailbox.Options{STARTTLS: true, User: "eventio", Password: "p%@ss"}),
		hook: newReceiver(t),
	}
	url := strings.Replace(w.box.URL(), "p%@ss", "p%25%40ss", 1)
	w.cluster = w.with("NATS_URL="+w.nats.URL(), "MONGODB_URI="+mongodbURI, "SSL_CERT_FILE="+w.hook.certificate, "EVENTIO_WEBHOOK_ALLOW=127.0.0.0/8",
		"EVENTIO_RELAY_LEASE=1s", "EVENTIO_SMTP_URL="+url, "EVENTIO_SMTP_CA="+w.box.CAFile(t), "EVENTIO_MAIL_FROM=Event.io <tickets@events.example.org>",
		"EVENTIO_PUBLIC_URL=https://events.example.org", "EVENTIO_MAIL=true")
	conn, err := nats.Connect(w.nats.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	if w.js, err = jetstream.New(conn); err == nil {
		_, err = w.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "CHANGES", Subjects: []string{"eventio.events.>"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	api := w.start(t, "api")
	w.start(t, "worker")
	w.people = newClient(t, api.addr, client.Retry{Attempts: -1, MaxWait: 10 * time.Second})
	w.notifiers = []*process{w.start(t, "notifier"), w.start(t, "notifier")}
	for _, sink := range []string{"mail", "cloudevents", "webhooks"} {
		testenv.Eventually(t, limit, "begin to tell by "+sink, func() error {
			for _, n := range w.notifiers {
				if n.Says(`{"level":"info","sink":"` + sink + `"`) { // telling of changes
					return nil
				}
			}
			return fmt.Errorf("nobody does")
		})
	}
	hook, err := w.people.CreateWebhook(t.Context(), client.NewWebhook{URL: w.hook.URL + "/hook", OwnerID: w.organizer})
	if err != nil {
		t.Fatal(err)
	}
	w.hook.mu.Lock()
	w.hook.secret = hook.Secret
	w.hook.mu.Unlock()
	return w
}

// newPerson signs somebody up and opens their stream.
func (w *told) newPerson(name string) client.Session {
	w.t.Helper()
	u, err := w.people.SignUp(w.t.Context(), client.NewUser{Name: name, Email: store.NewID().Hex() + "@people.example.org", Password: "correct horse battery"})
	if err != nil {
		w.t.Fatal(err)
	}
	opened := make(chan struct{}, 64)
	ctx, cancel := context.WithCancel(w.t.Context())
	var listening sync.WaitGroup
	listening.Go(func() {
		for change, err := range w.people.LiveUser(ctx, u.ID, func() { opened <- struct{}{} }) {
			if err != nil {
				return // the test ends
			}
			if change.Type == string(changes.Promoted) {
				w.mu.Lock()
				w.stream[u.ID] = append(w.stream[u.ID], change.ID)
				w.mu.Unlock()
			}
		}
	})
	w.t.Cleanup(func() { cancel(); listening.Wait() })
	select {
	case <-opened:
	case <-time.After(limit):
		w.t.Fatal("the stream of a person does not open")
	}
	return u
}

// newLine makes an event with one seat and a line of people, of whom the first has the seat.
func (w *told) newLine(people int) (client.Event, []client.Session) {
	w.t.Helper()
	e := newEvent(1)
	e.OrganizerID, e.Waitlist = w.organizer, true
	event, err := w.people.CreateEvent(w.t.Context(), e)
	if err != nil {
		w.t.Fatal(err)
	}
	var line []client.Session
	for n := range people {
		line = append(line, w.newPerson(fmt.Sprint("Person ", n)))
		if _, err := w.people.Register(w.t.Context(), event.ID, line[n].ID); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, u := range line { // what came before is told
		w.box.Await(w.t, u.Email, 1, limit)
	}
	return event, line
}

// kept returns what the stream of NATS has kept about an event, in its order.
func (w *told) kept(event store.ID) (all []client.Change, err error) {
	stream, err := w.js.Stream(w.t.Context(), "CHANGES")
	if err != nil {
		return nil, err
	}
	info, err := stream.Info(w.t.Context())
	if err != nil {
		return nil, err
	}
	for seq := info.State.FirstSeq; info.State.Msgs > 0 && seq <= info.State.LastSeq; seq++ {
		msg, err := stream.GetMsg(w.t.Context(), seq)
		if err != nil {
			return nil, err
		}
		var told struct {
			ID   string        `json:"id"`
			Data client.Change `json:"data"`
		}
		if err := json.Unmarshal(msg.Data, &told); err != nil {
			return nil, err
		}
		if strings.HasPrefix(msg.Subject, "eventio.events."+event.Hex()+".") {
			told.Data.ID = told.ID
			all = append(all, told.Data)
		}
	}
	return all, nil
}

// heard returns the ids by which each way told a person that they moved up, doubles included.
func (w *told) heard(event store.ID, u client.Session) (map[string][]string, error) {
	heard := make(map[string][]string)
	w.mu.Lock()
	heard["stream"] = slices.Clone(w.stream[u.ID])
	w.mu.Unlock()
	w.hook.mu.Lock()
	for _, c := range w.hook.changes {
		if c.Type == string(changes.Promoted) && c.UserID == u.ID {
			heard["webhook"] = append(heard["webhook"], c.ID)
		}
	}
	w.hook.mu.Unlock()
	for _, m := range w.box.To(u.Email) {
		r := m.Read(w.t)
		if strings.HasPrefix(r.Subject, "You have moved up:") {
			id, _, _ := strings.Cut(strings.Trim(r.Header.Get("Message-Id"), "<>"), "@")
			heard["mail"] = append(heard["mail"], strings.ReplaceAll(strings.TrimSuffix(id, "-"+u.ID.Hex()), "-", "."))
		}
	}
	kept, err := w.kept(event)
	for _, c := range kept {
		if c.Type == string(changes.Promoted) && c.UserID == u.ID {
			heard["NATS"] = append(heard["NATS"], c.ID)
		}
	}
	return heard, err
}

// ways are all by which a person, or a program for them, hears of a change.
var ways = []string{"stream", "webhook", "mail", "NATS"}

// all returns an error unless each way has told of one promotion, all of them of the same.
func (w *told) all(event store.ID, u client.Session) error {
	heard, err := w.heard(event, u)
	if err != nil {
		return err
	}
	ids := make(map[string]bool)
	for _, way := range ways {
		if len(heard[way]) == 0 {
			return fmt.Errorf("nothing came by %s: %v", way, heard)
		}
		for _, id := range heard[way] {
			ids[id] = true
		}
	}
	if len(ids) != 1 {
		return fmt.Errorf("one promotion is told under the ids %v", slices.Sorted(maps.Keys(ids)))
	}
	return nil
}

// TestEverybodyIsTold: an event is full, people wait, the first one leaves. Within a second the next one's
// open stream, the webhook, the consumer of NATS and the mailbox have it, under one id, once each. A busy
// machine has three tries for the second; nothing is told twice in any.
func TestEverybodyIsTold(t *testing.T) {
	w := newTold(t, testenv.StartMongo(t, "--setParameter", "transactionLifetimeLimitSeconds=2").URI())
	w.hook.mu.Lock()
	w.hook.steady = true
	w.hook.mu.Unlock()
	const within, tries = time.Second, 3
	event, line := w.newLine(tries + 1)
	fast := false
	for n := range tries {
		begun := time.Now()
		succeeds(t, w.people.CancelRegistration(t.Context(), event.ID, line[n].ID))
		after := make(map[string]time.Duration)
		testenv.Eventually(t, limit, "tell everybody", func() error {
			heard, err := w.heard(event.ID, line[n+1])
			for way := range heard {
				if _, before := after[way]; !before {
					after[way] = time.Since(begun).Round(time.Millisecond)
				}
			}
			return errors.Join(err, w.all(event.ID, line[n+1]))
		})
		took := time.Since(begun)
		t.Logf("everybody had it after %v: %v", took, after)
		fast = fast || took <= within
	}
	if !fast {
		t.Errorf("it never took at most %v", within)
	}
	for _, u := range line[1:] {
		heard, err := w.heard(event.ID, u)
		if err != nil {
			t.Fatal(err)
		}
		for _, way := range ways {
			if len(heard[way]) != 1 {
				t.Errorf("%s told %s %d times", way, u.Name, len(heard[way]))
			}
		}
	}
	// Somebody whose receiver is gone learns that too.
	owner := line[0]
	if _, err := w.people.CreateWebhook(t.Context(), client.NewWebhook{URL: w.hook.URL + "/gone", OwnerID: owner.ID}); err != nil {
		t.Fatal(err)
	}
	e := newEvent(1)
	e.OrganizerID = owner.ID
	own, err := w.people.CreateEvent(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.people.Register(t.Context(), own.ID, line[tries].ID); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, limit, "tell the owner of a webhook that it is off", func() error {
		for _, m := range w.box.To(owner.Email) {
			if m.Read(t).Subject == "A webhook is switched off" {
				return nil
			}
		}
		return errors.New("no mail")
	})
	for _, u := range line[1:tries] { // in the line, and in the end
		if got := len(w.box.To(u.Email)); got > 3 {
			t.Errorf("%d mails to one person", got)
		}
	}
}

// TestEverybodyIsToldUnderFaults is the same while notifiers are killed five times, NATS is restarted and
// the primary of three steps down, and every fourth call of the webhook fails after it was taken: in the end
// nothing is missing, neither of the promotions nor of anything else, and nobody has it under two ids.
func TestEverybodyIsToldUnderFaults(t *testing.T) {
	set := testenv.StartReplicaSet(t, 2000)
	w := newTold(t, set.URI())
	const kills = 5
	event, line := w.newLine(kills + 3)
	kill := func(n int) {
		victim := n % len(w.notifiers)
		if err := w.notifiers[victim].Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		w.notifiers[victim] = w.start(t, "notifier")
	}
	for n := range len(line) - 1 {
		succeeds(t, w.people.CancelRegistration(t.Context(), event.ID, line[n].ID))
		switch n {
		case 2:
			if err := w.nats.Restart(); err != nil {
				t.Fatal(err)
			}
		case 4:
			primary, err := set.Primary()
			if err != nil {
				t.Fatal(err)
			}
			if err := primary.Command(bson.D{{Key: "replSetStepDown", Value: 10}, {Key: "force", Value: true}}); err != nil {
				t.Fatal(err)
			}
		default:
			kill(n)
		}
	}
	begun := time.Now()
	doubles := 0
	for _, u := range line[1:] {
		// A mail that a killed process had claimed is free when the claim ends.
		testenv.Eventually(t, 3*limit, "tell everybody", func() error { return w.all(event.ID, u) })
		heard, err := w.heard(event.ID, u)
		if err != nil {
			t.Fatal(err)
		}
		if len(heard["NATS"]) != 1 || len(heard["stream"]) != 1 {
			t.Errorf("a stream has doubles: %v", heard)
		}
		doubles += len(heard["mail"]) - 1
	}
	t.Logf("nothing was missing %v after the last one left; %d mails came twice, with one Message-ID", time.Since(begun), doubles)
	if doubles > kills {
		t.Errorf("%d mails came twice, more than there were kills", doubles)
	}
	page, err := w.people.EventChangesPage(t.Context(), event.ID, client.ChangesQuery{Limit: 1000})
	if err != nil || page.More {
		t.Fatalf("more than %d changes, %v", len(page.Items), err)
	}
	testenv.Eventually(t, limit, "tell of every change, in order", func() error { return w.hook.has(page.Items) })
	testenv.Eventually(t, limit, "publish every change, once, in order", func() error {
		kept, err := w.kept(event.ID)
		if err == nil && !slices.EqualFunc(kept, page.Items, func(a, b client.Change) bool { return a.ID == b.ID && a.Type == b.Type }) {
			err = fmt.Errorf("the stream has %d of %d changes: %v", len(kept), len(page.Items), kept)
		}
		return err
	})
	w.verify(t)
}
