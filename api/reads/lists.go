package reads

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/eventio/eventio/internal/fresh"
	"github.com/eventio/eventio/pkg/store"
)

// A list of more than longList registrations is read for whoever asks for it alone. Those who share a read have room for as many of
// one of them and usualList of each.
const longList, usualList = 100, 20

// maxLong bounds how many users are known to have long lists.
const maxLong = 4096

// errLongList is the error of a list that is not read with others.
var errLongList = errors.New("the list is long")

// lists reads lists of registrations.
type lists struct {
	store  Store
	shared *fresh.Reads[store.ID, []store.UserRegistration]

	mu   sync.Mutex
	long map[store.ID]bool // whose list was long when it was read; it says how to read it now, and nothing of what is in it
}

func newLists(st Store, c Config, common func(error) bool) *lists {
	l := &lists{store: st, long: make(map[store.ID]bool)}
	l.shared = fresh.New(fresh.Source[store.ID, []store.UserRegistration]{
		One: func(ctx context.Context, user store.ID) ([]store.UserRegistration, error) {
			found, err := l.readShort(ctx, []store.ID{user})
			if list, short := found[user]; short || err != nil {
				return list, err
			}
			return nil, errLongList
		},
		Many: l.readShort, Missing: func(store.ID) error { return errLongList }, Common: common, Timeout: c.Timeout, Go: c.Go,
	})
	return l
}

// readShort reads the lists of those users who have no long one. It reads again while a long one has left no room for others: the first
// of the lists, at least, is whole then, or longer than longList.
func (l *lists) readShort(ctx context.Context, users []store.ID) (map[store.ID][]store.UserRegistration, error) {
	short := make(map[store.ID][]store.UserRegistration, len(users))
	for rest := slices.Clone(users); len(rest) > 0; {
		got, err := l.store.UserLists(ctx, rest, longList+usualList*len(rest))
		if err != nil {
			return nil, err
		}
		tooLong := got.Read > longList
		if tooLong {
			l.note(got.Cut)
		}
		for user, list := range got.Whole {
			if short[user] = list; len(list) > longList {
				l.note(user)
			}
		}
		rest = slices.DeleteFunc(rest, func(user store.ID) bool {
			_, whole := got.Whole[user]
			return whole || tooLong && user == got.Cut
		})
	}
	return short, nil
}

// note notes that a list is long.
func (l *lists) note(user store.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for other := range l.long {
		if len(l.long) < maxLong {
			break
		}
		delete(l.long, other) // whichever: it is noted again
	}
	l.long[user] = true
}

// isLong reports whether a list was long.
func (l *lists) isLong(user store.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.long[user]
}

// read is Reads.UserRegistrations.
func (l *lists) read(ctx context.Context, user, before store.ID, limit int) iter.Seq2[store.UserRegistration, error] {
	alone := l.store.UserRegistrations(ctx, user, before, limit)
	if !before.IsZero() || l.isLong(user) {
		return alone
	}
	return func(yield func(store.UserRegistration, error) bool) {
		list, err := l.shared.Read(ctx, user)
		switch {
		case errors.Is(err, errLongList):
			alone(yield)
			return
		case err != nil:
			yield(store.UserRegistration{}, ended(ctx, err))
			return
		case limit > 0 && len(list) > limit:
			list = list[:limit]
		}
		for _, registration := range list {
			if !yield(registration, nil) {
				return
			}
		}
	}
}
