package registrations

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/search"
)

// maxAttendeeScan bounds how many attendees one page of a search looks at, so that a name that few
// have costs no more than one that all have. Such a page is short and still has a next one.
const maxAttendeeScan = 20_000

// guestList is what is asked for of the attendees of an event.
type guestList struct {
	status wire.Status // empty: all
	words  []string    // of a search; nil: none
	sort   string
	limit  int // 0: the whole list
	after  *guestPlace
	csv    *serve.CSVOptions // nil: JSON
}

// ListAttendees answers with a page of an event's guest list, or streams the whole of it.
func (a *Handlers) ListAttendees(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.EventID(r)
	if err != nil {
		return err
	}
	w.Header().Add("Vary", "Accept")
	list, err := guestListOf(r, id)
	if err != nil {
		return err
	}
	e, err := a.Store.Event(r.Context(), id)
	if err != nil {
		return err
	}
	if err := r.Caller.Require(e.OrganizerID, "Only the organizer may see the guest list."); err != nil {
		return err
	}
	if list.sorted() && e.TicketsSold+e.Waiting > input.MaxSorted {
		var f input.Fields
		f.Add("sort", fmt.Sprintf("must be %s or %s for an event with more than %d registrations", wire.SortNumber, wire.SortNumberDescending, input.MaxSorted))
		return f.Err()
	}
	if err := r.Charge(list.cost()); err != nil {
		return err
	}
	serve.NoStore(w)
	q := store.AttendeeQuery{EventID: id, Through: e.LastNumber, Descending: list.sort == wire.SortNumberDescending}
	switch list.status {
	case wire.Confirmed:
		q.Through = e.ConfirmedThrough
	case wire.Waitlisted:
		q.After = e.ConfirmedThrough
	}
	told := func(g store.Attendee) wire.Attendee { return attendeeOf(e, g) }
	switch {
	case list.limit > 0:
		return a.guestPage(w, r, list, q, told)
	case list.csv != nil:
		h := w.Header()
		h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="attendees-%s.csv"`, id.Hex()))
		return a.Stream(w, r, guestCSV(*list.csv), func(ctx context.Context) iter.Seq2[any, error] {
			return serve.Encoded(a.allAttendees(ctx, q), func(g store.Attendee) any { return told(g) })
		})
	}
	return a.StreamJSON(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		return serve.Encoded(a.allAttendees(ctx, q), func(g store.Attendee) any { return told(g) })
	})
}

// attendeeOf makes the body of an attendee of an event.
func attendeeOf(e store.Event, g store.Attendee) wire.Attendee {
	return wire.Attendee{
		UserID: g.UserID, Name: g.Name, Email: g.Email, Number: g.Number, RegisteredAt: g.RegisteredAt,
		Status: wire.StatusOf(e, store.Registration{Number: g.Number}),
	}
}

// sorted reports whether the order is one that no index has.
func (l guestList) sorted() bool { return l.sort == wire.SortName || l.sort == wire.SortTime }

// cost returns what the list costs: one that is sorted or searched reads more than it shows.
func (l guestList) cost() int {
	cost := serve.CostOfPage(l.limit)
	if l.sorted() || l.words != nil {
		cost *= serve.CostOfSearch
	}
	return cost
}

// guestListOf reads which attendees are asked for, and in which form.
func guestListOf(r *serve.Request, event store.ID) (guestList, error) {
	q := input.Query(r.URL)
	var f input.Fields
	l := guestList{limit: f.Limit(q), after: guestCursor(&f, event, q), status: wire.Status(q.Get("status")), sort: wire.SortNumber}
	if q.Has("status") {
		f.OneOf("status", q.Get("status"), string(wire.Confirmed), string(wire.Waitlisted))
	}
	if q.Has("sort") {
		l.sort = q.Get("sort")
		f.OneOf("sort", l.sort, wire.SortNumber, wire.SortNumberDescending, wire.SortName, wire.SortTime)
	}
	if q.Has("q") {
		l.words = f.Search("q", q.Get("q"))
	}
	l.csv = serve.CSVOptionsOf(&f, r)
	switch {
	case l.csv != nil && q.Has("limit"):
		f.Add("limit", "must be left out for CSV, which is the whole list")
	case l.limit == 0 && l.sorted():
		f.Add("sort", "must be "+wire.SortNumber+" or "+wire.SortNumberDescending+" without limit")
	case l.limit == 0 && q.Has("q"):
		f.Add("q", "must be left out without limit")
	}
	return l, f.Err()
}

// allAttendees reads attendees piece by piece, each within its own time limit, so that a slow reader
// keeps nothing open in the store.
func (a *Handlers) allAttendees(ctx context.Context, q store.AttendeeQuery) iter.Seq2[store.Attendee, error] {
	if q.Limit == 0 {
		q.Limit = rosterPiece
	}
	read := func() (piece []store.Attendee, err error) {
		err = a.Chunk(ctx, func(ctx context.Context) error {
			for g, err := range a.Store.Attendees(ctx, q) {
				if err != nil {
					return err
				}
				piece = append(piece, g)
			}
			return nil
		})
		return piece, err
	}
	return func(yield func(store.Attendee, error) bool) {
		for {
			piece, err := read()
			for _, g := range piece {
				if !yield(g, nil) {
					return
				}
			}
			if err != nil {
				yield(store.Attendee{}, err)
			}
			if err != nil || len(piece) < q.Limit {
				return
			}
			if last := piece[len(piece)-1].Number; q.Descending {
				q.Through = last - 1
			} else {
				q.After = last
			}
		}
	}
}

// guestPage sends one page, and in Link where the next one is.
func (a *Handlers) guestPage(w http.ResponseWriter, r *serve.Request, l guestList, q store.AttendeeQuery, told func(store.Attendee) wire.Attendee) error {
	read := a.pageByNumber
	if l.sorted() {
		read = a.pageSorted
	}
	guests, last, err := read(r.Context(), l, q)
	if err != nil {
		return err
	}
	if last != nil {
		values := input.Query(r.URL)
		serve.LinkNext(w, serve.AttendeesPath(q.EventID), values, l.limit, last.cursor(q.EventID, values))
	}
	page := make([]wire.Attendee, len(guests))
	for i, g := range guests {
		page[i] = told(g)
	}
	return serve.WriteRead(w, r, page)
}

// pageByNumber reads a page in the order of an index. last is the place at which the next page
// begins; nil: there is none.
func (a *Handlers) pageByNumber(ctx context.Context, l guestList, q store.AttendeeQuery) (page []store.Attendee, last *guestPlace, err error) {
	if l.after != nil && q.Descending {
		q.Through = min(q.Through, l.after.number-1)
	} else if l.after != nil {
		q.After = max(q.After, l.after.number)
	}
	if l.words == nil {
		q.Limit = l.limit + 1 // one more tells whether there is a next page
	}
	seen := 0
	for g, err := range a.allAttendees(ctx, q) {
		if err != nil {
			return nil, nil, err
		}
		if len(page) == l.limit || seen == maxAttendeeScan {
			return page, last, nil
		}
		seen++
		last = placeOf(g)
		if l.words == nil || len(l.words) > 0 && search.MatchesAttendee(g, l.words) {
			page = append(page, g)
		}
	}
	return page, nil, nil
}

// keyedGuest is an attendee with what a list is sorted by.
type keyedGuest struct {
	store.Attendee
	key string // the name in the form that is compared; empty when sorted by time
}

// pageSorted reads a page in an order that no index has: it reads all attendees and keeps those that
// come first after the cursor, in memory for two pages.
func (a *Handlers) pageSorted(ctx context.Context, l guestList, q store.AttendeeQuery) (page []store.Attendee, last *guestPlace, err error) {
	keyed := func(g store.Attendee) keyedGuest {
		if l.sort == wire.SortTime {
			return keyedGuest{Attendee: g}
		}
		return keyedGuest{g, search.NameKey(g)}
	}
	var after keyedGuest
	if l.after != nil {
		g := store.Attendee{UserID: l.after.userID, Number: l.after.number, RegisteredAt: l.after.registeredAt}
		u, err := a.Store.User(ctx, g.UserID)
		if err != nil && !errors.Is(err, store.ErrUserNotFound) {
			return nil, nil, err
		}
		g.Name = u.Name
		after = keyed(g)
	}
	most := l.limit + 1 // one more tells whether there is a next page
	first := make([]keyedGuest, 0, 2*most)
	for g, err := range a.allAttendees(ctx, q) {
		if err != nil {
			return nil, nil, err
		}
		k := keyed(g)
		if l.after != nil && l.compare(k, after) <= 0 || l.words != nil && (len(l.words) == 0 || !search.MatchesAttendee(g, l.words)) {
			continue
		}
		if first = append(first, k); len(first) == cap(first) {
			slices.SortFunc(first, l.compare)
			first = first[:most]
		}
	}
	slices.SortFunc(first, l.compare)
	for _, k := range first[:min(l.limit, len(first))] {
		page = append(page, k.Attendee)
	}
	if len(first) > l.limit {
		last = placeOf(page[l.limit-1])
	}
	return page, last, nil
}

// compare orders attendees by name, those without one last, or by time; then by number.
func (l guestList) compare(a, b keyedGuest) int {
	byNumber := cmp.Compare(a.Number, b.Number)
	if l.sort == wire.SortTime {
		return cmp.Or(a.RegisteredAt.Compare(b.RegisteredAt), byNumber)
	}
	if named := a.key != ""; named != (b.key != "") {
		if named {
			return -1
		}
		return 1
	}
	return cmp.Or(strings.Compare(a.key, b.key), byNumber)
}

// guestPlace is a place in a guest list, in whatever order.
type guestPlace struct {
	number       int64
	registeredAt time.Time
	userID       store.ID
}

// guestPlaceSize is the length of a place: the number, the time in milliseconds, and the user's id.
const guestPlaceSize = 8 + 8 + len(store.ID{})

func placeOf(g store.Attendee) *guestPlace { return &guestPlace{g.Number, g.RegisteredAt, g.UserID} }

// cursor makes the cursor of the page after the place.
func (p guestPlace) cursor(event store.ID, q url.Values) string {
	place := binary.BigEndian.AppendUint64(nil, uint64(p.number))
	place = binary.BigEndian.AppendUint64(place, uint64(p.registeredAt.UnixMilli()))
	return input.ListOf(serve.AttendeesPath(event), q).Cursor(append(place, p.userID[:]...))
}

// guestCursor reads the place after which a page begins; nil when it is the first one.
func guestCursor(f *input.Fields, event store.ID, q url.Values) *guestPlace {
	place := f.Cursor(input.ListOf(serve.AttendeesPath(event), q), q, guestPlaceSize)
	if place == nil {
		return nil
	}
	return &guestPlace{
		number:       int64(binary.BigEndian.Uint64(place)),
		registeredAt: time.UnixMilli(int64(binary.BigEndian.Uint64(place[8:]))).UTC(),
		userID:       store.ID(place[16:]),
	}
}

// guestCSV makes CSV of a guest list.
func guestCSV(o serve.CSVOptions) serve.ListFormat {
	return o.Format([]string{"number", "status", "name", "email", "registered_at", "user_id"}, func(item any) []string {
		g := item.(wire.Attendee)
		return []string{strconv.FormatInt(g.Number, 10), string(g.Status), serve.Defused(g.Name), serve.Defused(g.Email),
			g.RegisteredAt.Format(time.RFC3339Nano), g.UserID.Hex()}
	})
}
