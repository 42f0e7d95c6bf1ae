// Package verify proves the promises of package store over a whole database: it reads every
// record and names each one that breaks a promise. It changes nothing, works while others
// write, and needs the same memory however large a roster is.
//
// What it proves of an event: tickets_sold is the number of people who hold a place and is
// at most capacity; waiting is the number of those who wait; every number is at least 1, at
// most last_number, and there once; confirmed_through is a number that was given; nobody
// waits while a place is free; and no registration is without its event.
//
// That nobody is there twice follows from the key of a registration, which the adapters
// check: each row has the one key that its user and event can have. Whether a registered
// user exists is not asked, because a process that trusts its callers takes any id.
package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Finding is one broken promise.
type Finding struct {
	Text     string // begins with the record: "event 6b05...: tickets_sold is 5 and 4 people hold a place"
	Mendable bool   // a store.Recount sets it right
}

// Event is what was found about one event.
type Event struct {
	ID            store.ID
	State         store.Event // as it was read; without ID when it could not be
	Registrations int64       // rows read, the cancelled ones too
	Findings      []Finding
	// OrganizerKnown is false when the organizer is not a user. That is no damage where ids
	// are trusted.
	OrganizerKnown bool
}

// Mendable reports whether a recount would set something right.
func (e Event) Mendable() bool {
	for _, f := range e.Findings {
		if f.Mendable {
			return true
		}
	}
	return false
}

// An event whose reading fails for a passing reason is read again.
const (
	tries = 5
	pause = 300 * time.Millisecond
)

