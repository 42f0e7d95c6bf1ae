package live

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a store with one event and the registrations of one user, the news of it, and the streams over
// both.
type fake struct {
	store.Changes
	*Streams
	running sync.WaitGroup
	reads   atomic.Int64

	mu     sync.Mutex // guards all below
	event  store.Event
	held   store.Registration // of the user; zero: none
	rows   []store.ChangeRecord
	fails  error
	lossy  bool          // news is lost
	slow   chan struct{} // closed: reads go on; nil: they do
	events map[store.ID][]func(messages.EventNews)
	people []func(messages.PeopleNews)
}

// inBubble runs a test with a fake under a fake clock.
func inBubble(t *testing.T, config Config, test func(t *testing.T, f *fake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{events: make(map[store.ID][]func(messages.EventNews))}
		f.event = store.Event{ID: store.NewID(), Capacity: 10, Revision: 1, StartsAt: time.Now().Add(time.Hour), EndsAt: time.Now().Add(2 * time.Hour)}
		config.Store, config.News, config.Timeout, config.Running = f, f, time.Second, &f.running
		f.Streams = New(config)
		test(t, f)
		f.End()
		f.running.Wait() // nobody listens any more, so nobody reads
		if n := len(f.events[f.event.ID]) + len(f.people); n != 0 {
			t.Errorf("news is listened to %d times when nobody listens", n)
		}
	})
}

func (f *fake) Event(context.Context, store.ID) (store.Event, error) {
	f.reads.Add(1)
	f.wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.event, f.fails
}

func (f *fake) UserRegistrations(_ context.Context, user, _ store.ID, _ int) iter.Seq2[store.UserRegistration, error] {
	return func(yield func(store.UserRegistration, error) bool) {
		f.reads.Add(1)
		f.wait()
		f.mu.Lock()
		held, event := f.held, f.event
		f.mu.Unlock()
		if held.UserID == user {
			yield(store.UserRegistration{Registration: held, Event: event}, nil)
		}
	}
}

// wait waits while reads are slow.
func (f *fake) wait() {
	f.mu.Lock()
	slow := f.slow
	f.mu.Unlock()
	if slow != nil {
		<-slow
	}
}

func (f *fake) EventChanges(_ context.Context, _ store.ID, after int64, _ int) iter.Seq2[store.ChangeRecord, error] {
	return func(yield func(store.ChangeRecord, error) bool) {
		f.mu.Lock()
		rows := f.rows
		f.mu.Unlock()
		for _, r := range rows {
			if r.Revision > after && !yield(r, nil) {
				return
			}
		}
	}
}

func (f *fake) ListenEvent(id store.ID, take func(messages.EventNews)) (func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events[id] = append(f.events[id], take)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events[id] = f.events[id][1:]
	}, nil
}

func (f *fake) ListenPeople(take func(messages.PeopleNews)) (func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.people = append(f.people, take)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.people = f.people[1:]
	}, nil
}

// change changes the event, and tells of it unless news is lost.
func (f *fake) change(change func(*store.Event)) {
	f.mu.Lock()
	f.event.Revision++
	change(&f.event)
	lossy, n := f.lossy, messages.EventNews{EventID: f.event.ID, Revision: f.event.Revision}
	f.mu.Unlock()
	if !lossy {
		f.tell(n)
	}
}

// tell hands news to who listens.
func (f *fake) tell(n messages.EventNews) {
	f.mu.Lock()
	takers := f.events[n.EventID]
	f.mu.Unlock()
	for _, take := range takers {
		take(n)
	}
}

func (f *fake) tellPeople(n messages.PeopleNews) {
	f.mu.Lock()
	takers := f.people
	f.mu.Unlock()
	for _, take := range takers {
		take(n)
	}
}

// register gives the user a registration at the next revision, or another state of it.
func (f *fake) register(user store.ID, a store.Action) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.event.Revision++
	f.event.Recorded = f.event.Revision
	a.UserID, a.At = user, time.Now()
	f.rows = append(f.rows, store.ChangeRecord{EventID: f.event.ID, Revision: f.event.Revision, At: a.At, Actions: []store.Action{a}})
	f.held.EventID, f.held.UserID, f.held.Number = f.event.ID, user, a.Number
	f.held.Cancelled = a.Kind == store.Cancel
	f.held.Revisions = append(f.held.Revisions, f.event.Revision)
	if !a.Waiting {
		f.event.ConfirmedThrough = a.Number
	}
}

