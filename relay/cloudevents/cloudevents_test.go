package cloudevents_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/relay"
	"github.com/eventio/eventio/relay/cloudevents"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const limit = 15 * time.Second

// startNATS starts a server with JetStream in a folder.
func startNATS(t *testing.T, folder string, port int) *server.Server {
	t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: folder, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(limit) {
		t.Fatal("NATS does not start")
	}
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	return ns
}

func connect(t *testing.T, url string) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func openStore(t *testing.T) *sqlitestore.Store {
	t.Helper()
	st, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "eventio.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func newSink(t *testing.T, conn *nats.Conn, st *sqlitestore.Store) *cloudevents.Sink {
	t.Helper()
	sink, err := cloudevents.NewSink(messages.Link{Conn: conn, Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: st.DatabaseID()}})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func rowsOf(t *testing.T, st store.Store, id store.ID) []store.ChangeRecord {
	t.Helper()
	var rows []store.ChangeRecord
	for row, err := range st.EventChanges(t.Context(), id, 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// story has a full event, a waiting list and a promotion, and returns the types in order.
func story(t *testing.T, st store.Store) (store.Event, []string) {
	t.Helper()
	e := storetest.NewWaitlistEvent(t, st, 1)
	first := storetest.NewRequest(e.ID)
	storetest.MustApply(t, st, first, storetest.NewRequest(e.ID))
	storetest.MustApply(t, st, storetest.NewCancel(first))
	storetest.MustApply(t, st, storetest.NewEdit(e.ID, store.Edit{Version: store.AnyVersion, Cancel: true}))
	return e, []string{"edited", "registered", "waitlisted", "cancelled", "promoted", "event_cancelled"}
}

// TestEventsForWhoListens: a subscriber gets each item in order, as a CloudEvent that the library of the
// specification reads.
func TestEventsForWhoListens(t *testing.T) {
	ns := startNATS(t, t.TempDir(), server.RANDOM_PORT)
	st := openStore(t)
	e, want := story(t, st)
	listener := connect(t, ns.ClientURL())
	sub, err := listener.SubscribeSync("eventio.events." + e.ID.Hex() + ".>")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := newSink(t, connect(t, ns.ClientURL()), st).Deliver(t.Context(), rowsOf(t, st, e.ID)); err != nil {
		t.Fatal(err)
	}
	ids := make(map[string]bool)
	for _, kind := range want {
		msg, err := sub.NextMsg(limit)
		if err != nil {
			t.Fatal(err)
		}
		if msg.Subject != "eventio.events."+e.ID.Hex()+"."+kind {
			t.Errorf("subject is %s, want that of %s", msg.Subject, kind)
		}
		var ce event.Event
		if err := json.Unmarshal(msg.Data, &ce); err != nil {
			t.Fatalf("%v in %s", err, msg.Data)
		}
		if err := ce.Validate(); err != nil || ce.SpecVersion() != "1.0" || ce.Type() != "eventio."+kind || ce.Source() != "/eventio/"+st.DatabaseID() || ce.Subject() != e.ID.Hex() {
			t.Errorf("%v: %s", err, msg.Data)
		}
		var data struct {
			ID      string `json:"id"`
			EventID string `json:"event_id"`
			Type    string `json:"type"`
		}
		if err := ce.DataAs(&data); err != nil || data.ID != ce.ID() || data.Type != kind || data.EventID != e.ID.Hex() {
			t.Errorf("data is %+v, %v", data, err)
		}
		var plain struct { // what the nats CLI shows
			Data struct {
				ID string `json:"id"`
			} `json:"data"`
		}
		if err := json.Unmarshal(msg.Data, &plain); err != nil || plain.Data.ID != ce.ID() {
			t.Errorf("%v: the data are no JSON object: %s", err, msg.Data)
		}
		if got := msg.Header.Get("Nats-Msg-Id"); got != ce.ID() || ids[got] {
			t.Errorf("Nats-Msg-Id is %q, want %q, once", got, ce.ID())
		}
		ids[ce.ID()] = true
	}
}

// streamed returns the ids in a stream, in order.
func streamed(t *testing.T, js jetstream.JetStream) []string {
	t.Helper()
	stream, err := js.Stream(t.Context(), "CHANGES")
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq && info.State.Msgs > 0; seq++ {
		msg, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, msg.Header.Get("Nats-Msg-Id"))
	}
	return ids
}

// TestAStreamDropsDoubles: rows that are told twice are in the stream once.
func TestAStreamDropsDoubles(t *testing.T) {
	ns := startNATS(t, t.TempDir(), server.RANDOM_PORT)
	st := openStore(t)
	e, want := story(t, st)
	conn := connect(t, ns.ClientURL())
	js, err := jetstream.New(conn)
	if err == nil {
		_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "CHANGES", Subjects: []string{"eventio.events.>"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := newSink(t, conn, st).Deliver(t.Context(), rowsOf(t, st, e.ID)); err != nil {
			t.Fatal(err)
		}
	}
	if ids := streamed(t, js); len(ids) != len(want) {
		t.Errorf("the stream has %v, want %d", ids, len(want))
	}
}

// TestNATSIsRestarted: what happens while NATS is away comes when it is back, and nothing is missing in the
// stream.
func TestNATSIsRestarted(t *testing.T) {
	folder := t.TempDir()
	ns := startNATS(t, folder, server.RANDOM_PORT)
	port := ns.Addr()
	st := openStore(t)
	conn := connect(t, ns.ClientURL())
	js, err := jetstream.New(conn)
	if err == nil {
		_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "CHANGES", Subjects: []string{"eventio.events.>"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	sink := newSink(t, conn, st)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { relay.New(st, relay.Config{Lease: time.Second}, zerolog.Nop()).Run(ctx, sink) })
	t.Cleanup(func() { cancel(); running.Wait() })
	testenv.Eventually(t, limit, "begin to tell", func() error {
		if _, err := st.TakeLease(t.Context(), sink.Name(), "nobody", time.Nanosecond); !errors.Is(err, store.ErrLeaseHeld) {
			return errors.Join(errors.New("nobody tells"), err)
		}
		return nil
	})
	e := storetest.NewEvent(t, st, 1000)
	const people = 60
	for n := range people {
		if n == people/3 {
			ns.Shutdown()
			ns.WaitForShutdown()
		}
		if n == 2*people/3 {
			var at int
			if _, err := fmt.Sscanf(port.String(), "127.0.0.1:%d", &at); err != nil {
				t.Fatal(err)
			}
			ns = startNATS(t, folder, at)
		}
		storetest.MustApply(t, st, storetest.NewRequest(e.ID))
	}
	testenv.Eventually(t, limit, "have all of it in the stream", func() error {
		if !conn.IsConnected() {
			return errors.New("not connected")
		}
		if ids := streamed(t, js); len(ids) < people {
			return fmt.Errorf("%d of %d are there", len(ids), people)
		}
		return nil
	})
	ids := streamed(t, js)
	for n, id := range ids {
		if want := fmt.Sprintf("%s.%d.1", e.ID.Hex(), n+2); id != want {
			t.Fatalf("number %d is %s, want %s", n, id, want)
		}
	}
}
