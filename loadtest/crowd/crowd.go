// Package crowd is the people who make a load: their ids, their tokens, and what they ask for.
package crowd

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/store"
)

// Crowd is the people who want seats. Their tokens are signed with a key that the API is
// given too, so nobody has to hash a password.
type Crowd struct {
	AuthKeys string // as EVENTIO_AUTH_KEYS has it
	keys     identity.Keys
	minted   []Member
	used     atomic.Int64 // how many of minted have asked for a seat
}

// Member is somebody with a token.
type Member struct {
	ID    store.ID
	Token string
}

// New makes one with a key of its own.
func New() (*Crowd, error) {
	secret := make([]byte, identity.MinSecret)
	_, _ = rand.Read(secret) // never fails
	c := &Crowd{AuthKeys: "bench:" + base64.RawURLEncoding.EncodeToString(secret)}
	var err error
	c.keys, err = identity.ParseKeys(c.AuthKeys)
	return c, err
}

// Mint makes somebody with a token.
func (c *Crowd) Mint() (Member, error) {
	id := store.NewID()
	token, err := c.token(id)
	return Member{id, token}, err
}

func (c *Crowd) token(id store.ID) (string, error) {
	token, _, err := c.keys.Mint(identity.Person{ID: id}, time.Now(), identity.MaxLifetime)
	return token, err
}

// Members gives users their tokens, in token mode.
func (c *Crowd) Members(ids []store.ID, auth string) ([]Member, error) {
	all := make([]Member, len(ids))
	for i, id := range ids {
		all[i] = Member{ID: id}
		if auth == setup.Token {
			var err error
			if all[i].Token, err = c.token(id); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// Prepare gives requests as Requests does, and in token mode signs tokens for the first n of
// them before: doing it while the load runs would slow it.
func (c *Crowd) Prepare(n int, events []store.ID, auth string) (func() (load.Request, bool), error) {
	if auth == setup.Trusted {
		return c.Requests(events, auth), nil
	}
	rest := make([]Member, n)
	c.minted = rest
	c.used.Store(0)
	half := len(rest) / 2
	var wg sync.WaitGroup
	var errs [2]error
	for i, part := range [][]Member{rest[:half], rest[half:]} {
		wg.Go(func() {
			for k := range part {
				if part[k], errs[i] = c.Mint(); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("sign tokens: %w", err)
		}
	}
	return c.Requests(events, auth), nil
}

// Requests gives new users' requests for seats of the events in turn. In token mode they are those who
// were prepared, as long as there are any.
func (c *Crowd) Requests(events []store.ID, auth string) func() (load.Request, bool) {
	var asked atomic.Int64
	return func() (load.Request, bool) {
		m := c.next(auth)
		return load.Request{Seat: load.Seat{Event: events[int(asked.Add(1)-1)%len(events)], User: m.ID}, Token: m.Token}, true
	}
}

// next is somebody who has never asked for a seat.
func (c *Crowd) next(auth string) Member {
	if auth == setup.Trusted {
		return Member{ID: store.NewID()}
	}
	if i := int(c.used.Add(1) - 1); i < len(c.minted) {
		return c.minted[i]
	}
	m, _ := c.Mint() // a request without a token is refused, which is seen
	return m
}