// client is who listens.
type client struct {
	mu      sync.Mutex
	header  http.Header
	got     bytes.Buffer
	at      []time.Time   // of each message
	stuck   chan struct{} // closed: it takes nothing any more; nil: it does
	dead    time.Time
	ended   chan struct{}
	err     error
	cancel  context.CancelFunc
	stopped atomic.Bool // Check fails
}

func (c *client) Header() http.Header { return c.header }
func (c *client) WriteHeader(int)     {}
func (c *client) Flush()              {}

func (c *client) SetReadDeadline(time.Time) error { return nil }

func (c *client) SetWriteDeadline(at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = at
	return nil
}

func (c *client) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stuck != nil {
		time.Sleep(time.Until(c.dead))
		return 0, errors.New("i/o timeout")
	}
	for range bytes.Count(p, []byte("\nevent: ")) + boolInt(bytes.HasPrefix(p, []byte("event: "))) {
		c.at = append(c.at, time.Now())
	}
	return c.got.Write(p)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *client) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got.String()
}

// messages returns the data of the messages of a name.
func (c *client) messages(event string) (all []string) {
	for message := range strings.SplitSeq(c.text(), "\n\n") {
		if _, data, ok := strings.Cut(message, "event: "+event+"\ndata: "); ok {
			all = append(all, data)
		}
	}
	return all
}

// listen begins a stream.
func listen(t *testing.T, last string, serve func(context.Context, Stream) error) *client {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &client{header: make(http.Header), ended: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(c.ended)
		c.err = serve(ctx, Stream{Writer: c, LastEventID: last, Check: func() error {
			if c.stopped.Load() {
				return errors.New("ended")
			}
			return nil
		}})
	}()
	synctest.Wait()
	return c
}

func (f *fake) listen(t *testing.T, last string) *client {
	t.Helper()
	return listen(t, last, func(ctx context.Context, st Stream) error { return f.ServeEvent(ctx, st, f.event.ID) })
}

func (f *fake) listenAs(t *testing.T, user store.ID, last string) *client {
	t.Helper()
	return listen(t, last, func(ctx context.Context, st Stream) error { return f.ServePerson(ctx, st, user) })
}

func (c *client) leave() {
	c.cancel()
	<-c.ended
}

func (c *client) isOpen() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

// sold is a change that sells tickets.
func sold(n int64) func(*store.Event) { return func(e *store.Event) { e.TicketsSold += n } }

func wantLast(t *testing.T, c *client, want string) {
	t.Helper()
	all := c.messages(EventState)
	if len(all) == 0 || !strings.Contains(all[len(all)-1], want) {
		t.Errorf("the last message is %v, want %s", all, want)
	}
}

func TestAnEventIsToldAtOnceAndWhenItChanges(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		c := f.listen(t, "")
		wantLast(t, c, `"revision":1,"version":0,"capacity":10,"tickets_sold":0,"waiting":0,"state":"upcoming","registration_state":"open"`)
		if !strings.Contains(c.text(), "id: 1\n") || !strings.HasPrefix(c.text(), "retry: ") {
			t.Errorf("it begins with %q", c.text())
		}
		if c.header.Get("X-Accel-Buffering") != "no" || c.header.Get("Content-Type") != MediaType {
			t.Errorf("headers %v", c.header)
		}
		time.Sleep(time.Second)
		f.change(sold(1))
		time.Sleep(time.Millisecond)
		synctest.Wait()
		wantLast(t, c, `"tickets_sold":1`)
		c.leave()
	})
}

func TestABusyEventIsToldFourTimesASecond(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		c := f.listen(t, "")
		before := f.reads.Load()
		for range 5000 {
			time.Sleep(time.Millisecond)
			f.change(sold(1))
		}
		time.Sleep(time.Second)
		n := len(c.messages(EventState))
		if n > 5*4+3 || n < 5*4-3 {
			t.Errorf("%d messages in 5 s, want about 20", n)
		}
		if reads := f.reads.Load() - before; reads > 5*4+3 {
			t.Errorf("%d reads in 5 s", reads)
		}
		for i := 1; i < len(c.at); i++ {
			if gap := c.at[i].Sub(c.at[i-1]); gap < readGap-time.Millisecond {
				t.Errorf("two messages within %v", gap)
			}
		}
		wantLast(t, c, `"tickets_sold":5000`) // the last state is always told
		c.leave()
	})
}

