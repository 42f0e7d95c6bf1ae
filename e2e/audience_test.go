package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/history"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// audience is people who use events through several API processes, and whose every operation is recorded.
type audience struct {
	t        *testing.T
	recorder *history.Recorder
	keyed    []*client.Client // send an Idempotency-Key with each change
	bare     []*client.Client // send none
	clients  atomic.Int64     // numbers for history.Op.Client
	over     atomic.Bool
	life     time.Duration // of an event, so that the judge has few operations of each

	mu  sync.Mutex // guards all below
	all []*gathering
}

// gathering is an event with the people who come to it.
type gathering struct {
	client.Event
	people  []store.ID
	retired atomic.Bool
	unknown atomic.Int64 // unknown outcomes without a key, each of which doubles what the judge has to think of
	heard   []client.Change
}

// mostUnknown bounds gathering.unknown.
const mostUnknown = 8

func newAudience(t *testing.T, addresses ...string) *audience {
	c := &audience{t: t, recorder: history.NewRecorder(), life: 12 * time.Second}
	for _, addr := range addresses {
		c.keyed = append(c.keyed, newClient(t, addr))
		// Nothing is sent again on a connection that was used before, as net/http does by itself.
		transport := keyless{&http.Transport{DisableKeepAlives: true}}
		bare, err := client.New("http://"+addr, client.Config{HTTP: &http.Client{Transport: transport}, Retry: client.Retry{Attempts: 1}})
		succeeds(t, err)
		c.bare = append(c.bare, bare)
	}
	return c
}

// keyless takes the keys away that the client gives to each change.
type keyless struct{ http.RoundTripper }

func (k keyless) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Header.Del("Idempotency-Key") // it is the client's own copy
	return k.RoundTripper.RoundTrip(req)
}

// gather creates an event for some people, and records it.
func (c *audience) gather(capacity int64, waitlist bool, people int) (*gathering, error) {
	e := newEvent(capacity)
	e.Waitlist = waitlist
	made, err := c.keyed[0].CreateEvent(c.t.Context(), e)
	if err != nil {
		return nil, err
	}
	g := &gathering{Event: made}
	for range people {
		g.people = append(g.people, store.NewID())
	}
	c.recorder.Created(history.Event{ID: made.ID.Hex(), Capacity: capacity, Waitlist: waitlist})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, g)
	return g, nil
}

// run lets people come to some events, and to others after these, until over.
func (c *audience) run(events int, random func() *rand.Rand) *sync.WaitGroup {
	var running sync.WaitGroup
	for i := range events {
		running.Go(func() {
			for !c.over.Load() {
				g, err := c.gather(3, i%2 == 0, 8)
				if err != nil {
					time.Sleep(50 * time.Millisecond) // a fault is under way
					continue
				}
				c.attend(g, random)
			}
		})
	}
	return &running
}

// attend lets everybody come and go at an event until its time is over.
func (c *audience) attend(g *gathering, random func() *rand.Rand) {
	var everybody sync.WaitGroup
	for _, user := range g.people {
		v := &visitor{audience: c, g: g, id: user, random: random(), client: c.number()}
		everybody.Go(v.live)
	}
	o := &visitor{audience: c, g: g, random: random(), client: c.number()}
	everybody.Go(o.organize)
	following, stop := context.WithCancel(context.WithoutCancel(c.t.Context()))
	everybody.Go(func() {
		for following.Err() == nil {
			c.follow(following, g, "")
		}
	})
	for started := time.Now(); time.Since(started) < c.life && !c.over.Load(); {
		time.Sleep(50 * time.Millisecond)
	}
	g.retired.Store(true)
	stop()
	everybody.Wait()
}

func (c *audience) number() int { return int(c.clients.Add(1)) }

// settle reads in the end who holds a seat of each event, and what each person is told.
func (c *audience) settle() {
	for _, g := range c.all {
		r := &visitor{audience: c, g: g, random: rand.New(rand.NewPCG(1, 1)), client: c.number()}
		r.readList()
		r.readEvent()
		for _, user := range g.people {
			r.id = user
			r.readSeat()
		}
	}
}

