package api_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// process is a second API process, over connections of its own.
func (e *env) process(t testing.TB, front func(store.Store) api.Store) *api.API {
	t.Helper()
	requester, err := messages.NewRequester(e.parts.Link(e.connect(t, "another api")))
	must(t, err)
	opened := e.parts.Open()
	st := api.Store(opened)
	if front != nil {
		st = front(opened)
	}
	handler := api.New(st, requester, api.Config{}, zerolog.Nop())
	t.Cleanup(handler.Wait)
	return handler
}

// ask sends a request to a process without a network between.
func ask(h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

// TestNobodyReadsAPast: who was told of a change by one process finds it at another, however many read
// there at that moment. EVENTIO_READS is how many registrations it makes, 400 by default.
func TestNobodyReadsAPast(t *testing.T) {
	people := 400
	if set := os.Getenv("EVENTIO_READS"); set != "" {
		var err error
		people, err = strconv.Atoi(set)
		must(t, err)
	}
	far := func(st store.Store) api.Store { return farStore{st} }
	forEachStoreWith(t, setup{front: far}, func(t *testing.T, e *env) {
		processes := []*api.API{e.api, e.process(t, far)}
		paths := []string{e.newEvent(t, 1_000_000), e.newEvent(t, 1_000_000)}
		var sold [2]atomic.Int64 // registrations that were acknowledged, by event; it only grows

		ctx, stop := context.WithCancel(t.Context())
		var readers, writers sync.WaitGroup
		for i := range 16 { // those who share reads with the writers below
			readers.Go(func() {
				for n := i; ctx.Err() == nil; n++ {
					at, path := n%2, paths[n/2%2]
					least := sold[n/2%2].Load()
					got := ask(processes[at], "GET", path, "")
					if told := field(got.Body.String(), "tickets_sold"); got.Code != 200 || told < least {
						t.Errorf("after %d registrations process %d shows %d: %d %s", least, at, told, got.Code, got.Body)
						return
					}
				}
			})
		}
		var next atomic.Int64
		for range 16 {
			writers.Go(func() {
				for n := next.Add(1); n <= int64(people) && !t.Failed(); n = next.Add(1) {
					from, to, event := processes[n%2], processes[(n+1)%2], n/2%2
					path, user := paths[event], newUser()
					if got := ask(from, "PUT", path+"/registrations/"+user, ""); got.Code != 201 {
						t.Errorf("registering: %d %s", got.Code, got.Body)
						return
					}
					least := sold[event].Add(1)
					if got := ask(to, "GET", path+"/registrations/"+user, ""); got.Code != 200 {
						t.Errorf("who was told 201 is not registered at another process: %d %s", got.Code, got.Body)
					}
					if got := ask(to, "GET", path, ""); got.Code != 200 || field(got.Body.String(), "tickets_sold") < least {
						t.Errorf("after %d registrations another process shows %s", least, got.Body)
					}
					if got := ask(to, "GET", "/api/users/"+user+"/registrations", ""); got.Code != 200 || !strings.Contains(got.Body.String(), strings.TrimPrefix(path, "/api/events/")) {
						t.Errorf("the list of who was told 201 is at another process: %d %s", got.Code, got.Body)
					}
					if told := soldInList(ask(to, "GET", "/api/events?limit=100", ""), path); told < least {
						t.Errorf("after %d registrations the list of another process shows %d", least, told)
					}
					if n%10 != 0 {
						continue
					}
					// An edit, and its ETag: another process must not show the version before.
					got := ask(from, "PATCH", path, fmt.Sprintf(`{"title":"title %d"}`, n), "If-Match", "*")
					version, _, _ := strings.Cut(got.Header().Get("ETag"), ".")
					read := ask(to, "GET", path, "")
					if now, _, _ := strings.Cut(read.Header().Get("ETag"), "."); got.Code != 200 || len(now) < len(version) || len(now) == len(version) && now < version {
						t.Errorf("after an edit to version %s (%d) another process shows %s", version, got.Code, now)
					}
				}
			})
		}
		writers.Wait()
		stop()
		readers.Wait()
		// Who has left is not registered, wherever one asks.
		for n := range min(people/10, 1000) {
			from, to, user := processes[n%2], processes[(n+1)%2], newUser()
			path := paths[n%2] + "/registrations/" + user
			if got := ask(from, "PUT", path, ""); got.Code != 201 {
				t.Fatalf("registering: %d %s", got.Code, got.Body)
			}
			if got := ask(to, "DELETE", path, ""); got.Code != 204 {
				t.Fatalf("leaving: %d %s", got.Code, got.Body)
			}
			if got := ask(from, "GET", path, ""); got.Code != 404 {
				t.Fatalf("who has left is told %d %s", got.Code, got.Body)
			}
			if got := ask(from, "GET", "/api/users/"+user+"/registrations", ""); got.Code != 200 || field(got.Body.String(), "number") != -1 {
				t.Fatalf("the list of who has left is %d %s", got.Code, got.Body)
			}
		}
	})
}

// soldInList returns how many tickets a list tells to be sold of the event at a path; -1 when it does not have that.
func soldInList(list *httptest.ResponseRecorder, path string) int64 {
	_, event, _ := strings.Cut(list.Body.String(), `"id":"`+strings.TrimPrefix(path, "/api/events/")+`"`)
	return field(event, "tickets_sold")
}

// field returns a number of a JSON object, -1 when it has none of that name.
func field(object, name string) int64 {
	_, rest, found := strings.Cut(object, `"`+name+`":`)
	end := strings.IndexAny(rest, ",}")
	if !found || end < 0 {
		return -1
	}
	n, err := strconv.ParseInt(rest[:end], 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// farStore is a store from which answers take a while, so that each rests on a state which may be over
// when it comes.
type farStore struct{ store.Store }

// answerTime bounds how long an answer of a farStore is on its way.
const answerTime = 3 * time.Millisecond

func (s farStore) Event(ctx context.Context, id store.ID) (store.Event, error) {
	defer time.Sleep(rand.N(answerTime))
	return s.Store.Event(ctx, id)
}

func (s farStore) EventsByID(ctx context.Context, ids []store.ID) (map[store.ID]store.Event, error) {
	defer time.Sleep(rand.N(answerTime))
	return s.Store.EventsByID(ctx, ids)
}

func (s farStore) FindEvents(ctx context.Context, q store.EventQuery) (store.EventPage, error) {
	defer time.Sleep(rand.N(answerTime))
	return s.Store.FindEvents(ctx, q)
}

func (s farStore) UserLists(ctx context.Context, users []store.ID, most int) (store.UserLists, error) {
	defer time.Sleep(rand.N(answerTime))
	return s.Store.UserLists(ctx, users, most)
}

func (s farStore) Registration(ctx context.Context, eventID, userID store.ID) (store.Registration, error) {
	defer time.Sleep(rand.N(answerTime))
	return s.Store.Registration(ctx, eventID, userID)
}

func (s farStore) RegistrationsByID(ctx context.Context, ids []store.RegistrationID) (map[store.RegistrationID]store.Registration, error) {
	defer time.Sleep(rand.N(answerTime))
	return s.Store.RegistrationsByID(ctx, ids)
}

// countingStore counts the reads of events and registrations, each of which takes a while.
type countingStore struct {
	store.Store
	reads, keys atomic.Int64
	atOnce      atomic.Int64
	most        atomic.Int64
	hold        chan struct{} // reads end when it is closed
}

func (s *countingStore) count(keys int) (done func()) {
	s.reads.Add(1)
	s.keys.Add(int64(keys))
	s.most.Store(max(s.most.Load(), s.atOnce.Add(1)))
	<-s.hold
	return func() { s.atOnce.Add(-1) }
}

func (s *countingStore) Event(ctx context.Context, id store.ID) (store.Event, error) {
	defer s.count(1)()
	return s.Store.Event(ctx, id)
}

func (s *countingStore) EventsByID(ctx context.Context, ids []store.ID) (map[store.ID]store.Event, error) {
	defer s.count(len(ids))()
	return s.Store.EventsByID(ctx, ids)
}

func (s *countingStore) FindEvents(ctx context.Context, q store.EventQuery) (store.EventPage, error) {
	defer s.count(q.Limit)()
	return s.Store.FindEvents(ctx, q)
}

func (s *countingStore) UserLists(ctx context.Context, users []store.ID, most int) (store.UserLists, error) {
	defer s.count(len(users))()
	return s.Store.UserLists(ctx, users, most)
}

func (s *countingStore) Registration(ctx context.Context, eventID, userID store.ID) (store.Registration, error) {
	defer s.count(1)()
	return s.Store.Registration(ctx, eventID, userID)
}

func (s *countingStore) RegistrationsByID(ctx context.Context, ids []store.RegistrationID) (map[store.RegistrationID]store.Registration, error) {
	defer s.count(len(ids))()
	return s.Store.RegistrationsByID(ctx, ids)
}

// TestReadersShareReads: however many ask for an event or for a page of events at once, the store is read twice; "am I in?" and the lists
// of as many people add few reads. Each gets an answer of their own.
func TestReadersShareReads(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		const crowd = 100
		counting := &countingStore{hold: make(chan struct{})}
		another := e.process(t, func(st store.Store) api.Store { counting.Store = st; return counting })
		path := e.newEvent(t, crowd)
		users := make([]string, crowd)
		for i := range users {
			if users[i] = newUser(); i%2 == 0 {
				e.register(t, path, users[i])
			}
		}
		want := e.get(t, path)
		run := func(each func(i int)) {
			t.Helper()
			counting.reads.Store(0)
			counting.hold = make(chan struct{})
			var all sync.WaitGroup
			var asking atomic.Int64
			for i := range crowd {
				all.Go(func() {
					asking.Add(1)
					each(i)
				})
			}
			for asking.Load() < crowd || counting.reads.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			close(counting.hold)
			all.Wait()
		}
		run(func(int) {
			got := ask(another, "GET", path, "")
			if got.Code != 200 || got.Body.String() != string(want.body)+"\n" || got.Header().Get("ETag") != want.header.Get("ETag") {
				t.Errorf("%d %s %s, want %s %s", got.Code, got.Header().Get("ETag"), got.Body, want.header.Get("ETag"), want.body)
			}
		})
		if reads := counting.reads.Load(); reads > 4 || counting.most.Load() != 1 {
			t.Errorf("%d readers of an event made %d reads, %d at once; want one after the other, and few", crowd, reads, counting.most.Load())
		}
		run(func(i int) {
			got := ask(another, "GET", path+"/registrations/"+users[i], "")
			if is := i%2 == 0; is && (got.Code != 200 || !strings.Contains(got.Body.String(), users[i])) || !is && got.Code != 404 {
				t.Errorf("person %d is told %d %s", i, got.Code, got.Body)
			}
		})
		if reads := counting.reads.Load(); reads > crowd/4 {
			t.Errorf("%d people who ask whether they are in made %d reads", crowd, reads)
		}
		run(func(i int) {
			got := ask(another, "GET", "/api/users/"+users[i]+"/registrations", "")
			if is := i%2 == 0; got.Code != 200 || is != strings.Contains(got.Body.String(), strings.TrimPrefix(path, "/api/events/")) {
				t.Errorf("the list of person %d is %d %s", i, got.Code, got.Body)
			}
		})
		if reads := counting.reads.Load(); reads > crowd/4 {
			t.Errorf("%d people who ask what they are registered for made %d reads", crowd, reads)
		}
		// Of two pages, in whatever order the filters are written.
		e.newEvent(t, crowd)
		pages := [][]string{{"limit=1&sort=starts_at", "sort=starts_at&limit=1"}, {"limit=2", "limit=2&q="}}
		alone := [2]answer{e.get(t, "/api/events?"+pages[0][0]), e.get(t, "/api/events?"+pages[1][0])}
		run(func(i int) {
			want := alone[i%2]
			got := ask(another, "GET", "/api/events?"+pages[i%2][i/2%2], "")
			if got.Code != 200 || got.Body.String() != string(want.body)+"\n" || got.Header().Get("ETag") != want.header.Get("ETag") || got.Header().Get("Link") != want.header.Get("Link") {
				t.Errorf("%d %s %s %s, want %s %s %s", got.Code, got.Header().Get("ETag"), got.Header().Get("Link"), got.Body, want.header.Get("ETag"), want.header.Get("Link"), want.body)
			}
		})
		for n, page := range alone {
			if got := strings.Count(string(page.body), `"title":`); got != n+1 {
				t.Errorf("%d events in a page of %d: %s", got, n+1, page.body)
			}
		}
		if reads := counting.reads.Load(); reads > 8 || alone[0].header.Get("Link") == "" {
			t.Errorf("%d readers of two pages made %d reads; the first has Link %q", crowd, reads, alone[0].header.Get("Link"))
		}
		// A client that has it gets 304, one that asks with HEAD no body: the answer is shared, what is
		// made of it is not.
		run(func(i int) {
			switch i % 3 {
			case 0:
				if got := ask(another, "GET", path, "", "If-None-Match", want.header.Get("ETag")); got.Code != 304 || got.Body.Len() > 0 {
					t.Errorf("who has it is sent %d %s", got.Code, got.Body)
				}
			case 1:
				if got := ask(another, "HEAD", path, ""); got.Code != 200 {
					t.Errorf("HEAD is answered with %d", got.Code)
				}
			default:
				if got := ask(another, "GET", path+"0", ""); got.Code != 400 {
					t.Errorf("a wrong id is answered with %d", got.Code)
				}
			}
		})
	})
}