func TestLostNewsIsMadeGood(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		c := f.listen(t, "")
		f.lossy = true
		for n := range 5 {
			f.change(sold(1))
			time.Sleep(3 * time.Second)
			wantLast(t, c, fmt.Sprintf(`"tickets_sold":%d`, n+1))
		}
		f.mu.Lock() // and so are reads that fail
		f.fails = store.ErrUnavailable
		f.mu.Unlock()
		f.change(sold(1))
		time.Sleep(20 * time.Second)
		f.mu.Lock()
		f.fails = nil
		f.mu.Unlock()
		time.Sleep(3 * time.Second)
		wantLast(t, c, `"tickets_sold":6`)
		c.leave()
	})
}

// TestForgedNewsCausesReadsOnly: whoever may publish on NATS makes nobody believe anything, and causes few
// reads.
func TestForgedNewsCausesReadsOnly(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		user := store.NewID()
		c, own := f.listen(t, ""), f.listenAs(t, user, "")
		before, text, ownText := f.reads.Load(), c.text(), own.text()
		for i := range 10_000 {
			time.Sleep(time.Millisecond)
			f.tell(messages.EventNews{EventID: f.event.ID, Revision: 1 << 40})
			f.tell(messages.EventNews{EventID: store.NewID(), Revision: 7})
			f.tellPeople(messages.NewPeopleNews(f.event.ID, []store.ID{user, store.NewID()}))
			f.tellPeople(messages.PeopleNews{EventID: store.NewID()}) // everybody
			_ = i
		}
		if n := f.reads.Load() - before; n > 2*10*4+4 {
			t.Errorf("%d reads in 10 s, want 80 at most", n)
		}
		if c.text() != text || own.text() != ownText {
			t.Errorf("forged news is told: %q %q", c.text(), own.text())
		}
		f.change(sold(1)) // and what is true comes through
		time.Sleep(readGap)
		synctest.Wait()
		wantLast(t, c, `"tickets_sold":1`)
		before = f.reads.Load()
		for range 100 { // news of what was read already
			f.tell(messages.EventNews{EventID: f.event.ID, Revision: 2})
		}
		time.Sleep(time.Second)
		if n := f.reads.Load() - before; n > 2 {
			t.Errorf("%d reads for news that is known", n)
		}
		c.leave()
		own.leave()
	})
}

func TestNothingOlderThanWhatAClientHas(t *testing.T) {
	for _, tt := range []struct {
		name, last string
		lossy      bool
		at         time.Duration // of the first message
		want       string
	}{
		{"it_has_nothing", "", false, 0, `"revision":1`},
		{"it_has_the_latest", "1", false, 0, `"revision":1`},
		{"it_has_a_later_one_than_this_process", "2", true, 3 * time.Second, `"revision":2`},
		{"it_has_one_that_was_never_stored_here", "99", false, 4 * time.Second, `"revision":1`},
		{"what_it_has_is_no_revision", "abc", false, 0, `"revision":1`},
		{"what_it_has_is_below_all", "-5", false, 0, `"revision":1`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, Config{}, func(t *testing.T, f *fake) {
				other := f.listen(t, "") // this process knows revision 1
				f.lossy = tt.lossy
				if tt.lossy {
					f.change(sold(1))
				}
				c := f.listen(t, tt.last)
				time.Sleep(tt.at)
				synctest.Wait()
				got := c.messages(EventState)
				if len(got) != 1 || !strings.Contains(got[0], tt.want) {
					t.Errorf("it gets %v, want %s first", got, tt.want)
				}
				c.leave()
				other.leave()
			})
		})
	}
}