// CheckEvent proves one event, as it is at one moment. read, when it is not nil, is told
// how many rows more were read.
func CheckEvent(ctx context.Context, a store.VerifyReader, id store.ID, read func(int)) (Event, error) {
	if read == nil {
		read = func(int) {}
	}
	for try := 1; ; try++ {
		var e Event
		err := a.ReadEvent(ctx, id, func(v store.EventSnapshot) (err error) {
			e, err = look(id, v, read)
			return err
		})
		switch {
		case err == nil:
			return e, nil
		case errors.Is(err, store.ErrDamaged):
			return Event{ID: id, OrganizerKnown: true, Findings: []Finding{Damage(err)}}, nil
		case try == tries || ctx.Err() != nil:
			return Event{}, fmt.Errorf("prove event %s: %w", id.Hex(), err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// Damage is the finding of an ErrDamaged.
func Damage(err error) Finding { return Finding{Text: plain(err)} }

// plain is the text of an ErrDamaged without the words that mark it.
func plain(err error) string { return strings.TrimPrefix(err.Error(), store.ErrDamaged.Error()+": ") }

// readStep is how many rows are read between two reports of progress.
const readStep = 1000

// look proves what one view shows.
func look(id store.ID, v store.EventSnapshot, read func(int)) (Event, error) {
	p := proof{findings: findings{subject: "event " + id.Hex()}, event: v.Event, unfindable: v.Unfindable}
	for r, err := range v.Rows {
		switch {
		case errors.Is(err, store.ErrDamaged):
			p.add("row", false, "%s", plain(err))
		case err != nil:
			return Event{}, err
		case v.Found:
			p.row(r)
		}
		if p.rows++; p.rows%readStep == 0 {
			read(readStep)
		}
	}
	read(int(p.rows % readStep))
	switch {
	case v.Found:
		p.counters()
	case p.rows > 0:
		p.add("orphans", false, "does not exist and has %s (an import that was interrupted leaves such; run it again)",
			many(p.rows, "registration", "registrations"))
	}
	return Event{
		ID: id, State: v.Event, Registrations: p.rows, Findings: p.list(),
		OrganizerKnown: v.OrganizerKnown || !v.Found,
	}, nil
}

// proof is one event under way.
type proof struct {
	findings
	event            store.Event
	unfindable       string // see store.EventSnapshot
	rows             int64
	holding, waiting int64
	previous         store.Registration
	highest          store.Registration // above last_number
}

func (p *proof) row(r store.Registration) {
	switch {
	case r.Number < 1:
		p.add("low", false, "user %s has the number %d; the first is 1", r.UserID.Hex(), r.Number)
	case r.Number == p.previous.Number && p.rows > 0:
		p.add("twice", false, "the number %d is there twice, of users %s and %s", r.Number, p.previous.UserID.Hex(), r.UserID.Hex())
	case r.Number < p.previous.Number:
		p.add("order", false, "the number %d comes after %d: the order of the list is broken", r.Number, p.previous.Number)
	}
	p.previous = r
	if r.Number > p.event.LastNumber {
		p.highest = r
	}
	if r.UserID.IsZero() {
		p.add("nobody", false, "the registration with the number %d has no user", r.Number)
	}
	if r.RequestID == "" || r.RegisteredAt.IsZero() {
		p.add("empty", false, "the registration of user %s has no request_id or no registered_at", r.UserID.Hex())
	}
	switch {
	case r.Cancelled:
	case p.event.Confirmed(r):
		p.holding++
	default:
		p.waiting++
	}
}

// counters compares the event with its rows, when all are read.
func (p *proof) counters() {
	e := p.event
	// With more people than places somebody would lose, whatever is done.
	mendable := p.holding <= e.Capacity
	if e.Capacity < 1 {
		p.add("capacity", false, "capacity is %d; an event has at least 1 place", e.Capacity)
	}
	if !mendable {
		p.add("overbooked", false, "%s a place and capacity is %d", people(p.holding, "holds", "hold"), e.Capacity)
	}
	if e.TicketsSold != p.holding {
		p.add("sold", mendable, "tickets_sold is %d and %s a place", e.TicketsSold, people(p.holding, "holds", "hold"))
	}
	if e.Waiting != p.waiting {
		p.add("waiting", mendable, "waiting is %d and %s", e.Waiting, people(p.waiting, "waits", "wait"))
	}
	if !p.highest.UserID.IsZero() {
		p.add("last", mendable, "last_number is %d and user %s has the number %d", e.LastNumber, p.highest.UserID.Hex(), p.highest.Number)
	}
	if e.LastNumber < 0 {
		p.add("last", mendable, "last_number is %d", e.LastNumber)
	}
	if e.ConfirmedThrough < 0 {
		p.add("through", mendable, "confirmed_through is %d", e.ConfirmedThrough)
	}
	if e.ConfirmedThrough > max(e.LastNumber, 0) {
		p.add("through", mendable, "confirmed_through is %d and last_number is %d", e.ConfirmedThrough, e.LastNumber)
	}
	if free := e.Capacity - p.holding; p.waiting > 0 && free > 0 && e.CancelledAt.IsZero() {
		p.add("idle", mendable, "%s while %s free", people(p.waiting, "waits", "wait"), many(free, "place is", "places are"))
	}
	if p.unfindable != "" {
		p.add("unfindable", true, "lists and searches do not find it by %s", p.unfindable)
	}
	if e.Version < 1 || e.Revision < e.Version {
		p.add("version", false, "version is %d and revision %d", e.Version, e.Revision)
	}
}

func people(n int64, one, more string) string { return many(n, "person "+one, "people "+more) }

func many(n int64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// most bounds how many findings of one sort are listed for one subject.
const most = 5

// findings collects, in bounded memory.
type findings struct {
	subject string
	all     []Finding
	sorts   []string
	counts  map[string]int64
}

func (f *findings) add(sort string, mendable bool, format string, args ...any) {
	if f.counts == nil {
		f.counts = make(map[string]int64)
	}
	if f.counts[sort] == 0 {
		f.sorts = append(f.sorts, sort)
	}
	f.counts[sort]++
	if f.counts[sort] <= most {
		f.all = append(f.all, Finding{Text: f.subject + ": " + fmt.Sprintf(format, args...), Mendable: mendable})
	}
}

func (f *findings) list() []Finding {
	for _, sort := range f.sorts {
		if more := f.counts[sort] - most; more > 0 {
			f.all = append(f.all, Finding{Text: fmt.Sprintf("%s: and %d more of this kind (%s)", f.subject, more, sort)})
		}
	}
	return f.all
}

// CheckUsers proves the users and yields what is wrong with them. It returns how many there
// are. read, when it is not nil, is told how many more were read.
func CheckUsers(users iter.Seq2[store.User, error], found func(Finding), read func(int)) (int64, error) {
	if read == nil {
		read = func(int) {}
	}
	var n int64
	var previous store.User
	for u, err := range users {
		if errors.Is(err, store.ErrDamaged) {
			found(Damage(err))
			continue
		}
		if err != nil {
			return n, fmt.Errorf("prove the users: %w", err)
		}
		say := func(format string, args ...any) {
			found(Finding{Text: "user " + u.ID.Hex() + ": " + fmt.Sprintf(format, args...)})
		}
		key := store.EmailKey(u.Email)
		switch {
		case key == "":
			say("has no e-mail address")
		case n > 0 && key == store.EmailKey(previous.Email):
			say("has the same e-mail address as user %s", previous.ID.Hex())
		}
		if u.ID.IsZero() {
			say("has no id")
		}
		// An empty one is of somebody who was imported without a usable password.
		if u.PasswordHash != "" && !strings.HasPrefix(u.PasswordHash, "$argon2id$") {
			say("has a password that is not stored as an argon2id hash")
		}
		if u.CreatedAt.IsZero() {
			say("has no created_at")
		}
		previous = u
		n++
		read(1)
	}
	return n, nil
}
