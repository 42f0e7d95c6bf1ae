package api

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// newRegistration is the body that asks for a seat.
type newRegistration struct {
	UserID *string `json:"user_id,omitzero"`
}

// What a registration can be.
const (
	statusConfirmed  = "confirmed"
	statusWaitlisted = "waitlisted"
)

// registration is what is told of a place in an event, or in its waiting list.
type registration struct {
	EventID      store.ID  `json:"event_id"`
	UserID       store.ID  `json:"user_id"`
	RegisteredAt time.Time `json:"registered_at"`
	Number       int64     `json:"number"`
	Status       string    `json:"status"`
	Position     int64     `json:"position,omitzero"` // in the waiting list, from 1
}

func (a *API) register(w http.ResponseWriter, r *http.Request) error {
	who, err := a.gate.caller(r)
	if err != nil {
		return err
	}
	if err := a.gate.passPerson(w, r, who); err != nil {
		return err
	}
	event, err := eventID(r)
	if err != nil {
		return err
	}
	var body newRegistration
	if err := decodeBody(w, r, &body); err != nil {
		return err
	}
	var f fields
	user := who.actor(&f, "user_id", body.UserID)
	key, _ := f.seatKey(r.Header)
	if err := f.err(); err != nil {
		return err
	}
	// Not Keyed: 400 already_registered is a refusal, and only successes are kept.
	change := messages.SeatRequest{Kind: messages.KindRegister, RequestID: key, EventID: event, UserID: user, Actor: who.acting(messages.ActorPerson, user)}
	deadline := a.deadline()
	if err := a.registersOneself(r.Context(), who, change, deadline); err != nil {
		return err
	}
	answer, got := a.take(w, r, change, deadline)
	switch got.Reply.Outcome {
	case messages.OutcomeRegistered:
		return writeCreated(w, seatPath(event, user), false, answer)
	case messages.OutcomeWaitlisted:
		return writeJSON(w, http.StatusAccepted, answer)
	}
	p := seatProblem(got.Reply, got.Cause)
	p.Position = answer.Position
	return p
}

// take asks for a seat, and says what of it can be told: with the position of who waits.
func (a *API) take(w http.ResponseWriter, r *http.Request, req messages.SeatRequest, deadline time.Time) (registration, messages.Answer) {
	got := a.ask(w, r, req, deadline)
	answer := registrationOf(req.EventID, req.UserID, got.Reply)
	if answer.Status == statusWaitlisted && got.Reply.Position == 0 {
		ctx, cancel := detached(r, deadline)
		defer cancel()
		a.position(ctx, &answer)
	}
	private(w)
	return answer, got
}

// registersOneself is nil unless the caller is proven to be somebody else than the user. An
// unknown event comes first.
func (a *API) registersOneself(ctx context.Context, who caller, req messages.SeatRequest, deadline time.Time) error {
	err := who.mayBe(req.UserID, "You can only register yourself: leave user_id out.")
	if err == nil && !req.EventID.IsZero() {
		return nil
	}
	if missing := a.exists(ctx, req.EventID, deadline); missing != nil { // no event has the zero id
		return missing
	}
	return err
}

// deadline is when the answer is due. A handler takes it once, when it has read the request,
// and all that it does before the answer ends by then.
func (a *API) deadline() time.Time { return time.Now().Add(a.config.RequestTimeout) }

// ask sends a seat change to the workers and returns their answer. Once sent it does not die
// with the client's connection, but runs on its own time limit.
func (a *API) ask(w http.ResponseWriter, r *http.Request, req messages.SeatRequest, deadline time.Time) messages.Answer {
	a.giveWay.asking.Add(1)
	defer a.giveWay.asking.Add(-1)
	req.TraceID = requestID(w)
	return a.seats.Request(context.WithoutCancel(r.Context()), req, deadline)
}

// detached is the context of what tells of a seat change that was made.
func detached(r *http.Request, deadline time.Time) (context.Context, context.CancelFunc) {
	return context.WithDeadline(context.WithoutCancel(r.Context()), deadline)
}

func registrationOf(event, user store.ID, reply messages.SeatReply) registration {
	answer := registration{
		EventID: event, UserID: user, RegisteredAt: reply.RegisteredAt, Number: reply.Number,
		Status: statusConfirmed, Position: reply.Position,
	}
	switch reply.Outcome {
	case messages.OutcomeWaitlisted, messages.OutcomeAlreadyWaitlisted:
		answer.Status = statusWaitlisted
	}
	return answer
}

// position looks up the place in the line of who was there already; the reply tells it only
// to who has just joined. It is an extra: when it cannot be read, the answer goes without.
func (a *API) position(ctx context.Context, answer *registration) {
	n, err := a.store.Position(ctx, answer.EventID, answer.Number)
	if err != nil {
		a.log.Warn().Err(err).Str("event_id", answer.EventID.Hex()).Msg("a position in the waiting list cannot be read")
		return
	}
	answer.Position = n
	if n == 0 { // promoted meanwhile
		answer.Status = statusConfirmed
	}
}

func (a *API) roster(w http.ResponseWriter, r *http.Request) error {
	who, err := a.gate.caller(r)
	if err != nil {
		return err
	}
	id, err := eventID(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	var f fields
	limit, after, status := f.limit(q), f.rosterCursor(id, q), f.status(q)
	if err := f.err(); err != nil {
		return err
	}
	deadline := a.deadline()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	e, err := a.event(ctx, id, deadline)
	if err != nil {
		return err
	}
	if err := who.mayBe(e.OrganizerID, "Only the organizer sees who is registered."); err != nil {
		return err
	}
	private(w)
	through := e.ConfirmedThrough
	if status == statusWaitlisted {
		after, through = max(after, e.ConfirmedThrough), e.LastNumber
	}
	if limit > 0 {
		return a.rosterPage(w, r, e.ID, rosterRange{after, through, limit, deadline})
	}
	seq := a.wholeRoster(ctx, id, after, through)
	return a.streamJSON(w, r, deadline, cancel, encoded(seq, func(reg store.Registration) any { return reg.UserID }))
}

// status reads which of an event's two lists is wanted.
func (f *fields) status(q url.Values) string {
	status := q.Get("status")
	if q.Has("status") && status != statusConfirmed && status != statusWaitlisted {
		f.add("status", "must be "+statusConfirmed+" or "+statusWaitlisted)
	}
	return status
}

// event reads an event before the deadline.
func (a *API) event(ctx context.Context, id store.ID, deadline time.Time) (store.Event, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return a.store.Event(ctx, id)
}

// exists is nil when there is such an event.
func (a *API) exists(ctx context.Context, id store.ID, deadline time.Time) error {
	_, err := a.event(ctx, id, deadline)
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
	deadline       time.Time // of the answer
}

// rosterPage sends one page, and in Link where the next one is.
func (a *API) rosterPage(w http.ResponseWriter, r *http.Request, id store.ID, page rosterRange) error {
	ctx, cancel := context.WithDeadline(r.Context(), page.deadline)
	defer cancel()
	users := make([]store.ID, 0, page.limit)
	var last int64
	for reg, err := range a.store.Roster(ctx, id, page.after, page.through, page.limit+1) {
		if err != nil {
			return err
		}
		if len(users) == page.limit { // one more tells whether there is a next page
			q := r.URL.Query()
			linkNext(w, rosterPath(id), q, page.limit, rosterCursor(id, q, last))
			break
		}
		users, last = append(users, reg.UserID), reg.Number
	}
	return writeRead(w, r, users)
}
