package storetest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/eventio/eventio/pkg/store"
)

// Model is an event as plainly as possible: two lists of people. It is written from the rules and
// does not use store.Decide, so that a mistake in one of the two shows.
type Model struct {
	Organizer     store.ID
	Capacity      int64
	Waitlist      bool
	Opens, Closes time.Time
	Starts, Ends  time.Time
	Ended         bool
	AsksProof     bool
	Proven        []store.ID // who has proven their addresses
	Version       int64
	Holders, Line []Seat
	last          int64
	given         map[store.ID]int64           // the last number of each person
	done          map[store.ID]map[string]bool // requests of registrations that are over, and kept cancellations
	found         map[store.ID]map[string]bool // requests under a key that found somebody registered
	edits         map[string]bool              // the requests of the edits
}

// Seat is a person in one of the lists.
type Seat struct {
	User    store.ID
	Request string
	Number  int64
}

// NewModel returns the model of a new event with that capacity, which is at these times.
func NewModel(capacity int64, starts, ends time.Time) *Model {
	return &Model{
		Starts: starts, Ends: ends,
		Capacity: capacity, Version: 1, done: make(map[store.ID]map[string]bool), found: make(map[store.ID]map[string]bool),
		given: make(map[store.ID]int64),
		edits: make(map[string]bool),
	}
}

func note(in map[store.ID]map[string]bool, req store.SeatRequest) {
	if in[req.UserID] == nil {
		in[req.UserID] = make(map[string]bool)
	}
	in[req.UserID][req.RequestID] = true
}

func find(list []Seat, user store.ID) int {
	return slices.IndexFunc(list, func(s Seat) bool { return s.User == user })
}

// Apply changes the model by one request and returns the outcome.
func (m *Model) Apply(req store.SeatRequest) store.Outcome {
	if req.Actor.Kind == store.ActorOrganizer && req.Actor.ID != m.Organizer {
		return store.NotOrganizer
	}
	switch req.Kind {
	case store.Register:
		return m.register(req)
	case store.Cancel:
		return m.cancel(req)
	}
	return m.edit(req)
}

func (m *Model) register(req store.SeatRequest) store.Outcome {
	if m.done[req.UserID][req.RequestID] {
		return store.RegistrationCancelled
	}
	if i := find(m.Holders, req.UserID); i >= 0 {
		if m.Holders[i].Request == req.RequestID {
			return store.Registered
		}
		if req.Keyed {
			note(m.found, req)
		}
		return store.AlreadyRegistered
	}
	if i := find(m.Line, req.UserID); i >= 0 {
		if m.Line[i].Request == req.RequestID {
			return store.Waitlisted
		}
		if req.Keyed {
			note(m.found, req)
		}
		return store.AlreadyWaitlisted
	}
	if m.found[req.UserID][req.RequestID] {
		return store.RegistrationCancelled
	}
	if m.Ended {
		return store.EventCancelled
	}
	if !m.Opens.IsZero() && req.At.Before(m.Opens) {
		return store.RegistrationNotOpen
	}
	if !m.Closes.IsZero() && !req.At.Before(m.Closes) {
		return store.RegistrationClosed
	}
	if m.AsksProof && !slices.Contains(m.Proven, req.UserID) {
		return store.EmailUnproven
	}
	free := int64(len(m.Holders)) < m.Capacity && len(m.Line) == 0
	if !free && !m.Waitlist {
		return store.SoldOut
	}
	m.last++
	m.given[req.UserID] = m.last
	seat := Seat{req.UserID, req.RequestID, m.last}
	if free {
		m.Holders = append(m.Holders, seat)
		return store.Registered
	}
	m.Line = append(m.Line, seat)
	return store.Waitlisted
}

func (m *Model) cancel(req store.SeatRequest) store.Outcome {
	if m.done[req.UserID][req.RequestID] {
		return store.Cancelled
	}
	var live *Seat
	for _, list := range [][]Seat{m.Holders, m.Line} {
		if i := find(list, req.UserID); i >= 0 {
			live = &list[i]
		}
	}
	if req.Number != 0 {
		over := m.given[req.UserID]
		switch {
		case live != nil && req.Number != live.Number, live == nil && req.Number > over:
			return store.RegistrationChanged
		}
	}
	if live == nil {
		if req.Keyed {
			note(m.done, req)
			if m.given[req.UserID] == 0 { // its row has a number too
				m.last++
				m.given[req.UserID] = m.last
			}
		}
		return store.Cancelled
	}
	note(m.done, req)
	m.done[req.UserID][live.Request] = true
	for _, list := range []*[]Seat{&m.Holders, &m.Line} {
		if i := find(*list, req.UserID); i >= 0 {
			*list = slices.Delete(*list, i, i+1)
		}
	}
	m.promote()
	return store.Cancelled
}

