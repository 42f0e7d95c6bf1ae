package api

import (
	"context"
	"encoding/binary"
	"iter"
	"net/http"
	"net/url"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func (a *API) register(w http.ResponseWriter, r *request) error {
	event, err := eventID(r)
	if err != nil {
		return err
	}
	var body wire.NewRegistration
	if err := input.Decode(r.body, &body); err != nil {
		return err
	}
	var f input.Fields
	user := actingFor(r.caller, &f, "user_id", body.UserID)
	key, _ := seatKey(&f, r.Header)
	if err := f.Err(); err != nil {
		return err
	}
	// Not Keyed: 400 already_registered is a refusal, and only successes are kept.
	change := messages.SeatRequest{
		Kind: messages.KindRegister, RequestID: key, EventID: event, UserID: user, Actor: actor(r.caller, messages.ActorPerson, user),
	}
	if err := a.mayRegister(r, change); err != nil {
		return err
	}
	answer, got := a.take(w, r, change)
	switch got.Reply.Outcome {
	case messages.OutcomeRegistered:
		return writeCreated(w, seatPath(event, user), false, answer)
	case messages.OutcomeWaitlisted:
		return writeJSON(w, http.StatusAccepted, answer)
	}
	p := refusal(got)
	p.Position = answer.Position
	return p
}

// take asks for a seat, and says what of it can be told: with the position of who waits.
func (a *API) take(w http.ResponseWriter, r *request, req messages.SeatRequest) (wire.Registration, messages.Answer) {
	got := a.ask(w, r, req)
	answer := registrationOf(req.EventID, req.UserID, got.Reply)
	if answer.Status == wire.Waitlisted && got.Reply.Position == 0 {
		a.position(r.Context(), &answer)
	}
	noStore(w)
	return answer, got
}

// mayRegister is nil unless the caller is proven to be somebody else than the user. An unknown
// event is reported before that.
func (a *API) mayRegister(r *request, req messages.SeatRequest) error {
	denied := r.caller.Require(req.UserID, "You can only register yourself: leave user_id out.")
	if denied == nil {
		return nil
	}
	if err := a.exists(r.Context(), req.EventID); err != nil {
		return err
	}
	return denied
}

// ask sends a seat request to the workers and returns their answer.
func (a *API) ask(w http.ResponseWriter, r *request, req messages.SeatRequest) messages.Answer {
	a.giveWay.asking.Add(1)
	defer a.giveWay.asking.Add(-1)
	req.TraceID = requestID(w)
	return a.seats.Request(r.lasting, req, r.deadline)
}

func registrationOf(event, user store.ID, reply messages.SeatReply) wire.Registration {
	answer := wire.Registration{
		EventID: event, UserID: user, RegisteredAt: reply.RegisteredAt, Number: reply.Number,
		Status: wire.Confirmed, Position: reply.Position,
	}
	switch reply.Outcome {
	case messages.OutcomeWaitlisted, messages.OutcomeAlreadyWaitlisted:
		answer.Status = wire.Waitlisted
	}
	return answer
}

// position looks up the place in the line of who was there already; the reply tells it only
// to who has just joined. It is an extra: when it cannot be read, the answer goes without.
func (a *API) position(ctx context.Context, answer *wire.Registration) {
	n, err := a.store.Position(ctx, answer.EventID, answer.Number)
	if err != nil {
		a.log.Warn().Err(err).Str("event_id", answer.EventID.Hex()).Msg("a position in the waiting list cannot be read")
		return
	}
	answer.Position = n
	if n == 0 { // promoted meanwhile
		answer.Status = wire.Confirmed
	}
}

func (a *API) listRegistrations(w http.ResponseWriter, r *request) error {
	id, err := eventID(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	var f input.Fields
	limit, after, status := f.Limit(q), rosterCursor(&f, id, q), wire.Status(q.Get("status"))
	if q.Has("status") {
		f.OneOf("status", q.Get("status"), string(wire.Confirmed), string(wire.Waitlisted))
	}
	if err := f.Err(); err != nil {
		return err
	}
	e, err := a.store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	if err := r.caller.Require(e.OrganizerID, "Only the organizer may list the registrations."); err != nil {
		return err
	}
	noStore(w)
	through := e.ConfirmedThrough
	if status == wire.Waitlisted {
		after, through = max(after, e.ConfirmedThrough), e.LastNumber
	}
	if limit > 0 {
		return a.rosterPage(w, r, e.ID, rosterRange{after, through, limit})
	}
	return a.streamJSON(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		return encoded(a.wholeRoster(ctx, id, after, through), func(reg store.Registration) any { return reg.UserID })
	})
}

// numberSize is the length of a place in a roster: the number of a registration.
const numberSize = 8

// rosterList names the list of an event's registrations, for cursors.
func rosterList(event store.ID, q url.Values) input.List { return input.ListOf(rosterPath(event), q) }

// rosterCursor reads the number after which a page begins; 0 when it is the first one.
func rosterCursor(f *input.Fields, event store.ID, q url.Values) int64 {
	place := f.Cursor(rosterList(event, q), q, numberSize)
	if place == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(place))
}

