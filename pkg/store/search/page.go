package search

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// EventIndex names a list of events, ordered by StartsAt, then ID, that an adapter has an index
// for: all events; those of an organizer; the available ones; the available ones of an organizer;
// or those with a word that begins with WordPrefix, for which the other fields are zero. An index
// may be out of date: whoever reads events by it must compare them with the condition.
type EventIndex struct {
	OrganizerID store.ID
	Available   bool
	WordPrefix  string // one of WordPrefixes
}

// EventRange is a part of an EventIndex.
type EventRange struct {
	EventIndex
	From, To   time.Time // From <= StartsAt < To; zero: no bound
	Descending bool
	Begin      *store.EventCursor // the first cursor in the range; nil: no bound
	Limit      int                // events at most, from 1
}

// EventReader reads events by the indexes of an adapter. Each call costs as much as what it
// returns. Errors: ErrUnavailable.
type EventReader interface {
	// ReadRange reads the events of a range.
	ReadRange(ctx context.Context, r EventRange) ([]store.Event, error)
	// ReadCursors reads the cursors of the events of a range, from the index alone.
	ReadCursors(ctx context.Context, r EventRange) ([]store.EventCursor, error)
	// ReadByID reads those of the events that exist, in any order.
	ReadByID(ctx context.Context, ids []store.ID) ([]store.Event, error)
}

const (
	// maxIndexes is how many indexes a search uses; further conditions are only compared with the
	// events that these indexes find.
	maxIndexes = 4
	// A page looks at scanFactor times as many events and cursors as its limit, and at least at
	// minScan, before it stops with fewer than its limit.
	scanFactor = 20
	minScan    = 1000
	// minCursors is how many cursors of an index are read at once, at least.
	minCursors = 256
)

// ReadEvents makes a page of events by the indexes of an adapter: all adapters implement
// Events.FindEvents by it.
//
// One condition, with the order, is one index, and is read as it is. With several conditions the
// beginning of the first index is read as well: often that is enough for a page, or is all there
// is. Then each round reads a chunk of cursors of every index, takes that of the index that gets
// farthest in the order, which is the most selective one there, and reads those of its events that
// no other index excludes.
func ReadEvents(ctx context.Context, from EventReader, q store.EventQuery) (store.EventPage, error) {
	q.Limit = cmp.Or(q.Limit, store.DefaultPage)
	if q.Words != nil && len(q.Words) == 0 {
		return store.EventPage{}, nil
	}
	s := pageScan{from: from, query: q, budget: max(minScan, scanFactor*q.Limit)}
	if q.After != nil {
		begin := next(*q.After, q.Descending)
		s.begin = &begin
	}
	indexes := indexesOf(q)
	for first := true; ; first = false {
		var last *store.EventCursor
		var err error
		switch {
		case len(indexes) == 1 && !q.EndsAfter.IsZero(): // most of what is read may have ended
			last, err = s.scanOne(ctx, indexes[0], max(q.Limit+1, minCursors))
		case len(indexes) == 1:
			last, err = s.scanOne(ctx, indexes[0], q.Limit-len(s.page)+1) // one more tells whether there is a next page
		case first:
			last, err = s.scanOne(ctx, indexes[0], max(q.Limit+1, min(4*q.Limit, minCursors)))
		default:
			last, err = s.intersect(ctx, indexes)
		}
		switch {
		case err != nil:
			return store.EventPage{}, err
		case s.more:
			next := s.page[q.Limit-1].Cursor()
			return store.EventPage{Events: s.page, Next: &next}, nil
		case last == nil:
			return store.EventPage{Events: s.page}, nil
		case s.budget <= 0:
			return store.EventPage{Events: s.page, Next: last}, nil
		}
		begin := next(*last, q.Descending)
		s.begin = &begin
	}
}

