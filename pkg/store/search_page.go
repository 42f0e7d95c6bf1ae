package store

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// EventList is a list of events by StartsAt, then ID, that an adapter has an index for: all
// events, those of an organizer, those that are available, those of an organizer that are
// available, or those with a word that begins so (then the other two are zero). An index may
// be older than its events: whoever reads by it compares what it reads.
type EventList struct {
	OrganizerID ID
	Available   bool
	Beginning   string // see Event.Beginnings
}

// EventSpan is a part of an EventList, in either order.
type EventSpan struct {
	EventList
	From, To   time.Time // From <= StartsAt < To; zero: no bound
	Descending bool
	Begin      *EventPlace // the first place that counts; nil: all do
	Limit      int         // events at most, from 1
}

// EventReader reads the lists of events by their indexes. All of it costs as much as what it
// returns, and no more. Errors: ErrUnavailable.
type EventReader interface {
	// EventsIn reads the events of a span.
	EventsIn(ctx context.Context, span EventSpan) ([]Event, error)
	// PlacesIn reads their places, from the index alone.
	PlacesIn(ctx context.Context, span EventSpan) ([]EventPlace, error)
	// EventsByID reads those of the events that there are, in any order.
	EventsByID(ctx context.Context, ids []ID) ([]Event, error)
}

const (
	// maxLists is how many indexes a search is looked up in; the conditions beyond that are
	// compared with the events that they leave.
	maxLists = 4
	// A page looks at scanFactor times its events, and at least at leastScan, before it stops
	// with fewer than it was asked for.
	scanFactor = 20
	leastScan  = 1000
	// placesAtOnce is how many places of a list are read at once, at least.
	placesAtOnce = 256
)

// ReadEvents makes a page from the lists of an adapter: it is FindEvents for all of them.
//
// One condition, with its order, is one index, and read as it is. So is the beginning of the
// first list of several: often that makes a page, or is all there is. Then each round reads a
// piece of every list, goes by the one that gets farthest with it, which is the most selective
// one there, and reads those events that no other list excludes.
func ReadEvents(ctx context.Context, from EventReader, q EventQuery) (EventPage, error) {
	q.Limit = cmp.Or(q.Limit, DefaultPage)
	if q.Words != nil && len(q.Words) == 0 {
		return EventPage{}, nil
	}
	l := listing{from: from, query: q, left: max(leastScan, scanFactor*q.Limit)}
	if q.After != nil {
		place := q.After.following(q.Descending)
		l.begin = &place
	}
	lists := q.lists()
	for first := true; ; first = false {
		var last *EventPlace
		var err error
		switch {
		case len(lists) == 1:
			last, err = l.single(ctx, lists[0], q.Limit-len(l.page)+1) // one more tells whether there is a next page
		case first:
			last, err = l.single(ctx, lists[0], max(q.Limit+1, min(4*q.Limit, placesAtOnce)))
		default:
			last, err = l.several(ctx, lists)
		}
		switch {
		case err != nil:
			return EventPage{}, err
		case l.more:
			place := l.page[q.Limit-1].At()
			return EventPage{l.page, &place}, nil
		case last == nil:
			return EventPage{l.page, nil}, nil
		case l.left <= 0:
			return EventPage{l.page, last}, nil
		}
		place := last.following(q.Descending)
		l.begin = &place
	}
}

