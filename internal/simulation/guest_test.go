package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/eventio/eventio/internal/history"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// guest is one person at one event, or its organizer, who does one thing at a time.
type guest struct {
	*world
	place  *place
	user   store.ID
	random *rand.Rand
	client int
	holds  bool
	done   []act
	bare   int // operations without a key of which nobody knows what became of them
}

// replays is how far back a guest repeats what they did, in operations: each needs one of the 32 requests that the
// product remembers of a person at an event.
const replays = 26

// act is what may be repeated, if it has a key.
type act struct {
	kind history.Kind
	key  string
}

// mostBare bounds guest.bare, because each doubles what a judge has to think of.
const mostBare = 1

func (g *guest) live() {
	acts := 10
	if g.random.IntN(20) == 0 { // more than the product forgot once
		acts = 60
	}
	for range acts {
		time.Sleep(time.Duration(1+g.random.IntN(20_000)) * time.Microsecond)
		switch n := g.random.IntN(20); {
		case n < 3 && len(g.done) > 0:
			last := g.done[max(0, len(g.done)-replays):]
			if a := last[g.random.IntN(len(last))]; a.key != "" {
				g.insist(a)
			}
		case n < 6:
			g.readSeat()
		case n < 8:
			g.readEvent()
		default:
			g.change()
		}
	}
}

func (g *guest) change() {
	kind := history.Cancel
	if !g.holds || g.random.IntN(8) == 0 {
		kind = history.Register
		if g.random.IntN(2) == 0 {
			kind = history.Put
		}
	}
	if g.bare < mostBare && g.random.IntN(4) == 0 {
		a := act{kind: kind}
		if g.act(a) == history.Unknown {
			g.bare++
		}
		g.done = append(g.done, a)
		return
	}
	a := act{kind, store.NewID().Hex()}
	g.insist(a)
	g.done = append(g.done, a)
}

// insist repeats an operation under its key until the answer is definite.
func (g *guest) insist(a act) {
	for {
		if o := g.act(a); o != history.Unknown && o != history.Nothing {
			return
		}
		time.Sleep(time.Duration(1+g.random.IntN(200)) * time.Millisecond)
	}
}

// act sends one request as the API does, and returns what the API would tell.
func (g *guest) act(a act) history.Outcome {
	op := g.do(history.Op{Kind: a.kind, User: g.user.Hex(), Key: a.key}, func(op *history.Op) {
		req := messages.SeatRequest{
			Kind: messages.KindRegister, RequestID: a.key, Keyed: a.key != "" && a.kind != history.Register, EventID: g.place.id, UserID: g.user,
			Actor: messages.Actor{Kind: messages.ActorPerson, ID: g.user},
		}
		if a.kind == history.Cancel {
			req.Kind = messages.KindCancel
		}
		if a.key == "" {
			req.RequestID = store.NewID().Hex()
		}
		reply := g.send(req)
		op.Outcome = outcomeOf(reply.Outcome)
		op.Number, op.Waiting = reply.Number, reply.Outcome == store.Waitlisted || reply.Outcome == store.AlreadyWaitlisted
		if op.Outcome == history.Already && a.kind == history.Put {
			op.Outcome = history.Found
		}
	})
	switch op.Outcome {
	case history.Made, history.Found, history.Already:
		g.holds = true
	case history.Done, history.SoldOut, history.Replayed, history.EventEnded:
		g.holds = false
	}
	return op.Outcome
}

// send sends a request over one of the API processes, with the time limit of the API.
func (g *guest) send(req messages.SeatRequest) messages.SeatReply {
	p := g.processes[g.random.IntN(len(g.processes))]
	ctx := context.Background()
	if g.memory.chance(8) { // the process dies, or the client has little patience
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(g.random.IntN(1000))*time.Millisecond)
		defer cancel()
	}
	started := time.Now()
	ask := func(lease bool) messages.Answer {
		req.Lease = lease
		return p.requester.Request(ctx, req, started.Add(limit))
	}
	var reply messages.SeatReply
	if req.Kind != messages.KindRegister {
		reply = ask(false).Reply
	} else {
		reply = g.register(p, ask)
	}
	if took := time.Since(started); took > limit {
		g.t.Errorf("an answer took %v, the limit is %v", took, limit)
	}
	return reply
}