func (m *Model) edit(req store.SeatRequest) store.Outcome {
	e := req.Edit
	switch {
	case m.edits[req.RequestID], e.Cancel && m.Ended:
		return store.Edited
	case e.Version != store.AnyVersion && e.Version != m.Version:
		return store.VersionMismatch
	case m.Ended:
		return store.EventCancelled
	case e.Capacity != nil && *e.Capacity < int64(len(m.Holders)):
		return store.CapacityBelowSold
	}
	or := func(new *time.Time, old time.Time) time.Time {
		if new == nil {
			return old
		}
		return *new
	}
	opens, closes := or(e.OpensAt, m.Opens), or(e.ClosesAt, m.Closes)
	starts, ends := or(e.StartsAt, m.Starts), or(e.EndsAt, m.Ends)
	switch {
	case !starts.Before(ends),
		!opens.IsZero() && !closes.IsZero() && !opens.Before(closes),
		!opens.IsZero() && !opens.Before(ends): // nobody could ever register
		return store.VersionMismatch
	}
	m.Opens, m.Closes, m.Starts, m.Ends = opens, closes, starts, ends
	m.Version++
	m.edits[req.RequestID] = true
	if e.Capacity != nil {
		m.Capacity = *e.Capacity
	}
	if e.Waitlist != nil {
		m.Waitlist = *e.Waitlist
	}
	if e.RequiresProvenEmail != nil {
		m.AsksProof = *e.RequiresProvenEmail
	}
	m.Ended = m.Ended || e.Cancel
	m.promote()
	return store.Edited
}

func (m *Model) promote() {
	for !m.Ended && int64(len(m.Holders)) < m.Capacity && len(m.Line) > 0 {
		m.Holders = append(m.Holders, m.Line[0])
		m.Line = m.Line[1:]
	}
}

// DrawRequest makes a random request of few users, ids and values, so that requests collide. Now
// and then the first of the crowd claims to be the organizer.
func DrawRequest(rt *rapid.T, event store.ID, crowd []store.ID) store.SeatRequest {
	req := store.SeatRequest{
		Kind:      rapid.SampledFrom([]store.Kind{store.Register, store.Register, store.Register, store.Cancel, store.Cancel, store.EditEvent}).Draw(rt, "kind"),
		EventID:   event,
		UserID:    rapid.SampledFrom(crowd).Draw(rt, "user"),
		RequestID: rapid.StringMatching("[a-f]").Draw(rt, "request"),
		At:        now.Add(time.Duration(rapid.IntRange(0, 4).Draw(rt, "hour")) * time.Hour),
	}
	if req.Kind != store.Register && rapid.IntRange(0, 4).Draw(rt, "actor") == 0 {
		req.Actor = store.Actor{Kind: store.ActorOrganizer, ID: crowd[0]}
	}
	if req.Kind != store.EditEvent {
		req.Keyed = rapid.Bool().Draw(rt, "keyed")
		if req.Kind == store.Cancel && rapid.Bool().Draw(rt, "conditional") {
			req.Number = rapid.Int64Range(1, 8).Draw(rt, "number")
		}
		return req
	}
	req.UserID = store.ID{}
	req.Edit = &store.Edit{Version: rapid.SampledFrom([]int64{1, 2, store.AnyVersion, store.AnyVersion}).Draw(rt, "version")}
	// Small numbers are drawn more often.
	switch rapid.IntRange(0, 13).Draw(rt, "edit") {
	case 0, 1:
		half := func(name string) *time.Time {
			n := rapid.IntRange(-1, 9).Draw(rt, name)
			if n < 0 {
				return nil
			}
			return new(now.Add(time.Duration(n) * 30 * time.Minute))
		}
		req.Edit.StartsAt, req.Edit.EndsAt, req.Edit.OpensAt = half("starts"), half("ends"), half("opens")
	case 2:
		asks := rapid.Bool().Draw(rt, "proof")
		req.Edit.RequiresProvenEmail = &asks
	case 3, 4:
		hour := func(name string) *time.Time {
			switch n := rapid.IntRange(0, 4).Draw(rt, name); n {
			case 0:
				return nil
			case 4:
				return &time.Time{}
			default:
				return new(now.Add(time.Duration(n) * time.Hour))
			}
		}
		req.Edit.OpensAt, req.Edit.ClosesAt = hour("opens"), hour("closes")
	case 5, 6, 7:
		on := rapid.Bool().Draw(rt, "waitlist")
		req.Edit.Waitlist = &on
	case 8, 9, 10, 11:
		capacity := rapid.Int64Range(1, 6).Draw(rt, "capacity")
		req.Edit.Capacity = &capacity
	default:
		req.Edit.Cancel = true
	}
	return req
}