// lists are the lists that a query selects from, each a condition that all its events meet.
func (q EventQuery) lists() []EventList {
	var lists []EventList
	if q.Available || !q.OrganizerID.IsZero() || len(q.Words) == 0 {
		lists = append(lists, EventList{OrganizerID: q.OrganizerID, Available: q.Available})
	}
	// The longest words first: they are the rarest.
	words := slices.SortedStableFunc(slices.Values(q.Words), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, w := range words {
		list := EventList{Beginning: beginning(w)}
		if len(lists) < maxLists && !slices.Contains(lists, list) {
			lists = append(lists, list)
		}
	}
	return lists
}

// listing is a page under way.
type listing struct {
	from  EventReader
	query EventQuery
	begin *EventPlace // where the next reading begins
	page  []Event
	more  bool // one more event was found than the page takes
	left  int  // how many places and events may still be looked at
}

func (l *listing) span(list EventList, limit int) EventSpan {
	return EventSpan{list, l.query.From, l.query.To, l.query.Descending, l.begin, limit}
}

// add puts an event that was read into the page if the query asks for it, and reports whether
// there is room for another one.
func (l *listing) add(e Event) bool {
	l.left--
	if !l.query.Matches(e) {
		return true
	}
	if len(l.page) == l.query.Limit {
		l.more = true
		return false
	}
	l.page = append(l.page, e)
	return true
}

// single reads that many events of a list, and returns the last place that it looked at, or
// nil at the end of the list.
func (l *listing) single(ctx context.Context, list EventList, want int) (*EventPlace, error) {
	events, err := l.from.EventsIn(ctx, l.span(list, want))
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if !l.add(e) {
			return nil, nil
		}
	}
	if len(events) < want {
		return nil, nil
	}
	last := events[want-1].At()
	return &last, nil
}

// several reads on where several lists meet. It returns what single does.
func (l *listing) several(ctx context.Context, lists []EventList) (*EventPlace, error) {
	limit := max(placesAtOnce, l.query.Limit+1)
	pieces := make([]piece, len(lists))
	lead := 0
	for i, list := range lists {
		places, err := l.from.PlacesIn(ctx, l.span(list, limit))
		if err != nil {
			return nil, err
		}
		l.left -= len(places)
		pieces[i] = piece{places, len(places) < limit, l.query.Descending}
		if pieces[i].farther(pieces[lead]) {
			lead = i
		}
	}
	candidates := slices.DeleteFunc(slices.Clone(pieces[lead].places), func(p EventPlace) bool {
		return slices.ContainsFunc(pieces, func(other piece) bool { return other.excludes(p) })
	})
	for some := range slices.Chunk(candidates, max(1, l.query.Limit-len(l.page)+1)) {
		if more, err := l.fetch(ctx, some); err != nil || !more {
			return nil, err
		}
	}
	if pieces[lead].whole {
		return nil, nil
	}
	last := pieces[lead].places[limit-1]
	return &last, nil
}

// fetch reads the events at these places and adds them.
func (l *listing) fetch(ctx context.Context, places []EventPlace) (more bool, err error) {
	ids := make([]ID, len(places))
	for i, p := range places {
		ids[i] = p.ID
	}
	events, err := l.from.EventsByID(ctx, ids)
	if err != nil {
		return false, err
	}
	byPlace := make(map[EventPlace]Event, len(events))
	for _, e := range events {
		byPlace[e.At()] = e
	}
	for _, p := range places {
		// One that has moved meanwhile is met where it is now, or was.
		if e, ok := byPlace[p]; ok && !l.add(e) {
			return false, nil
		}
	}
	return true, nil
}

// piece is what was read of one list.
type piece struct {
	places     []EventPlace // in order
	whole      bool         // nothing comes behind them
	descending bool
}

// farther reports whether a piece covers more of the order than another one; of two that are
// whole, the one with fewer events.
func (p piece) farther(other piece) bool {
	if p.whole || other.whole {
		return p.whole && (!other.whole || len(p.places) < len(other.places))
	}
	return p.compare(p.places[len(p.places)-1], other.places[len(other.places)-1]) > 0
}

func (p piece) compare(a, b EventPlace) int {
	if p.descending {
		a, b = b, a
	}
	return a.Compare(b)
}

// excludes reports whether a place is surely not in the list.
func (p piece) excludes(place EventPlace) bool {
	at, found := slices.BinarySearchFunc(p.places, place, p.compare)
	return !found && (at < len(p.places) || p.whole)
}