func TestStatesThatChangeByTheClockAreTold(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		now := time.Now()
		f.event.OpensAt, f.event.ClosesAt = now.Add(7*time.Second), now.Add(20*time.Second)
		c := f.listen(t, "")
		for _, step := range []struct {
			at   time.Duration
			want string
		}{{6900 * time.Millisecond, "opens_soon"}, {7300 * time.Millisecond, "open"}, {20300 * time.Millisecond, "closed"}, {time.Hour + 300*time.Millisecond, "closed"}} {
			time.Sleep(time.Until(now.Add(step.at)))
			synctest.Wait()
			if step.at > time.Hour { // the stream has come to its end by then, as every stream does
				if c.isOpen() {
					t.Error("the stream is open for over an hour")
				}
				continue
			}
			wantLast(t, c, `"registration_state":"`+step.want+`"`)
		}
		c.leave()
	})
}

func TestAQuietStreamIsKeptOpen(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		c := f.listen(t, "")
		time.Sleep(time.Minute)
		if n := len(c.messages(Heartbeat)); n < 3 || n > 4 {
			t.Errorf("%d heartbeats in a minute", n)
		}
		c.leave()
	})
}

func TestASlowReaderIsDroppedAndSlowsNobody(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		slow, fast := f.listen(t, ""), f.listen(t, "")
		slow.mu.Lock()
		slow.stuck = make(chan struct{})
		slow.mu.Unlock()
		began := time.Now()
		for n := range 10 {
			f.change(sold(1))
			time.Sleep(readGap)
			synctest.Wait()
			wantLast(t, fast, fmt.Sprintf(`"tickets_sold":%d`, n+1))
		}
		<-slow.ended
		if took := time.Since(began); took > 2*sendTimeout {
			t.Errorf("the slow reader is dropped after %v", took)
		}
		if slow.err != nil {
			t.Errorf("a slow reader is an error: %v", slow.err)
		}
		fast.leave()
	})
}

func TestADeletedEventEndsItsStreams(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		c := f.listen(t, "")
		f.mu.Lock()
		f.fails = store.ErrEventNotFound
		f.mu.Unlock()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := c.messages(EventGone); len(got) != 1 || c.isOpen() {
			t.Errorf("told %v, open %v", got, c.isOpen())
		}
		c.leave()
	})
}