// exists is nil when there is such an event.
func (a *API) exists(ctx context.Context, id store.ID) error {
	_, err := a.store.Event(ctx, id)
	return err
}

// rosterPiece is how many registrations of a whole roster are read at once.
const rosterPiece = 2000

// wholeRoster reads a roster piece by piece, each in its own time: a reader that is slow keeps
// nothing open in the store.
func (a *API) wholeRoster(ctx context.Context, id store.ID, after, through int64) iter.Seq2[store.Registration, error] {
	read := func() (piece []store.Registration, err error) {
		ctx, cancel := context.WithTimeout(ctx, a.config.RequestTimeout)
		defer cancel()
		for reg, err := range a.store.Roster(ctx, id, after, through, rosterPiece) {
			if err != nil {
				return piece, err
			}
			piece = append(piece, reg)
		}
		return piece, nil
	}
	return func(yield func(store.Registration, error) bool) {
		for {
			piece, err := read()
			for _, reg := range piece {
				if !yield(reg, nil) {
					return
				}
				after = reg.Number
			}
			if err != nil {
				yield(store.Registration{}, err)
			}
			if err != nil || len(piece) < rosterPiece {
				return
			}
		}
	}
}

// rosterRange is a page of a list: numbers above after and at most through.
type rosterRange struct {
	after, through int64
	limit          int
}

// rosterPage sends one page, and in Link where the next one is.
func (a *API) rosterPage(w http.ResponseWriter, r *request, id store.ID, page rosterRange) error {
	users := make([]store.ID, 0, page.limit)
	var last int64
	for reg, err := range a.store.Roster(r.Context(), id, page.after, page.through, page.limit+1) {
		if err != nil {
			return err
		}
		if len(users) == page.limit { // one more tells whether there is a next page
			q := r.URL.Query()
			linkNext(w, rosterPath(id), q, page.limit, rosterList(id, q).Cursor(binary.BigEndian.AppendUint64(nil, uint64(last))))
			break
		}
		users, last = append(users, reg.UserID), reg.Number
	}
	return writeRead(w, r, users)
}

// actingFor reads the id of the user that a request acts for. Who is proven may leave it out.
func actingFor(who gate.Caller, f *input.Fields, field string, id *string) store.ID {
	switch {
	case id != nil:
		return f.ID(field, *id)
	case who.Proven:
		return who.ID
	}
	return f.ID(field, "")
}

// actor tells the workers who acts, and in which role. Somebody unproven acts as the user that the
// request is for; zero: for none.
func actor(who gate.Caller, role messages.ActorKind, user store.ID) messages.Actor {
	if !who.Proven {
		return messages.Actor{Kind: messages.ActorUnproven, ID: user}
	}
	return messages.Actor{Kind: role, ID: who.ID}
}
