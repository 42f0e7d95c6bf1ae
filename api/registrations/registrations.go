// Package registrations answers requests about who is registered for an event.
package registrations

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/soldout"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Handlers answers requests about who is registered for an event.
type Handlers struct {
	*serve.Core
	refusals *refusals
	openings openings
	leases   *soldout.Leases
}

// New makes the handlers over what all share.
func New(core *serve.Core) *Handlers {
	return &Handlers{core, newRefusals(core), newOpenings(), newLeases(core)}
}

// Register registers the user of the body.
func (a *Handlers) Register(w http.ResponseWriter, r *serve.Request) error {
	event, err := serve.EventID(r)
	if err != nil {
		return err
	}
	var body wire.NewRegistration
	if err := r.Decode(&body); err != nil {
		return err
	}
	var f input.Fields
	user := serve.ActingFor(r.Caller, &f, "user_id", body.UserID)
	key, keyed := serve.IdempotencyKey(&f, r.Header)
	if err := f.Err(); err != nil {
		return err
	}
	// Not Keyed: 400 already_registered is a refusal, and only successes are kept.
	req := messages.SeatRequest{
		Kind: messages.KindRegister, RequestID: key, EventID: event, UserID: user, Actor: serve.Actor(r.Caller, messages.ActorPerson, user),
	}
	if err := a.mayRegister(r, req); err != nil {
		return err
	}
	answer, got, err := a.sendRegister(w, r, req)
	if err != nil {
		return err
	}
	outcome := got.Reply.Outcome
	if !keyed {
		outcome = a.unrepeated(got.Reply)
	}
	switch outcome {
	case store.Registered:
		return serve.WriteCreated(w, serve.RegistrationPath(event, user), false, answer)
	case store.Waitlisted:
		return serve.WriteJSON(w, http.StatusAccepted, answer)
	}
	p := serve.Refusal(got)
	p.Position = answer.Position
	return p
}

// unrepeated returns the outcome of the request whose repetition a request without a key may be: a gateway that
// lost the answer has sent it once more. It goes by the registration that there is, so it is never one that was
// cancelled since.
func (a *Handlers) unrepeated(reply messages.SeatReply) messages.Outcome {
	if within := a.Config.RepeatsWithin; within <= 0 || time.Since(reply.RegisteredAt) > within {
		return reply.Outcome
	}
	switch reply.Outcome {
	case store.AlreadyRegistered:
		return store.Registered
	case store.AlreadyWaitlisted:
		return store.Waitlisted
	}
	return reply.Outcome
}

// PutRegistration registers the user of the path unless they are registered already: 201, or 202 on
// the waiting list, for the request that did it, 200 for every later one.
func (a *Handlers) PutRegistration(w http.ResponseWriter, r *serve.Request) error {
	req, err := seatRequestOf(r)
	if err != nil {
		return err
	}
	event, user := req.EventID, req.UserID
	if err := serve.NoPreconditions(r.Header, "If-Match", "If-None-Match"); err != nil {
		return err
	}
	if err := a.mayRegister(r, req); err != nil {
		return err
	}
	req.Kind, req.Actor = messages.KindRegister, serve.Actor(r.Caller, messages.ActorPerson, user)
	answer, got, err := a.sendRegister(w, r, req)
	if err != nil {
		return err
	}
	switch got.Reply.Outcome {
	case store.Registered:
		return serve.WriteCreated(w, serve.RegistrationPath(event, user), false, answer)
	case store.Waitlisted:
		return serve.WriteJSON(w, http.StatusAccepted, answer)
	case store.AlreadyRegistered, store.AlreadyWaitlisted:
		return serve.WriteJSON(w, http.StatusOK, answer)
	}
	return serve.Refusal(got)
}

