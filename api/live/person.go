package live

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
)

const (
	// maxFollowed is how many registrations of a person are followed: those of the newest events.
	maxFollowed = 100
	// replayBefore is how much before the last change that a client has, by its time, changes are told
	// again: the clocks of workers may be that far apart.
	replayBefore = 5 * time.Second
)

// seqRegistrations is what Store.UserRegistrations returns.
type seqRegistrations = iter.Seq2[store.UserRegistration, error]

// personFeed reads what happens to a person's registrations.
type personFeed struct {
	store Store
	user  store.ID
	known map[store.ID]*followed // by event; nil: nothing was read
}

// followed is a registration as it was last read.
type followed struct {
	fingerprint fingerprint
	// recorded and before are store.Event.Recorded as it was last read and the time before. A read of a
	// registration and of its event are not one moment, so only what the time before covers is surely
	// known.
	recorded, before int64
	told             []string // the ids of the changes told last
}

// fingerprint changes with everything that happens to a registration.
type fingerprint struct {
	number, revision     int64
	cancelled, confirmed bool
}

func fingerprintOf(h store.UserRegistration) fingerprint {
	f := fingerprint{number: h.Registration.Number, cancelled: h.Registration.Cancelled}
	f.confirmed = !f.cancelled && h.Event.Confirmed(h.Registration)
	if n := len(h.Registration.Revisions); n > 0 {
		f.revision = h.Registration.Revisions[n-1]
	}
	return f
}

func newPersonFeed(st Store, user store.ID) *personFeed { return &personFeed{store: st, user: user} }

// Read implements Feed. The first time it only learns what there is.
func (f *personFeed) Read(ctx context.Context) (frames []Frame, next time.Time, err error) {
	held, err := registrationsOf(ctx, f.store, f.user)
	if err != nil {
		return nil, next, err
	}
	first := f.known == nil
	if first {
		f.known = make(map[store.ID]*followed)
	}
	for _, h := range held {
		print, known := fingerprintOf(h), f.known[h.Event.ID]
		switch {
		case known == nil && first:
			f.known[h.Event.ID] = &followed{print, h.Event.Recorded, h.Event.Recorded, nil}
			continue
		case known == nil:
			known = new(followed)
		}
		if known.fingerprint != print {
			some, told, err := f.changesOf(ctx, h, known)
			if err != nil {
				return frames, next, err // the next read tells the rest
			}
			frames = append(frames, some...)
			known.told = told
		}
		known.fingerprint, known.before, known.recorded = print, known.recorded, h.Event.Recorded
		f.known[h.Event.ID] = known
	}
	return frames, next, nil
}

// changesOf reads what has happened to a registration since it was known.
func (f *personFeed) changesOf(ctx context.Context, h store.UserRegistration, known *followed) (frames []Frame, told []string, err error) {
	items, err := changes.OfRegistration(ctx, f.store, h)
	if err != nil {
		return nil, nil, err
	}
	for _, item := range items {
		if item.Record.Revision <= known.before {
			continue
		}
		frame, err := changeFrame(item)
		if err != nil {
			return nil, nil, err
		}
		told = append(told, frame.ID)
		if !slices.Contains(known.told, frame.ID) {
			frames = append(frames, frame)
		}
	}
	return frames, told, nil
}

// registrationsOf reads the registrations of a person that are followed.
func registrationsOf(ctx context.Context, st Store, user store.ID) (held []store.UserRegistration, err error) {
	for h, err := range st.UserRegistrations(ctx, user, store.ID{}, maxFollowed) {
		if err != nil {
			return nil, err
		}
		held = append(held, h)
	}
	return held, nil
}

// changeFrame makes a frame of an item of the record. Its id has the time, so that a client that comes
// back is told what it has missed.
func changeFrame(item changes.ItemOf) (Frame, error) {
	change := wire.OwnChangeOf(item.Record, item.Item)
	return newFrame(OwnChange, strconv.FormatInt(change.At.UnixMilli(), 10)+"-"+change.ID, change)
}

// missed returns the changes of a person since the one of a Last-Event-ID, in the order of their times.
// It returns none for what is no such id.
func missed(ctx context.Context, st Store, user store.ID, last string) ([]Frame, error) {
	text, _, ok := strings.Cut(last, "-")
	millis, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return nil, nil
	}
	since := time.UnixMilli(millis).Add(-replayBefore)
	held, err := registrationsOf(ctx, st, user)
	if err != nil {
		return nil, err
	}
	var items []changes.ItemOf
	for _, h := range held {
		of, err := changes.OfRegistration(ctx, st, h)
		if err != nil {
			return nil, err
		}
		for _, item := range of {
			if !item.Action.At.Before(since) {
				items = append(items, item)
			}
		}
	}
	slices.SortStableFunc(items, func(a, b changes.ItemOf) int { return a.Action.At.Compare(b.Action.At) })
	var frames []Frame
	for _, item := range items {
		frame, err := changeFrame(item)
		if err != nil {
			return nil, err
		}
		if frame.ID != last {
			frames = append(frames, frame)
		}
	}
	return frames, nil
}