// follow hears of the changes of an event as a program does that keeps what it has heard: from there on, until the
// one with an id has come, or an error. Of the last revision that it has heard of, more may be to come.
func (c *audience) follow(ctx context.Context, g *gathering, last string) {
	var after int64
	if n := len(g.heard); n > 0 {
		after = g.heard[n-1].Revision - 1
		g.heard = slices.DeleteFunc(g.heard, func(c client.Change) bool { return c.Revision > after })
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	api := c.keyed[int(c.clients.Add(1))%len(c.keyed)]
	for change, err := range api.FollowEvent(ctx, g.ID, after) {
		if err != nil {
			time.Sleep(50 * time.Millisecond) // a fault is under way
			return
		}
		if g.heard = append(g.heard, change); change.ID == last {
			return
		}
	}
}

// record reads the whole record of changes of an event, page by page.
func (c *audience) record(g *gathering) (all []client.Change) {
	query := client.ChangesQuery{Limit: 200}
	for {
		page, err := c.keyed[0].EventChangesPage(c.t.Context(), g.ID, query)
		succeeds(c.t, err)
		all = append(all, page.Items...)
		if query.After = page.After; !page.More {
			return all
		}
	}
}

// feedOf is a record for the judge.
func feedOf(record []client.Change) (feed []history.Change) {
	for _, item := range record {
		change := history.Change{
			Revision: item.Revision, Request: item.RequestID, Type: item.Type, Number: item.Number,
			Capacity: item.Capacity, Sold: item.TicketsSold, Line: item.Waiting,
		}
		if !item.UserID.IsZero() {
			change.User = item.UserID.Hex()
		}
		feed = append(feed, change)
	}
	return feed
}

// visitor is one person at one event, or its organizer, who does one thing at a time.
type visitor struct {
	*audience
	g      *gathering
	id     store.ID
	random *rand.Rand
	client int
	holds  bool // as they believe
	done   []keyedAct
}

// keyedAct is what may be sent again under its key, if it has one.
type keyedAct struct {
	kind history.Kind
	key  string
}

// latest is when each answer of the API process that is never frozen has come: its limit of 5 s, and what a busy machine
// takes to tell.
const latest = 6500 * time.Millisecond

// replays is how far back a person repeats what they did, in operations: each needs one of the 32 requests that the
// product remembers of a person at an event.
const replays = 26

func (v *visitor) live() {
	for !v.g.retired.Load() && !v.t.Failed() {
		switch n := v.random.IntN(20); {
		case n < 2 && len(v.done) > 0:
			last := v.done[max(0, len(v.done)-replays):]
			if a := last[v.random.IntN(len(last))]; a.key != "" {
				v.insist(a)
			}
		case n < 4:
			v.readSeat()
		case n < 5:
			v.readEvent()
		case n < 6:
			v.readList()
		default:
			v.change()
		}
		time.Sleep(time.Duration(v.random.IntN(20)) * time.Millisecond) // people think
	}
}

// change takes a seat or gives it up, with a key or without.
func (v *visitor) change() {
	kind := history.Cancel
	if !v.holds {
		kind = history.Register
		if v.random.IntN(2) == 0 {
			kind = history.Put
		}
	}
	if v.random.IntN(3) == 0 && v.g.unknown.Load() < mostUnknown {
		if op := v.act(kind, ""); op.Outcome == history.Unknown {
			v.g.unknown.Add(1)
		}
		v.done = append(v.done, keyedAct{kind: kind})
		return
	}
	a := keyedAct{kind, store.NewID().Hex()}
	v.insist(a)
	v.done = append(v.done, a)
}

// insist repeats an operation under its key until the answer is definite.
func (v *visitor) insist(a keyedAct) {
	for try := range 400 {
		op := v.act(a.kind, a.key)
		if op.Outcome != history.Unknown && op.Outcome != history.Nothing {
			return
		}
		if v.t.Failed() {
			return
		}
		time.Sleep(time.Duration(10*min(try, 5)) * time.Millisecond) // no storm of its own
	}
	v.t.Errorf("user %s got no definite answer", v.id.Hex())
}

// act makes one operation at one of the API processes.
func (v *visitor) act(kind history.Kind, key string) history.Op {
	apis := v.bare
	var options []client.WriteOption
	var cancels []client.CancelOption
	if key != "" {
		apis = v.keyed
		options, cancels = append(options, client.Key(key)), append(cancels, client.Key(key))
	}
	which := v.random.IntN(len(apis))
	api := apis[which]
	ctx := context.WithoutCancel(v.t.Context())
	op := v.do(history.Op{Kind: kind, Key: key}, func(op *history.Op) {
		var r client.Registration
		var err error
		made := true
		switch kind {
		case history.Register:
			r, err = api.Register(ctx, v.g.ID, v.id, options...)
		case history.Put:
			r, made, err = api.PutRegistration(ctx, v.g.ID, v.id, options...)
		case history.Cancel:
			err = api.CancelRegistration(ctx, v.g.ID, v.id, cancels...)
		}
		switch op.Outcome = v.outcome(err); {
		case err != nil:
			op.Error = err.Error()
		case kind == history.Cancel:
			op.Outcome = history.Done
		default:
			op.Outcome = history.Made
			if !made {
				op.Outcome = history.Found
			}
			op.Number, op.Waiting = r.Number, r.Status == client.StatusWaitlisted
		}
		if p := (*client.Problem)(nil); errors.As(err, &p) && p.Code == client.CodeAlreadyWaitlisted {
			op.Waiting = true
		}
	})
	if took := time.Duration(op.Return - op.Call); which == 0 && took > latest {
		v.t.Errorf("an answer came after %v, the limit is 5 s: %v", took, op)
	}
	switch op.Outcome {
	case history.Made, history.Found, history.Already:
		v.holds = true
	case history.Done, history.SoldOut, history.Replayed, history.EventEnded:
		v.holds = false
	}
	return op
}

// do records one operation. Whoever does not know what became of it is somebody else afterwards, because
// it may still be under way.
func (v *visitor) do(op history.Op, do func(*history.Op)) history.Op {
	op.Client, op.Event = v.client, v.g.ID.Hex()
	if !v.id.IsZero() {
		op.User = v.id.Hex()
	}
	op = v.recorder.Do(op, do)
	if op.Outcome == history.Unknown {
		v.client = v.number()
	}
	return op
}

// outcomeOf tells what an error of the client says.
func outcomeOf(err error) history.Outcome {
	var p *client.Problem
	switch {
	case err == nil:
		return history.Seen
	case errors.Is(err, client.ErrUnknownOutcome):
		return history.Unknown
	case !errors.As(err, &p):
		return history.Nothing
	}
	switch p.Code {
	case client.CodeAlreadyRegistered, client.CodeAlreadyWaitlisted:
		return history.Already
	case client.CodeSoldOut:
		return history.SoldOut
	case client.CodeRegistrationCancelled:
		return history.Replayed
	case client.CodeEventCancelled:
		return history.EventEnded
	case client.CodeCapacityBelowSold:
		return history.BelowSold
	case client.CodeRegistrationNotFound:
		return history.Missing
	}
	return history.Nothing
}

// outcome is outcomeOf, and fails the test when nobody may get that answer under faults.
func (v *visitor) outcome(err error) history.Outcome {
	o := outcomeOf(err)
	var p *client.Problem
	if errors.As(err, &p) && o == history.Nothing && p.Status != http.StatusServiceUnavailable && p.Status != http.StatusTooManyRequests {
		v.t.Errorf("a fault is told as %d %s: %v", p.Status, p.Code, err)
	}
	return o
}

func (v *visitor) readSeat() {
	v.do(history.Op{Kind: history.ReadSeat}, func(op *history.Op) {
		r, err := v.pick().Registration(context.WithoutCancel(v.t.Context()), v.g.ID, v.id)
		op.Outcome = v.outcome(err)
		op.Number, op.Waiting = r.Number, r.Status == client.StatusWaitlisted
		if v.over.Load() { // it is exact only when nobody else is under way: store.Registrations.Position
			op.Position = r.Position
		}
		v.hold(op.Outcome)
	})
}

// hold believes what a read says.
func (v *visitor) hold(o history.Outcome) {
	if o == history.Seen || o == history.Missing {
		v.holds = o == history.Seen
	}
}

func (v *visitor) readEvent() {
	v.doUnnamed(history.ReadEvent, func(op *history.Op) {
		e, err := v.pick().Event(context.WithoutCancel(v.t.Context()), v.g.ID)
		op.Outcome = v.outcome(err)
		op.Sold, op.Capacity, op.Line = e.TicketsSold, e.Capacity, e.Waiting
	})
}

func (v *visitor) readList() {
	v.doUnnamed(history.ReadList, func(op *history.Op) {
		page, err := v.pick().RosterPage(context.WithoutCancel(v.t.Context()), v.g.ID, client.RosterQuery{Limit: 1000})
		op.Outcome = v.outcome(err)
		for _, user := range page.Items {
			op.Users = append(op.Users, user.Hex())
		}
	})
}

// doUnnamed records an operation that is about nobody.
func (v *visitor) doUnnamed(kind history.Kind, do func(*history.Op)) {
	o := visitor{audience: v.audience, g: v.g, random: v.random, client: v.client}
	o.do(history.Op{Kind: kind}, do)
	v.client = o.client
}

func (v *visitor) pick() *client.Client { return v.keyed[v.random.IntN(len(v.keyed))] }

// organize changes the capacity now and then, and cancels some events in the end.
func (v *visitor) organize() {
	const mostEdits = 2 // whose outcome nobody knows
	doubts := 0
	for !v.g.retired.Load() && !v.t.Failed() {
		time.Sleep(time.Duration(100+v.random.IntN(400)) * time.Millisecond)
		if doubts < mostEdits && v.resize(2+v.random.Int64N(3)) == history.Unknown {
			doubts++
		}
	}
	if v.random.IntN(3) == 0 {
		v.doUnnamed(history.End, func(op *history.Op) {
			_, err := v.pick().CancelEvent(context.WithoutCancel(v.t.Context()), v.g.ID)
			if op.Outcome = v.outcome(err); err == nil {
				op.Outcome = history.Done
			}
		})
	}
}

func (v *visitor) resize(capacity int64) history.Outcome {
	return v.do(history.Op{Kind: history.Capacity, Capacity: capacity}, func(op *history.Op) {
		api := v.bare[v.random.IntN(len(v.bare))]
		_, err := api.EditEvent(context.WithoutCancel(v.t.Context()), v.g.ID, "*", client.EventEdit{Capacity: &capacity})
		if op.Outcome = v.outcome(err); err == nil {
			op.Outcome = history.Done
		}
	}).Outcome
}

// judge has both judges look at all that was recorded, and fails the test with a picture when they object.
// A run in which little succeeded proves nothing and fails too.
func (c *audience) judge() {
	h := c.recorder.History()
	recorded := len(h.Ops)
	h = h.WithoutReads(changesPrimary)
	c.t.Logf("%d reads during a change of the primary are not judged", recorded-len(h.Ops))
	counts := h.Count()
	c.t.Logf("%d operations on %d events: %v", len(h.Ops), len(h.Events), counts)
	all := 0
	for _, n := range counts {
		all += n
	}
	if good := counts[history.Made] + counts[history.Found] + counts[history.Done]; good*5 < all {
		c.t.Errorf("only %d of %d changes succeeded, so not much is shown", good, all)
	}
	if counts[history.SoldOut] == 0 || counts[history.Replayed] == 0 || counts[history.Already]+counts[history.Found] == 0 {
		c.t.Errorf("some kind of answer was never given, so not much is shown")
	}
	feeds := make(map[string][]history.Change)
	for _, g := range c.all {
		record := c.record(g)
		feeds[g.ID.Hex()] = feedOf(record)
		if err := history.CheckFeed(h, history.Event{ID: g.ID.Hex()}, feeds[g.ID.Hex()]); err != nil {
			c.t.Errorf("the record of changes: %v", err)
		}
		if len(record) > 0 {
			c.follow(c.t.Context(), g, record[len(record)-1].ID)
		}
		if !slices.EqualFunc(g.heard, record, sameChange) {
			c.t.Errorf("who follows event %s has heard of %d changes, the record has %d", g.ID.Hex(), len(g.heard), len(record))
		}
	}
	h.Feeds = feeds
	if err := history.CheckLong(h); err != nil {
		c.t.Errorf("rule by rule: %v", err)
	}
	started := time.Now()
	if err := history.Check(history.Settle(h, feeds), time.Minute); err != nil {
		c.t.Errorf("as a whole: %v", err)
	}
	c.t.Logf("judged in %v", time.Since(started).Round(time.Millisecond))
	if c.t.Failed() {
		c.t.Log(strings.Repeat("=", 20), "the history is kept, see above")
	}
}

// changesPrimary reports whether a fault may change the primary of a replica set. Reads are majority reads without a fence, so
// one in that time may be of the old primary's past, or of a new one that has not confirmed everything yet:
// docs/decisions.md, "A definite answer moves a fence". Changes are judged in that time as well.
func changesPrimary(f history.Fault) bool {
	return strings.HasPrefix(f.Name, "primary ") || f.Name == "no majority"
}

func sameChange(a, b client.Change) bool { return a.ID == b.ID && a.Type == b.Type }