// ReadRegistration answers with the registration of the user of the path.
func (a *Handlers) ReadRegistration(w http.ResponseWriter, r *serve.Request) error {
	event, user, err := registrationIDs(r)
	if err != nil {
		return err
	}
	entry, err := a.Reads.Entry(r.Context(), event, user)
	if err != nil {
		return err
	}
	e, found := entry.Event, entry.Registration
	if err := personOrOrganizer(r.Caller, user, e); err != nil {
		return err
	}
	if !entry.Registered {
		return store.ErrRegistrationNotFound
	}
	answer := wire.Registration{EventID: event, UserID: user, RegisteredAt: found.RegisteredAt, Number: found.Number, Status: wire.StatusOf(e, found)}
	if answer.Status == wire.Waitlisted {
		if a.readPosition(r.Context(), &answer); answer.Status == wire.Waitlisted && answer.Position == 0 {
			return store.ErrUnavailable
		}
	}
	serve.NoStore(w)
	w.Header().Set("ETag", registrationTag(answer))
	return serve.WriteRead(w, r, answer)
}

// DeleteRegistration cancels the registration of the user of the path: 204, also when there is none.
// If-Match says which registration is meant.
func (a *Handlers) DeleteRegistration(w http.ResponseWriter, r *serve.Request) error {
	req, err := seatRequestOf(r)
	if err != nil {
		return err
	}
	if err := serve.NoPreconditions(r.Header, "If-None-Match"); err != nil {
		return err
	}
	if req.Number, err = a.registrationNumber(r.Context(), r.Header, req.EventID, req.UserID); err != nil {
		return err
	}
	role := messages.ActorPerson
	if !r.Caller.ActsFor(req.UserID) {
		e, err := a.Store.Event(r.Context(), req.EventID)
		if err != nil {
			return err
		}
		if err := personOrOrganizer(r.Caller, req.UserID, e); err != nil {
			return err
		}
		role = messages.ActorOrganizer
	}
	req.Kind, req.Actor = messages.KindCancel, serve.Actor(r.Caller, role, req.UserID)
	got := a.Send(w, r, req)
	if got.Reply.Outcome != store.Cancelled {
		return serve.Refusal(got)
	}
	if role == messages.ActorOrganizer {
		a.Tell(r, security.RegistrationRemoved, role, security.About{Event: req.EventID, User: req.UserID})
	}
	serve.NoStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// seatRequestOf makes the seat request about the registration of a path: both ids and the key.
func seatRequestOf(r *serve.Request) (req messages.SeatRequest, err error) {
	if req.EventID, req.UserID, err = registrationIDs(r); err != nil {
		return req, err
	}
	var f input.Fields
	req.RequestID, req.Keyed = serve.IdempotencyKey(&f, r.Header)
	return req, f.Err()
}

// personOrOrganizer returns the problem Forbidden when the caller may act neither for the user nor
// for the organizer.
func personOrOrganizer(who gate.Caller, user store.ID, e store.Event) error {
	if who.ActsFor(user) {
		return nil
	}
	return who.Require(e.OrganizerID, "Only the registered user and the organizer may do this.")
}

// registrationIDs reads both ids in the path.
func registrationIDs(r *serve.Request) (event, user store.ID, err error) {
	if event, err = serve.EventID(r); err != nil {
		return event, user, err
	}
	user, err = serve.UserID(r)
	return event, user, err
}

// sendRegister sends a request to register, and returns what can be told of the registration,
// with the position of who waits.
func (a *Handlers) sendRegister(w http.ResponseWriter, r *serve.Request, req messages.SeatRequest) (wire.Registration, messages.Answer, error) {
	got, early := a.early(r, req.EventID)
	if !early {
		got = a.leases.Answer(req.EventID, req.UserID, func(lease bool) messages.Answer {
			req.Lease = lease
			return a.Send(w, r, req)
		})
	}
	switch got.Reply.Outcome {
	case store.SoldOut:
		a.refusals.count(req.EventID)
	case store.RegistrationNotOpen:
		cost := 1
		if !early {
			a.openings.note(req.EventID, got.Reply)
			cost = costOfEarlyDecision
		}
		if err := r.CountAsReads(cost); err != nil {
			return wire.Registration{}, got, err
		}
	}
	answer := registrationOf(req.EventID, req.UserID, got.Reply)
	if answer.Status == wire.Waitlisted && got.Reply.Position == 0 {
		a.readPosition(r.Context(), &answer)
	}
	serve.NoStore(w)
	return answer, got, nil
}

// mayRegister returns the problem Forbidden when the caller may not act for the user, NotAdmitted when
// nobody has admitted the user, and that of an unknown event before either.
func (a *Handlers) mayRegister(r *serve.Request, req messages.SeatRequest) error {
	denied := r.Caller.Require(req.UserID, "You can only register yourself: leave user_id out.")
	if denied == nil {
		denied = a.Gate.RequireAdmission(r.Request, req.EventID, req.UserID)
	}
	if denied == nil {
		return nil
	}
	if err := a.Exists(r.Context(), req.EventID); err != nil {
		return err
	}
	return denied
}

// registrationOf makes the body of a registration from a reply.
func registrationOf(event, user store.ID, reply messages.SeatReply) wire.Registration {
	answer := wire.Registration{
		EventID: event, UserID: user, RegisteredAt: reply.RegisteredAt, Number: reply.Number,
		Status: wire.Confirmed, Position: reply.Position,
	}
	switch reply.Outcome {
	case store.Waitlisted, store.AlreadyWaitlisted:
		answer.Status = wire.Waitlisted
	}
	return answer
}

// readPosition reads the position on the waiting list, which a reply tells only to who has just
// joined. An answer can do without: when the position cannot be read, that is logged.
func (a *Handlers) readPosition(ctx context.Context, answer *wire.Registration) {
	n, err := a.Store.Position(ctx, answer.EventID, answer.Number)
	if err != nil {
		a.Log.Warn().Err(err).Str("event_id", answer.EventID.Hex()).Msg("a position on the waiting list cannot be read")
		return
	}
	answer.Position = n
	if n == 0 { // promoted meanwhile
		answer.Status = wire.Confirmed
	}
}

// ListRegistrations answers with a page of the roster or of the waiting list, or streams the whole of it.
func (a *Handlers) ListRegistrations(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.EventID(r)
	if err != nil {
		return err
	}
	q := input.Query(r.URL)
	var f input.Fields
	limit, after, status := f.Limit(q), rosterCursor(&f, id, q), wire.Status(q.Get("status"))
	if q.Has("status") {
		f.OneOf("status", q.Get("status"), string(wire.Confirmed), string(wire.Waitlisted))
	}
	if err := f.Err(); err != nil {
		return err
	}
	e, err := a.Store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	if err := r.Caller.Require(e.OrganizerID, "Only the organizer may list the registrations."); err != nil {
		return err
	}
	if err := r.Charge(serve.CostOfPage(limit)); err != nil {
		return err
	}
	serve.NoStore(w)
	list := roster{e: e, waiting: status == wire.Waitlisted, after: after, limit: limit}
	if limit > 0 {
		return a.rosterPage(w, r, list)
	}
	return a.StreamJSON(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		return serve.Encoded(a.wholeRoster(ctx, list), func(reg store.Registration) any { return reg.UserID })
	})
}

