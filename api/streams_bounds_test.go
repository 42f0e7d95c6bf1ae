package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// stalled is a client that takes nothing until it is released.
type stalled struct {
	*httptest.ResponseRecorder
	writes  *atomic.Int64 // that wait
	release chan struct{}
}

func (s stalled) Write(p []byte) (int, error) {
	if s.Code == http.StatusOK && len(p) >= (32<<10)/2 {
		s.writes.Add(1)
		<-s.release
	}
	return s.ResponseRecorder.Write(p)
}

// whole reports whether the list of an answer has its end.
func (r reply) whole() bool { return strings.HasSuffix(strings.TrimSpace(r.body), "]") }

// TestReadersThatStallKeepNobodyOut: 80 clients of one address open a long list and read nothing.
// A few of them are served, the others are told so at once, and everybody's reads go on.
func TestReadersThatStallKeepNobodyOut(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		i.core.Config.RequestTimeout = 2 * patience // 80 pieces take the race detector longer than the default
		organizer := i.newMember(t)
		const piece = 100 // of a list that is streamed
		var event string
		for range 2 * piece / 5 {
			event = i.ask(t, "POST", "/api/events", eventWith(`"description":`+jsonText(strings.Repeat("long ", 400))+`,`), bearer(organizer.token)).want(t, 201, "").field(t, "id")
		}
		id, err := store.ParseID(event)
		if err != nil {
			t.Fatal(err)
		}
		batch := make([]store.SeatRequest, 1500)
		for n := range batch {
			batch[n] = store.SeatRequest{Kind: store.Register, EventID: id, UserID: store.NewID(), RequestID: fmt.Sprint(n), At: time.Now()}
		}
		capacity := int64(len(batch))
		edit := store.SeatRequest{Kind: store.EditEvent, EventID: id, RequestID: "more", At: time.Now(), Edit: &store.Edit{Version: store.AnyVersion, Capacity: &capacity}}
		if _, err := s.st.Apply(t.Context(), append([]store.SeatRequest{edit}, batch...)); err != nil {
			t.Fatal(err)
		}
		for path, token := range map[string]string{"/api/events": "", "/api/events/" + event + "/registrations": organizer.token} {
			t.Run(path, func(t *testing.T) {
				var writes atomic.Int64
				var told sync.Map
				release := make(chan struct{})
				var clients sync.WaitGroup
				const crowd, maxStreamsOfAddress = 80, 8
				for n := range crowd {
					clients.Go(func() {
						r := httptest.NewRequest(http.MethodGet, path, nil)
						r.RemoteAddr = fmt.Sprintf("203.0.113.9:%d", n+1)
						if token != "" {
							r.Header.Set("Authorization", "Bearer "+token)
						}
						w := stalled{httptest.NewRecorder(), &writes, release}
						i.ServeHTTP(w, r)
						told.Store(n, reply{w.Code, w.Result().Header, w.Body.String()})
					})
				}
				testenv.Eventually(t, 2*patience, "tell those that are too many", func() error {
					done := 0
					told.Range(func(any, any) bool { done++; return true })
					if n := writes.Load(); done != crowd-maxStreamsOfAddress || n != maxStreamsOfAddress {
						return fmt.Errorf("%d are told and %d are being sent to", done, n)
					}
					return nil
				})
				told.Range(func(_, r any) bool {
					r.(reply).want(t, 429, problem.RateLimited)
					if r.(reply).header.Get("Retry-After") == "" {
						t.Error("no time to come again")
					}
					return true
				})
				for range 50 {
					i.ask(t, "GET", "/api/events?limit=5", "", from("203.0.113.9:1")).want(t, 200, "")
					i.ask(t, "GET", "/api/events/"+event, "", from("203.0.113.9:1")).want(t, 200, "")
				}
				if r := i.ask(t, "GET", path, "", from("198.51.100.1:1"), bearer(organizer.token)).want(t, 200, ""); !r.whole() {
					t.Error("the list of another client is not whole")
				}
				close(release)
				clients.Wait()
				whole := 0
				told.Range(func(_, r any) bool {
					if r.(reply).status == 200 && r.(reply).whole() {
						whole++
					}
					return true
				})
				if whole != maxStreamsOfAddress {
					t.Errorf("%d lists are whole in the end, want %d", whole, maxStreamsOfAddress)
				}
				i.ask(t, "GET", path, "", from("203.0.113.9:1"), bearer(organizer.token)).want(t, 200, "")
			})
		}
	})
}

// TestWholeListsWaitForTheirTurn: whatever reads a list to its end, or row after row, reads when it is its
// turn, so that all of it together leaves the store to others.
func TestWholeListsWaitForTheirTurn(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		i := s.start(t, identity.Keys{})
		ada := i.newMember(t)
		event := i.organized(t, ada)
		i.ask(t, "PUT", event+"/registrations/"+ada.id, "", bearer(ada.token)).want(t, 201, "")
		lists := []string{
			"/api/events", event + "/registrations", event + "/attendees", event + "/changes", event + "/changes?after=1", event + "/pace",
			"/api/users/" + ada.id + "/changes", "/api/users/" + ada.id + "/export",
		}
		usual := i.core.Config.RequestTimeout
		release := make(chan struct{})
		var reading, readers sync.WaitGroup
		for range 4 {
			reading.Add(1)
			readers.Go(func() {
				_ = i.core.Chunk(t.Context(), func(context.Context) error { reading.Done(); <-release; return nil })
			})
		}
		reading.Wait()
		i.core.Config.RequestTimeout = 200 * time.Millisecond
		for _, path := range lists {
			i.ask(t, "GET", path, "", bearer(ada.token)).want(t, 503, problem.Overloaded)
		}
		close(release)
		readers.Wait()
		i.core.Config.RequestTimeout = usual
		for _, path := range lists {
			i.ask(t, "GET", path, "", bearer(ada.token)).want(t, 200, "")
		}
	})
}

// TestSeatRequestsAreCounted: a request counts while a worker has it, and no longer.
func TestSeatRequestsAreCounted(t *testing.T) {
	s := newSiteWithoutWorker(t, system.SQLite)
	i := s.start(t, identity.Keys{}, trusted)
	full, err := messages.Encode(messages.SeatReply{Outcome: messages.OutcomeOverloaded})
	if err != nil {
		t.Fatal(err)
	}
	conn := s.connect(t)
	asking := make(chan int64, 1)
	if _, err := conn.Subscribe(s.link(conn).Namespace.Seats(), func(m *nats.Msg) {
		asking <- i.core.SeatRequests()
		_ = m.Respond(full) // else the request below fails
	}); err != nil {
		t.Fatal(err)
	}
	if err := conn.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	path := "/api/events/" + store.NewID().Hex() + "/registrations"
	if r := i.ask(t, http.MethodPost, path, `{"user_id":"`+store.NewID().Hex()+`"}`); r.status != http.StatusServiceUnavailable {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if during, after := <-asking, i.core.SeatRequests(); during != 1 || after != 0 {
		t.Errorf("%d are under way during the request and %d after it, want 1 and 0", during, after)
	}
}
