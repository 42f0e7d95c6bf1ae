package main

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

// crowd is the people who want seats. Their tokens are signed with a key that the API is
// given too, so nobody has to hash a password.
type crowd struct {
	authKeys string // as EVENTIO_AUTH_KEYS has it
	keys     identity.Keys
	minted   []member
	used     atomic.Int64 // how many of minted have asked for a seat
}

// member is somebody with a token.
type member struct {
	id    store.ID
	token string
}

func newCrowd() (*crowd, error) {
	secret := make([]byte, identity.MinSecret)
	_, _ = rand.Read(secret) // never fails
	c := &crowd{authKeys: "bench:" + base64.RawURLEncoding.EncodeToString(secret)}
	var err error
	c.keys, err = identity.ParseKeys(c.authKeys)
	return c, err
}

// mint makes somebody with a token.
func (c *crowd) mint() (member, error) {
	id := store.NewID()
	token, err := c.token(id)
	return member{id, token}, err
}

func (c *crowd) token(id store.ID) (string, error) {
	token, _, err := c.keys.Mint(identity.Person{ID: id}, time.Now(), identity.MaxLifetime)
	return token, err
}

// members gives users their tokens, in token mode.
func (c *crowd) members(ids []store.ID, auth string) ([]member, error) {
	all := make([]member, len(ids))
	for i, id := range ids {
		all[i] = member{id: id}
		if auth == setup.Token {
			var err error
			if all[i].token, err = c.token(id); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// prepare gives requests as requests does, and in token mode signs tokens for the first n of
// them before: doing it while the load runs would slow it.
func (c *crowd) prepare(n int, events []store.ID, auth string) (func() (load.Request, bool), error) {
	if auth == setup.Trusted {
		return c.requests(events, auth), nil
	}
	rest := make([]member, n)
	c.minted = rest
	c.used.Store(0)
	half := len(rest) / 2
	var wg sync.WaitGroup
	var errs [2]error
	for i, part := range [][]member{rest[:half], rest[half:]} {
		wg.Go(func() {
			for k := range part {
				if part[k], errs[i] = c.mint(); errs[i] != nil {
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
	return c.requests(events, auth), nil
}

// requests gives new users' requests for seats of the events in turn. In token mode they are those who
// were prepared, as long as there are any.
func (c *crowd) requests(events []store.ID, auth string) func() (load.Request, bool) {
	var asked atomic.Int64
	return func() (load.Request, bool) {
		m := c.next(auth)
		return load.Request{Seat: load.Seat{Event: events[int(asked.Add(1)-1)%len(events)], User: m.id}, Token: m.token}, true
	}
}

// next is somebody who has never asked for a seat.
func (c *crowd) next(auth string) member {
	if auth == setup.Trusted {
		return member{id: store.NewID()}
	}
	if i := int(c.used.Add(1) - 1); i < len(c.minted) {
		return c.minted[i]
	}
	m, _ := c.mint() // a request without a token is refused, which is seen
	return m
}