// roster says which registrations a list has, of those with numbers above after: those that are confirmed, or wait, by the
// event. limit is how many make a page; 0: it is the whole list.
type roster struct {
	e       store.Event
	waiting bool
	after   int64
	limit   int
}

// numbers returns above and up to which number the registrations are.
func (l roster) numbers() (after, through int64) {
	if l.waiting {
		return max(l.after, l.e.ConfirmedThrough), l.e.LastNumber
	}
	return l.after, l.e.ConfirmedThrough
}

// readings bounds how often a list is read because its event changes meanwhile.
const readings = 20

// readRoster reads at most limit registrations of a list, all of one moment: the event says who is confirmed, so when it
// has changed meanwhile both are read again. Else somebody who left would be gone, and who has the seat now not there
// yet, which never was so. An event that changes faster than that is read as it is at the last attempt, and the pieces of
// a list that has several are of several moments anyway.
func (a *Handlers) readRoster(ctx context.Context, l *roster, limit int) (list []store.Registration, err error) {
	for range readings {
		after, through := l.numbers()
		list = list[:0]
		for reg, err := range a.Store.Roster(ctx, l.e.ID, after, through, limit) {
			if err != nil {
				return nil, err
			}
			list = append(list, reg)
		}
		if l.limit == 0 && (l.after > 0 || len(list) == limit) {
			return list, nil
		}
		now, err := a.Store.Event(ctx, l.e.ID)
		if err != nil || now.Revision == l.e.Revision {
			return list, err
		}
		l.e = now
	}
	return list, nil
}