// register sends a request to register, unless the process refuses it from memory.
func (g *guest) register(p *process, ask func(lease bool) messages.Answer) messages.SeatReply {
	asked := false
	answer := p.leases.Answer(g.place.id, g.user, func(lease bool) messages.Answer {
		asked = true
		return ask(lease)
	})
	if !asked {
		g.world.mu.Lock()
		defer g.world.mu.Unlock()
		g.fromMemory++
	}
	return answer.Reply
}

// outcomeOf tells what the API makes of an outcome.
func outcomeOf(o messages.Outcome) history.Outcome {
	switch o {
	case store.Registered, store.Waitlisted:
		return history.Made
	case store.AlreadyRegistered, store.AlreadyWaitlisted:
		return history.Already
	case store.SoldOut:
		return history.SoldOut
	case store.RegistrationCancelled:
		return history.Replayed
	case store.EventCancelled:
		return history.EventEnded
	case store.Cancelled, store.Edited:
		return history.Done
	case store.CapacityBelowSold:
		return history.BelowSold
	case messages.OutcomeOverloaded, messages.OutcomeStorageFull, messages.OutcomeFailed:
		return history.Nothing
	case messages.OutcomeUnknown:
		return history.Unknown
	}
	return history.Outcome(o) // no history has it, so a judge objects
}

// do records one operation. Who does not know what became of it is somebody else afterwards.
func (g *guest) do(op history.Op, do func(*history.Op)) history.Op {
	op.Client, op.Event = g.client, g.place.id.Hex()
	op = g.recorder.Do(op, do)
	if op.Outcome == history.Unknown {
		g.client = g.number()
	}
	return op
}

// look reads the event, with the user's registration, by a read that others may share.
func (g *guest) look() (view, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return g.reads.Read(ctx, [2]store.ID{g.place.id, g.user})
}

func (g *guest) readEvent() {
	g.do(history.Op{Kind: history.ReadEvent}, func(op *history.Op) {
		v, err := g.look()
		if op.Outcome = history.Seen; err != nil {
			op.Outcome = history.Nothing
		}
		op.Sold, op.Capacity, op.Line = v.TicketsSold, v.Capacity, v.Waiting
	})
	g.do(history.Op{Kind: history.ReadList}, func(op *history.Op) {
		v, err := g.look()
		if op.Outcome = history.Seen; err != nil {
			op.Outcome = history.Nothing
		}
		for _, h := range v.holders {
			op.Users = append(op.Users, h.UserID.Hex())
		}
	})
}

func (g *guest) readSeat() {
	g.do(history.Op{Kind: history.ReadSeat, User: g.user.Hex()}, func(op *history.Op) {
		v, err := g.look()
		r := v.registration
		switch {
		case err != nil:
			op.Outcome = history.Nothing
		case r.Number == 0 || r.Cancelled:
			op.Outcome = history.Missing
		default:
			op.Outcome, op.Number, op.Waiting = history.Seen, r.Number, !v.Confirmed(r)
		}
		if err != nil && !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			g.t.Error(err)
		}
	})
}

// organize changes the capacity, and cancels some events.
func (g *guest) organize() {
	for range 2 {
		time.Sleep(time.Duration(1+g.random.IntN(100)) * time.Millisecond)
		capacity := 1 + g.random.Int64N(3)
		g.edit(history.Op{Kind: history.Capacity, Capacity: capacity}, &store.Edit{Version: store.AnyVersion, Capacity: &capacity})
	}
	if g.random.IntN(4) == 0 {
		g.edit(history.Op{Kind: history.End}, &store.Edit{Version: store.AnyVersion, Cancel: true})
	}
}

func (g *guest) edit(op history.Op, edit *store.Edit) {
	g.do(op, func(op *history.Op) {
		op.Outcome = outcomeOf(g.send(messages.SeatRequest{
			Kind: messages.KindEditEvent, RequestID: store.NewID().Hex(), EventID: g.place.id, Edit: edit,
			Actor: messages.Actor{Kind: messages.ActorOperator},
		}).Outcome)
	})
}
