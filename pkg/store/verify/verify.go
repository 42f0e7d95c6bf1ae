// Package verify checks a whole database against the guarantees of package store: it reads every
// record and reports each one that breaks a guarantee. It changes nothing, works while others
// write, and needs the same memory however large a roster is.
//
// Of an event it checks that tickets_sold is the number of confirmed registrations and at most the
// capacity; that waiting is the number of waiting ones; that each number is at least 1, at maxListed
// last_number, and given once; that confirmed_through is a number that was given; that nobody
// waits while a seat is free; that lists and searches find the event; that no registration is
// without its event; and that replaying the record of changes gives the event's counters and its
// registrations.
//
// That no user has two registrations follows from the key of a registration, which the adapters
// check: each user and event can have one key only. Whether a registered user exists is not
// checked, because an API that trusts its callers takes any user id.
package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/pkg/store"
)

// Finding is one broken guarantee.
type Finding struct {
	Text       string // begins with the record: "event 6b05...: tickets_sold is 5 and 4 people hold a place"
	Repairable bool   // a store.Recount repairs it
}

// EventReport is what was found in one event.
type EventReport struct {
	ID            store.ID
	State         store.Event // as it was read; without ID when it could not be
	Registrations int64       // read, also cancelled ones
	Findings      []Finding
	// OrganizerKnown is false when the organizer is not a user, which is no damage where the API
	// trusts its callers.
	OrganizerKnown bool
}

// Repairable reports whether a store.Recount would repair something.
func (e EventReport) Repairable() bool {
	for _, f := range e.Findings {
		if f.Repairable {
			return true
		}
	}
	return false
}

// Events that cannot be read for the moment, because of an election for example, are read again.
const (
	maxAttempts = 5
	retryPause  = 300 * time.Millisecond
)

// CheckEvents checks events, calls report for each of them, in the order of their ids, and ends with the
// first error of report or with that of an event which could not be read. It calls progress, when it is
// not nil, with the number of registrations that were read since the call before.
func CheckEvents(ctx context.Context, reader Reader, ids []store.ID, progress func(int), report func(EventReport) error) error {
	if progress == nil {
		progress = func(int) {}
	}
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b store.ID) int { return bytes.Compare(a[:], b[:]) })
	failed := 0
	for together := len(ids); len(ids) > 0; {
		page := ids[:min(together, len(ids))]
		checked, err := checkPage(ctx, reader, page, progress, report)
		if refused, ok := errors.AsType[refusedError](err); ok {
			return refused.error
		}
		if ids = ids[checked:]; checked > 0 {
			failed, together = 0, 2*together
		}
		if err == nil {
			continue
		}
		if failed++; failed == maxAttempts || ctx.Err() != nil {
			return fmt.Errorf("verify event %s: %w", ids[0].Hex(), err)
		}
		together = 1 // a server keeps a moment for so long only, and many events may take longer
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
	return nil
}

// refusedError is an error of who is told of events.
type refusedError struct{ error }

// checkPage is CheckEvents, once. It returns how many of ids were reported; with an error, one less at
// least than there are.
func checkPage(ctx context.Context, reader Reader, ids []store.ID, progress func(int), report func(EventReport) error) (reported int, err error) {
	var last *EventReport // which the reader may still take back
	tell := func() error {
		if last == nil {
			return nil
		}
		if err := report(*last); err != nil {
			return refusedError{err}
		}
		last = nil
		reported++
		return nil
	}
	err = reader.ReadEvents(ctx, ids, func(s Snapshot) error {
		if err := tell(); err != nil {
			return err
		}
		e, err := checkSnapshot(s, progress)
		if err == nil {
			last = &e
		}
		return err
	})
	if err == nil {
		err = tell()
	}
	if err == nil && reported != len(ids) {
		err = fmt.Errorf("the reader passed over %d events", len(ids)-reported)
	}
	return reported, err
}

// CheckEvent checks one event as it is at one moment. Otherwise it is as CheckEvents is.
func CheckEvent(ctx context.Context, reader Reader, id store.ID, progress func(int)) (EventReport, error) {
	var e EventReport
	err := CheckEvents(ctx, reader, []store.ID{id}, progress, func(found EventReport) error {
		e = found
		return nil
	})
	return e, err
}