func TestStreamsEndInOrder(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		retries := make(map[string]bool)
		var all []*client
		for range 20 {
			all = append(all, f.listen(t, ""))
		}
		f.End()
		f.End() // may come twice
		for _, c := range all {
			<-c.ended
			text := c.text()
			last := text[strings.LastIndex(strings.TrimSuffix(text, "\n\n"), "\n\n")+2:]
			if c.err != nil || !strings.HasPrefix(last, "retry: ") {
				t.Fatalf("a stream ends with %q, %v", last, c.err)
			}
			retries[last] = true
		}
		if len(retries) < 10 {
			t.Errorf("they come back at %d different times", len(retries))
		}
		if _, err := f.Enter(netip.Addr{}, 0); err == nil {
			t.Error("a stream may begin while the process ends")
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	inBubble(t, Config{Most: 2*maxOfAddress + 2}, func(t *testing.T, f *fake) {
		a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.2")
		var leaves []func()
		enter := func(from netip.Addr, factor int) error {
			leave, err := f.Enter(from, factor)
			if err == nil {
				leaves = append(leaves, leave)
				return nil
			}
			var p *problem.Problem
			if !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable {
				t.Fatalf("refused with %v", err)
			}
			return err
		}
		for i := range maxOfAddress {
			if err := enter(a, 1); err != nil {
				t.Fatalf("stream %d: %v", i, err)
			}
		}
		if enter(a, 1) == nil {
			t.Error("an address has too many")
		}
		if err := enter(a, 2); err != nil { // a crowd may have more
			t.Error(err)
		}
		for _, other := range []string{"192.0.2.2", "::ffff:192.0.2.3"} { // another address, but the network has half of all
			if enter(netip.MustParseAddr(other), 2) == nil {
				t.Errorf("a network has too many with %s", other)
			}
		}
		for range maxOfAddress + 1 { // another network has the other half
			if err := enter(b, 2); err != nil {
				t.Error(err)
			}
		}
		if enter(a, 2) == nil || enter(b, 0) == nil {
			t.Error("there are too many in total")
		}
		for _, leave := range leaves {
			leave()
		}
		if f.Open() != 0 || len(f.ofAddress) != 0 || len(f.ofNetwork) != 0 {
			t.Errorf("%d are open when all have left", f.Open())
		}
		if err := enter(a, 1); err != nil {
			t.Error(err)
		}
	})
}

func TestAPersonIsToldWhatHappens(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		user := store.NewID()
		f.register(user, store.Action{Kind: store.Register, Number: 3, Waiting: true}) // before the stream: not told
		f.event.ConfirmedThrough = 2
		c := f.listenAs(t, user, "")
		promote := store.Promotion{After: 2, Through: 3, Count: 1, Users: []store.NumberedUser{{Number: 3, UserID: user}}}
		f.mu.Lock()
		f.event.Revision++
		f.event.Recorded, f.event.ConfirmedThrough = f.event.Revision, 3
		f.rows = append(f.rows, store.ChangeRecord{
			EventID: f.event.ID, Revision: f.event.Revision, After: store.Counters{ConfirmedThrough: 3},
			Actions: []store.Action{{Kind: store.Cancel, UserID: store.NewID(), Number: 1, At: time.Now(), Promoted: promote}},
		})
		f.mu.Unlock()
		f.tellPeople(messages.NewPeopleNews(f.event.ID, []store.ID{user}))
		time.Sleep(readGap)
		synctest.Wait()
		got := c.messages(OwnChange)
		if len(got) != 1 || !strings.Contains(got[0], `"type":"promoted"`) {
			t.Fatalf("told %v", got)
		}
		time.Sleep(10 * time.Second)
		f.register(user, store.Action{Kind: store.Cancel, Number: 3}) // the news of it is lost
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got = c.messages(OwnChange); len(got) != 2 || !strings.Contains(got[1], `"type":"cancelled"`) {
			t.Fatalf("told %v", got)
		}
		id := c.text()[strings.LastIndex(c.text(), "id: ")+4:]
		id, _, _ = strings.Cut(id, "\n")
		c.leave()
		time.Sleep(time.Minute)
		f.register(user, store.Action{Kind: store.Register, Number: 4})
		c = f.listenAs(t, user, id) // it comes back
		if got = c.messages(OwnChange); len(got) != 1 || !strings.Contains(got[0], `"number":4`) {
			t.Errorf("told what was missed: %q", c.text())
		}
		c.leave()
		for _, bad := range []string{"x", "-", "99999999999999999999-", "123", "1795709654561"} {
			c = f.listenAs(t, user, bad)
			if got = c.messages(OwnChange); len(got) != 0 || !c.isOpen() {
				t.Errorf("Last-Event-ID %q: %v", bad, got)
			}
			c.leave()
		}
	})
}

func TestAPersonsStreamEndsWithTheToken(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, f *fake) {
		user := store.NewID()
		c := f.listenAs(t, user, "")
		stop := time.AfterFunc(0, func() {})
		defer stop.Stop()
		var ended atomic.Bool
		go func() { // news all the time keeps nobody from looking
			for !ended.Load() {
				f.tellPeople(messages.NewPeopleNews(f.event.ID, []store.ID{user}))
				time.Sleep(10 * time.Millisecond)
			}
		}()
		time.Sleep(2 * time.Second)
		c.stopped.Store(true)
		began := time.Now()
		<-c.ended
		ended.Store(true)
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("it ends after %v", took)
		}
		time.Sleep(20 * time.Millisecond)
	})
}

// TestWhoIsBehindIsSentAway: of a person every change counts, so a stream that has missed one ends, and
// the client reads what it has missed.
func TestWhoIsBehindIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running sync.WaitGroup
		feed := &burst{more: make(chan []Frame, 10)}
		h := &hub{
			open: func(store.ID) Feed { return feed }, listen: func(store.ID) func() { return func() {} }, keep: 3, timeout: time.Second,
			pace: func(context.Context, int) {}, running: &running, topics: make(map[store.ID]*topic),
		}
		id := store.NewID()
		feed.more <- nil
		l, leave := h.subscribe(id)
		synctest.Wait()
		feed.more <- make([]Frame, 3)
		time.Sleep(5 * time.Second)
		if frames, _, behind := h.take(l); len(frames) != 3 || behind {
			t.Errorf("%d frames, behind %v", len(frames), behind)
		}
		feed.more <- make([]Frame, 4)
		time.Sleep(5 * time.Second)
		if _, _, behind := h.take(l); !behind {
			t.Error("it does not know that it is behind")
		}
		leave()
		close(feed.more)
		running.Wait()
	})
}

