package identity

import (
	"context"
	"sync"
	"time"
	"unicode/utf8"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
)

const (
	// notedKept is how many people a process remembers to have noted, 12 bytes each and a list of them.
	notedKept = 100_000
	// notedWaiting is how many wait to be noted, about 100 bytes each and 1 KB at most. Who comes when it is full is noted
	// when they come again.
	notedWaiting = 32_768
	// notedAtOnce is how many are noted at a time.
	notedAtOnce = 128
	// noteLimit bounds one noting.
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

// People is where a Noter notes people: a foreign.Identities has it.
type People interface {
	NotePeople(ctx context.Context, people []store.User) error
}

// Noter notes the people of other issuers as users, at first sight, so that organizers see names and
// people get mail. It is no part of any request: Note never waits. It is safe for concurrent use.
type Noter struct {
	people People
	log    zerolog.Logger
	seen   *lru.Cache[store.ID, struct{}]
	queue  chan noted
	done   sync.WaitGroup
	end    context.CancelFunc
}

type noted struct {
	id      store.ID
	profile Profile
}

// NewNoter starts to note people in a store, which stays the caller's, until Close.
func NewNoter(people People, log zerolog.Logger) *Noter {
	seen, err := lru.New[store.ID, struct{}](notedKept)
	if err != nil { // cannot happen: the size is above 0
		panic(err)
	}
	ctx, end := context.WithCancel(context.Background())
	n := &Noter{
		people: people, seen: seen, queue: make(chan noted, notedWaiting), end: end,
		log: log.Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Second}),
	}
	n.done.Go(func() { n.run(ctx) })
	return n
}

// Note has a person noted soon, unless they were noted before.
func (n *Noter) Note(id store.ID, p Profile) {
	if n.seen.Contains(id) {
		return
	}
	// What is longer is no name and no address that note takes, and would take up room until then.
	if len(p.Name) > maxName*utf8.UTFMax {
		p.Name = ""
	}
	if len(p.Email) > text.MaxAddress {
		p.Email = ""
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
		some, ok := n.some(ctx)
		if !ok {
			return
		}
		if err := n.note(ctx, some); err != nil && ctx.Err() == nil {
			for _, who := range some {
				n.seen.Remove(who.id)
			}
			n.log.Warn().Err(err).Int("people", len(some)).Msg("some people of another issuer are not noted yet")
		}
	}
}

// some waits for somebody, and returns those who wait by then. It reports false when ctx ends.
func (n *Noter) some(ctx context.Context) (some []noted, ok bool) {
	select {
	case <-ctx.Done():
		return nil, false
	case who := <-n.queue:
		some = append(some, who)
	}
	for len(some) < notedAtOnce {
		select {
		case who := <-n.queue:
			some = append(some, who)
		default:
			return some, true
		}
	}
	return some, true
}

// note stores users for some people.
func (n *Noter) note(ctx context.Context, some []noted) error {
	ctx, cancel := context.WithTimeout(ctx, noteLimit)
	defer cancel()
	now := time.Now().UTC().Truncate(time.Millisecond)
	people := make([]store.User, len(some))
	for i, who := range some {
		u := foreign.WithFreedEmail(store.User{ID: who.id, Name: "-", CreatedAt: now})
		if name, err := text.Line(who.profile.Name, maxName); err == nil {
			u.Name = name
		}
		if address, _, err := text.Address(who.profile.Email); err == nil {
			u.Email, u.EmailProvenAt = address, now
		}
		people[i] = u
	}
	return n.people.NotePeople(ctx, people)
}