// Damage returns a store.ErrDamaged as a finding.
func Damage(err error) Finding { return Finding{Text: damageText(err)} }

// damageText returns the text of a store.ErrDamaged without its common prefix.
func damageText(err error) string {
	return strings.TrimPrefix(err.Error(), store.ErrDamaged.Error()+": ")
}

// progressStep is how many registrations are read between two reports of progress.
const progressStep = 1000

// checkSnapshot checks an event at one moment.
func checkSnapshot(s Snapshot, progress func(int)) (EventReport, error) {
	id := s.ID
	if s.Damaged != nil {
		return EventReport{ID: id, OrganizerKnown: true, Findings: []Finding{Damage(s.Damaged)}}, nil
	}
	c := eventCheck{findings: findings{subject: "event " + id.Hex()}, event: s.Event, staleSearch: s.StaleSearch}
	var replayed *replay
	var err error
	if s.Found {
		replayed, err = c.replayed(s.Changes)
	}
	if err != nil {
		return EventReport{}, err
	}
	list := roster{}
	if replayed != nil {
		list.base = replayed.base
	}
	for r, err := range s.Registrations {
		switch {
		case errors.Is(err, store.ErrDamaged):
			c.add("row", false, "%s", damageText(err))
		case err != nil:
			return EventReport{}, err
		case s.Found:
			c.registration(r)
			if replayed != nil {
				list.registration(r)
			}
		}
		if c.read++; c.read%progressStep == 0 {
			progress(progressStep)
		}
	}
	progress(int(c.read % progressStep))
	switch {
	case s.Found:
		c.counters()
		if replayed != nil {
			replayed.compare(&c, list)
		}
	case c.read > 0:
		c.add("orphans", false, "does not exist and has %s (an import that was interrupted leaves such; run it again)",
			many(c.read, "registration", "registrations"))
	}
	return EventReport{
		ID: id, State: s.Event, Registrations: c.read, Findings: c.list(),
		OrganizerKnown: s.OrganizerKnown || !s.Found,
	}, nil
}

// eventCheck is the state of checkSnapshot.
type eventCheck struct {
	findings
	event       store.Event
	staleSearch string // see Snapshot
	read        int64  // registrations

	confirmed, waiting int64
	previous           store.Registration
	highest            store.Registration // with a number above last_number
}

// registration checks the next registration by number.
func (c *eventCheck) registration(r store.Registration) {
	switch {
	case r.Number < 1:
		c.add("low", false, "user %s has the number %d; the first is 1", r.UserID.Hex(), r.Number)
	case r.Number == c.previous.Number:
		c.add("twice", false, "the number %d is there twice, of users %s and %s", r.Number, c.previous.UserID.Hex(), r.UserID.Hex())
	case r.Number < c.previous.Number:
		c.add("order", false, "the number %d comes after %d: the order of the list is broken", r.Number, c.previous.Number)
	}
	c.previous = r
	if r.Number > c.event.LastNumber {
		c.highest = r
	}
	if r.UserID.IsZero() {
		c.add("nobody", false, "the registration with the number %d has no user", r.Number)
	}
	if r.RequestID == "" || r.RegisteredAt.IsZero() {
		c.add("empty", false, "the registration of user %s has no request_id or no registered_at", r.UserID.Hex())
	}
	if !r.Cancelled && !r.CancelledAt.IsZero() {
		c.add("uncancelled", false, "the registration of user %s has cancelled_at and is not cancelled", r.UserID.Hex())
	}
	switch {
	case r.Cancelled:
	case c.event.Confirmed(r):
		c.confirmed++
	default:
		c.waiting++
	}
}