// TestFramesOfAReadingThatFailsAreTold: who was read before the fault is not read again.
func TestFramesOfAReadingThatFailsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running sync.WaitGroup
		feed := &burst{more: make(chan []Frame, 10), fails: errors.New("an election")}
		h := &hub{
			open: func(store.ID) Feed { return feed }, listen: func(store.ID) func() { return func() {} }, keep: 3, timeout: time.Second,
			pace: func(context.Context, int) {}, running: &running, topics: make(map[store.ID]*topic),
		}
		feed.more <- make([]Frame, 2)
		l, leave := h.subscribe(store.NewID())
		synctest.Wait()
		if frames, _, _ := h.take(l); len(frames) != 2 || h.ready(l) {
			t.Errorf("%d frames, ready %v", len(frames), h.ready(l))
		}
		leave()
		close(feed.more)
		running.Wait()
	})
}

// burst is a Feed whose frames a test gives.
type burst struct {
	more  chan []Frame
	fails error
}

func (b *burst) Read(context.Context) ([]Frame, time.Time, error) {
	select {
	case frames := <-b.more:
		return frames, time.Time{}, b.fails
	default:
		return nil, time.Time{}, nil
	}
}

// TestManyListenersAreToldInWaves: who does something else gets the processor between two waves, more of
// it while seat requests are under way, and everybody is told all the same.
func TestManyListenersAreToldInWaves(t *testing.T) {
	for _, busy := range []bool{false, true} {
		inBubble(t, Config{Busy: func() bool { return busy }}, func(t *testing.T, f *fake) {
			var all []*client
			for range 500 {
				all = append(all, f.listen(t, ""))
			}
			time.Sleep(time.Second)
			began, most := time.Now(), 500*time.Second/calmRate
			if busy {
				most = 500 * time.Second / busyRate
			}
			f.change(sold(1))
			time.Sleep(most + 10*time.Millisecond)
			synctest.Wait()
			var last time.Time
			for _, c := range all {
				wantLast(t, c, `"tickets_sold":1`)
				if at := c.at[len(c.at)-1]; at.After(last) {
					last = at
				}
			}
			if took := last.Sub(began); took < most/2 {
				t.Errorf("busy %v: all are told within %v", busy, took)
			}
			for _, c := range all {
				c.leave()
			}
		})
	}
}

// TestNothingIsSentBeforeTheFirstRead: who sees a stream open is told what happens from then on, so it is
// not open while the first read is under way. A read that takes too long, and the end of the process, are
// answered.
func TestNothingIsSentBeforeTheFirstRead(t *testing.T) {
	user := store.NewID()
	for name, listen := range map[string]func(*testing.T, *fake) *client{
		"of an event":  func(t *testing.T, f *fake) *client { return f.listen(t, "") },
		"of a person":  func(t *testing.T, f *fake) *client { return f.listenAs(t, user, "") },
		"who was here": func(t *testing.T, f *fake) *client { return f.listenAs(t, user, "1-x") },
	} {
		for how, end := range map[string]func(f *fake, release func()){
			"the read ends":    func(_ *fake, release func()) { release() },
			"it takes long":    func(_ *fake, release func()) { time.Sleep(1100 * time.Millisecond); release() },
			"the process ends": func(f *fake, release func()) { f.End(); synctest.Wait(); release() },
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				inBubble(t, Config{}, func(t *testing.T, f *fake) {
					f.slow = make(chan struct{})
					c := listen(t, f)
					if got := c.text(); got != "" {
						t.Errorf("%q is sent", got)
					}
					end(f, func() { close(f.slow) })
					synctest.Wait()
					if open := strings.Contains(c.text(), ": open\n"); open != (how == "the read ends") {
						t.Errorf("open %v: %q", open, c.text())
					}
					c.leave()
					var refusal *problem.Problem
					if refused := errors.As(c.err, &refusal); refused == (how == "the read ends") || refused && refusal.Code != problem.Overloaded {
						t.Errorf("error %v", c.err)
					}
				})
			})
		}
	}
}
