package identity

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store"
)

const (
	// notedKept is how many people a process remembers to have noted, 12 bytes each and a list of them.
	notedKept = 100_000
	// notedWaiting is how many wait to be noted, about 100 bytes each. Who comes when it is full is noted when they come
	// again.
	notedWaiting = 32_768
	// notedRest is how many times as long as the noting of one person took the next one waits while seats are asked for:
	// at an opening everybody is new, and noting all at once took 0.3 of the goodput.
	notedRest = 9
	// notedAtOnce is how many are noted at a time: few, because seats come first.
	notedAtOnce = 4
	// noteLimit bounds the noting of one person.
	noteLimit = 5 * time.Second
	// maxName is the longest name, in characters: what a sign-up takes.
	maxName = 200
)

// Profile is what a proof says of a person beside who it is.
type Profile struct {
	Name string
	// Email is an address that the issuer has seen proven; "": there is none.
	Email string
}

// Users is what a Noter asks of a store: a store.Store has it.
type Users interface {
	User(ctx context.Context, id store.ID) (store.User, error)
	CreateUser(ctx context.Context, u store.User) error
	ErasedAt(ctx context.Context, id store.ID) (time.Time, error)
}

// Noter notes the people of other issuers as users, at first sight, so that organizers see names and
// people get mail. It is no part of any request: Note never waits. It is safe for concurrent use.
type Noter struct {
	users Users
	log   zerolog.Logger
	seen  *lru.Cache[store.ID, struct{}]
	queue chan noted
	busy  atomic.Pointer[func() bool] // nil: never; see GiveWay
	done  sync.WaitGroup
	end   context.CancelFunc
}

type noted struct {
	id      store.ID
	profile Profile
}

// NewNoter starts to note people in users, which stay the caller's, until Close.
func NewNoter(users Users, log zerolog.Logger) *Noter {
	seen, err := lru.New[store.ID, struct{}](notedKept)
	if err != nil { // cannot happen: the size is above 0
		panic(err)
	}
	ctx, end := context.WithCancel(context.Background())
	n := &Noter{
		users: users, seen: seen, queue: make(chan noted, notedWaiting), end: end,
		log: log.Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second}),
	}
	for range notedAtOnce {
		n.done.Go(func() { n.run(ctx) })
	}
	return n
}

// GiveWay lets the noting rest most of the time while busy reports that others need the store more.
func (n *Noter) GiveWay(busy func() bool) { n.busy.Store(&busy) }

// Note has a person noted soon, unless they were noted before.
func (n *Noter) Note(id store.ID, p Profile) {
	if n.seen.Contains(id) {
		return
	}
	if len(p.Name) > maxName*utf8.UTFMax {
		p.Name = "" // note would not take it, and it would take up room until then
	}
	select {
	case n.queue <- noted{id, p}:
		n.seen.Add(id, struct{}{})
	default: // when they come again
	}
}

// Close ends the noting: who still waits is noted when they come again. It may come twice.
func (n *Noter) Close() {
	n.end()
	n.done.Wait()
}

func (n *Noter) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case who := <-n.queue:
			began := time.Now()
			if err := n.note(ctx, who); err != nil && ctx.Err() == nil {
				n.seen.Remove(who.id)
				n.log.Warn().Err(err).Str("user_id", who.id.Hex()).Msg("somebody of another issuer is not noted yet")
			}
			n.rest(ctx, notedRest*time.Since(began))
		}
	}
}

// rest waits that long if others need the store more.
func (n *Noter) rest(ctx context.Context, long time.Duration) {
	if busy := n.busy.Load(); busy == nil || !(*busy)() {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(long):
	}
}

// note stores a user for somebody, if there is none. An address that somebody else has is left to them.
func (n *Noter) note(ctx context.Context, who noted) error {
	ctx, cancel := context.WithTimeout(ctx, noteLimit)
	defer cancel()
	_, err := n.users.User(ctx, who.id)
	if !errors.Is(err, store.ErrUserNotFound) {
		return err
	}
	if at, err := n.users.ErasedAt(ctx, who.id); err != nil || !at.IsZero() {
		return err
	}
	u := store.User{ID: who.id, Name: "-", Email: store.FreedEmail(who.id), CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	if name, err := text.Line(who.profile.Name, maxName); err == nil {
		u.Name = name
	}
	if address, _, err := text.Address(who.profile.Email); err == nil {
		withAddress := u
		withAddress.Email, withAddress.EmailProvenAt = address, u.CreatedAt
		if err := n.users.CreateUser(ctx, withAddress); !errors.Is(err, store.ErrEmailTaken) {
			return err
		}
	}
	if err := n.users.CreateUser(ctx, u); !errors.Is(err, store.ErrEmailTaken) {
		return err
	}
	return nil // another process was faster
}