// indexesOf returns the indexes of a query: each is a condition that all its events meet.
func indexesOf(q store.EventQuery) []EventIndex {
	var indexes []EventIndex
	if q.Available || !q.OrganizerID.IsZero() || len(q.Words) == 0 {
		indexes = append(indexes, EventIndex{OrganizerID: q.OrganizerID, Available: q.Available})
	}
	// The longest words first: they are the rarest.
	words := slices.SortedStableFunc(slices.Values(q.Words), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, w := range words {
		index := EventIndex{WordPrefix: indexedPrefix(w)}
		if len(indexes) < maxIndexes && !slices.Contains(indexes, index) {
			indexes = append(indexes, index)
		}
	}
	return indexes
}

// pageScan is the state of ReadEvents.
type pageScan struct {
	from   EventReader
	query  store.EventQuery
	begin  *store.EventCursor // where the next reading begins
	page   []store.Event
	more   bool // one more event was found than the page takes
	budget int  // how many cursors and events may still be looked at
}

func (s *pageScan) rangeOf(index EventIndex, limit int) EventRange {
	return EventRange{index, s.query.From, s.query.To, s.query.Descending, s.begin, limit}
}

// add adds an event that was read to the page if the query selects it, and reports whether the
// page takes another one.
func (s *pageScan) add(e store.Event) bool {
	s.budget--
	if !Matches(s.query, e) {
		return true
	}
	if len(s.page) == s.query.Limit {
		s.more = true
		return false
	}
	s.page = append(s.page, e)
	return true
}

// scanOne reads and adds up to limit events of one index. It returns the cursor of the last event
// that it read; nil: the index has no more.
func (s *pageScan) scanOne(ctx context.Context, index EventIndex, limit int) (*store.EventCursor, error) {
	events, err := s.from.ReadRange(ctx, s.rangeOf(index, limit))
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if !s.add(e) {
			return nil, nil
		}
	}
	if len(events) < limit {
		return nil, nil
	}
	last := events[limit-1].Cursor()
	return &last, nil
}

// intersect reads a chunk of each index and adds the events that are in all of them. It returns
// the last cursor up to which it did so; nil: one of the indexes has no more.
func (s *pageScan) intersect(ctx context.Context, indexes []EventIndex) (*store.EventCursor, error) {
	limit := max(minCursors, s.query.Limit+1)
	chunks := make([]indexChunk, len(indexes))
	farthest := 0
	for i, index := range indexes {
		cursors, err := s.from.ReadCursors(ctx, s.rangeOf(index, limit))
		if err != nil {
			return nil, err
		}
		s.budget -= len(cursors)
		chunks[i] = indexChunk{cursors, len(cursors) < limit, s.query.Descending}
		if chunks[i].farther(chunks[farthest]) {
			farthest = i
		}
	}
	candidates := slices.DeleteFunc(slices.Clone(chunks[farthest].cursors), func(c store.EventCursor) bool {
		return slices.ContainsFunc(chunks, func(other indexChunk) bool { return other.excludes(c) })
	})
	for some := range slices.Chunk(candidates, max(1, s.query.Limit-len(s.page)+1)) {
		if more, err := s.readCandidates(ctx, some); err != nil || !more {
			return nil, err
		}
	}
	if chunks[farthest].complete {
		return nil, nil
	}
	last := chunks[farthest].cursors[limit-1]
	return &last, nil
}

// readCandidates reads the events at these cursors and adds them. more reports whether the page
// takes another one.
func (s *pageScan) readCandidates(ctx context.Context, cursors []store.EventCursor) (more bool, err error) {
	ids := make([]store.ID, len(cursors))
	for i, c := range cursors {
		ids[i] = c.ID
	}
	events, err := s.from.ReadByID(ctx, ids)
	if err != nil {
		return false, err
	}
	byCursor := make(map[store.EventCursor]store.Event, len(events))
	for _, e := range events {
		byCursor[e.Cursor()] = e
	}
	for _, c := range cursors {
		// An event whose StartsAt has changed since is left to where it is now.
		if e, ok := byCursor[c]; ok && !s.add(e) {
			return false, nil
		}
	}
	return true, nil
}

// indexChunk is what was read of one index.
type indexChunk struct {
	cursors    []store.EventCursor // in order
	complete   bool                // the index has no more behind them
	descending bool
}

// farther reports whether the chunk covers more of the order than another one. One that is complete
// covers all of it.
func (c indexChunk) farther(other indexChunk) bool {
	if c.complete || other.complete {
		return !other.complete
	}
	return c.compare(c.cursors[len(c.cursors)-1], other.cursors[len(other.cursors)-1]) > 0
}

func (c indexChunk) compare(a, b store.EventCursor) int {
	if c.descending {
		a, b = b, a
	}
	return a.Compare(b)
}

// excludes reports whether the chunk shows that a cursor is not in its index.
func (c indexChunk) excludes(cursor store.EventCursor) bool {
	at, found := slices.BinarySearchFunc(c.cursors, cursor, c.compare)
	return !found && (at < len(c.cursors) || c.complete)
}

// All reads all events that q selects, page by page, in bounded memory; q.Limit is the size
// of a page. An event whose StartsAt changes during the reading may be left out, or be read twice.
// All yields an error at most once, as the last element.
func All(ctx context.Context, from store.Events, q store.EventQuery) iter.Seq2[store.Event, error] {
	return func(yield func(store.Event, error) bool) {
		for {
			page, err := from.FindEvents(ctx, q)
			if err != nil {
				yield(store.Event{}, err)
				return
			}
			for _, e := range page.Events {
				if !yield(e, nil) {
					return
				}
			}
			if page.Next == nil {
				return
			}
			q.After = page.Next
		}
	}
}