// counters compares the event with its registrations, when all are read.
func (c *eventCheck) counters() {
	e := c.event
	// With more confirmed registrations than seats, any repair would take somebody's seat.
	repairable := c.confirmed <= e.Capacity
	if e.Capacity < 1 {
		c.add("capacity", false, "capacity is %d; an event has at least 1 place", e.Capacity)
	}
	if !repairable {
		c.add("overbooked", false, "%s a place and capacity is %d", people(c.confirmed, "holds", "hold"), e.Capacity)
	}
	if e.TicketsSold != c.confirmed {
		c.add("sold", repairable, "tickets_sold is %d and %s a place", e.TicketsSold, people(c.confirmed, "holds", "hold"))
	}
	if e.Waiting != c.waiting {
		c.add("waiting", repairable, "waiting is %d and %s", e.Waiting, people(c.waiting, "waits", "wait"))
	}
	if !c.highest.UserID.IsZero() {
		c.add("last", repairable, "last_number is %d and user %s has the number %d", e.LastNumber, c.highest.UserID.Hex(), c.highest.Number)
	}
	if e.LastNumber < 0 {
		c.add("last", repairable, "last_number is %d", e.LastNumber)
	}
	if e.ConfirmedThrough < 0 {
		c.add("through", repairable, "confirmed_through is %d", e.ConfirmedThrough)
	}
	if e.ConfirmedThrough > max(e.LastNumber, 0) {
		c.add("through", repairable, "confirmed_through is %d and last_number is %d", e.ConfirmedThrough, e.LastNumber)
	}
	if free := e.Capacity - c.confirmed; c.waiting > 0 && free > 0 && e.CancelledAt.IsZero() {
		c.add("idle", repairable, "%s while %s free", people(c.waiting, "waits", "wait"), many(free, "place is", "places are"))
	}
	if c.staleSearch != "" {
		c.add("staleSearch", true, "lists and searches do not find it by %s", c.staleSearch)
	}
	if e.Version < 1 || e.Revision < e.Version {
		c.add("version", false, "version is %d and revision %d", e.Version, e.Revision)
	}
}

func people(n int64, one, more string) string { return many(n, "person "+one, "people "+more) }

func many(n int64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// maxListed bounds how many findings of one sort are listed for one subject.
const maxListed = 5

// findings collects the findings about one subject in bounded memory.
type findings struct {
	subject string
	all     []Finding
	sorts   []string
	counts  map[string]int64
}

func (f *findings) add(sort string, repairable bool, format string, args ...any) {
	if f.counts == nil {
		f.counts = make(map[string]int64)
	}
	if f.counts[sort] == 0 {
		f.sorts = append(f.sorts, sort)
	}
	f.counts[sort]++
	if f.counts[sort] <= maxListed {
		f.all = append(f.all, Finding{Text: f.subject + ": " + fmt.Sprintf(format, args...), Repairable: repairable})
	}
}

func (f *findings) list() []Finding {
	for _, sort := range f.sorts {
		if more := f.counts[sort] - maxListed; more > 0 {
			f.all = append(f.all, Finding{Text: fmt.Sprintf("%s: and %d more of this kind (%s)", f.subject, more, sort)})
		}
	}
	return f.all
}

// CheckUsers checks the users, calls found with each finding, and returns how many users there are.
// It calls progress, when it is not nil, with 1 for each user. users must be ordered as those of
// Reader.ReadUsers are.
func CheckUsers(users iter.Seq2[StoredUser, error], found func(Finding), progress func(int)) (int64, error) {
	if progress == nil {
		progress = func(int) {}
	}
	var n int64
	var previous StoredUser
	for u, err := range users {
		if errors.Is(err, store.ErrDamaged) {
			found(Damage(err))
			continue
		}
		if err != nil {
			return n, fmt.Errorf("verify the users: %w", err)
		}
		say := func(format string, args ...any) {
			found(Finding{Text: "user " + u.ID.Hex() + ": " + fmt.Sprintf(format, args...)})
		}
		switch {
		case u.EmailKey == "":
			say("has no e-mail address")
		case u.EmailKey == previous.EmailKey: // two forms of one address, each with its key, are a store.KeptKey
			say("has the same e-mail address as user %s", previous.ID.Hex())
		}
		if u.ID.IsZero() {
			say("has no id")
		}
		// A user who was imported without a usable password has an empty hash.
		if u.PasswordHash != "" && !strings.HasPrefix(u.PasswordHash, "$argon2id$") && !passwords.IsForeign(u.PasswordHash) {
			say("has a password that is not stored as an argon2id hash, or as one of bcrypt or scrypt from an import")
		}
		if u.CreatedAt.IsZero() {
			say("has no created_at")
		}
		previous = u
		n++
		progress(1)
	}
	return n, nil
}