// numberSize is the length of a place in a roster: the number of a registration.
const numberSize = 8

// rosterList names the list of an event's registrations, for cursors.
func rosterList(event store.ID, q url.Values) input.List {
	return input.ListOf(serve.RosterPath(event), q)
}

// rosterCursor reads the number after which a page begins; 0 when it is the first one.
func rosterCursor(f *input.Fields, event store.ID, q url.Values) int64 {
	place := f.Cursor(rosterList(event, q), q, numberSize)
	if place == nil {
		return 0
	}
	return int64(binary.BigEndian.Uint64(place))
}

// rosterPiece is how many registrations of a whole roster are read at once. A list that is not longer is of one moment.
const rosterPiece = 2000

// wholeRoster reads a roster piece by piece, each within its own time limit, so that a slow reader
// keeps nothing open in the store.
func (a *Handlers) wholeRoster(ctx context.Context, l roster) iter.Seq2[store.Registration, error] {
	read := func() (piece []store.Registration, err error) {
		err = a.Chunk(ctx, func(ctx context.Context) error {
			piece, err = a.readRoster(ctx, &l, rosterPiece)
			return err
		})
		return piece, err
	}
	return func(yield func(store.Registration, error) bool) {
		for {
			piece, err := read()
			for _, reg := range piece {
				if !yield(reg, nil) {
					return
				}
				l.after = reg.Number
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

// rosterPage sends one page, and in Link where the next one is.
func (a *Handlers) rosterPage(w http.ResponseWriter, r *serve.Request, l roster) error {
	list, err := a.readRoster(r.Context(), &l, l.limit+1) // one more tells whether there is a next page
	if err != nil {
		return err
	}
	if len(list) > l.limit {
		list = list[:l.limit]
		q, last := input.Query(r.URL), list[l.limit-1].Number
		serve.LinkNext(w, serve.RosterPath(l.e.ID), q, l.limit, rosterList(l.e.ID, q).Cursor(binary.BigEndian.AppendUint64(nil, uint64(last))))
	}
	users := make([]store.ID, 0, len(list))
	for _, reg := range list {
		users = append(users, reg.UserID)
	}
	return serve.WriteRead(w, r, users)
}

// registrationNumber reads from If-Match which registration of a user is meant; 0 means whichever there
// is. Of several it is the user's, if that is among them. For ETags that GET never gave it returns a
// number that no registration has, so that an unknown event is reported first.
func (a *Handlers) registrationNumber(ctx context.Context, h http.Header, event, user store.ID) (int64, error) {
	sent := h.Values("If-Match")
	if len(sent) == 0 || serve.AnyTag(sent) {
		return 0, nil
	}
	numbers := serve.TagNumbers(sent)
	switch len(numbers) {
	case 0:
		return math.MaxInt64, nil
	case 1:
		return numbers[0], nil
	}
	entry, err := a.Reads.Entry(ctx, event, user)
	switch {
	case err == nil && entry.Registered && slices.Contains(numbers, entry.Registration.Number):
		return entry.Registration.Number, nil
	case err == nil, errors.Is(err, store.ErrEventNotFound):
		return slices.Max(numbers), nil // which is surely the latest of them
	}
	return 0, err
}

// registrationTag makes the ETag of a registration: its number, its status, and its position on the
// waiting list. The whole of it tells whether the registration is as it was (If-None-Match); only the
// number says which one it is (If-Match), so that who has moved up meanwhile can still leave. It is
// weak, as all ETags but those of events are.
func registrationTag(r wire.Registration) string {
	if r.Status == wire.Waitlisted {
		return fmt.Sprintf(`W/"%d.%s.%d"`, r.Number, r.Status, r.Position)
	}
	return fmt.Sprintf(`W/"%d.%s"`, r.Number, r.Status)
}
