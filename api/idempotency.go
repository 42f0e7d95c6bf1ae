package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// idempotencyKey reads the key of a request, which may have none.
func idempotencyKey(f *input.Fields, h http.Header) (key string, sent bool) {
	switch values := h.Values(wire.HeaderIdempotencyKey); {
	case len(values) == 0:
		return "", false
	case len(values) > 1:
		f.Add(wire.HeaderIdempotencyKey, "appears twice; send it once")
	case !messages.ValidRequestID(values[0]):
		f.Add(wire.HeaderIdempotencyKey, fmt.Sprintf("must be 1 to %d printable ASCII characters", messages.MaxRequestID))
	default:
		key = values[0]
	}
	return key, true
}

// seatRequestID returns the id of a seat request: the client's key, or a new one. keyed tells which.
func seatRequestID(f *input.Fields, h http.Header) (id string, keyed bool) {
	if key, sent := idempotencyKey(f, h); sent {
		return key, true
	}
	return rand.Text(), false
}

// keyScope names what an idempotency key belongs to: the route, and the caller who is proven.
func keyScope(who gate.Caller, route string) string {
	if !who.Proven {
		return route
	}
	return route + " " + who.ID.Hex()
}

// creation is one request that creates something, with or without a key. The claim has the id and
// the time of what it creates; under a key they are those of the first request.
type creation struct {
	store.Claim
	keyed bool
	api   *Core
}

// settleLimit bounds the writes that settle a claim, which may go on after the answer.
const settleLimit = time.Second

// begin claims the key of a request within its keyScope. content is what the key stands for, and has
// no secret: its digest is stored. done tells that an earlier request has created everything.
func (a *Core) begin(ctx context.Context, key, scope string, content any) (c creation, done bool, err error) {
	c = creation{api: a, keyed: key != "", Claim: store.Claim{
		Resource: store.NewID(), Owner: store.NewID(), CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Life: a.config.KeyLife,
	}}
	if !c.keyed {
		return c, false, nil
	}
	data, err := json.Marshal(content)
	if err != nil {
		return c, false, fmt.Errorf("fingerprint a request: %w", err)
	}
	c.Key = sha256.Sum256([]byte(scope + "\n" + key))
	c.Fingerprint = sha256.Sum256(data)
	// The lease is as long as a request: whoever holds it longer is dead or has given up.
	c.Claim, done, err = a.store.Begin(ctx, c.Claim, a.config.RequestTimeout)
	if errors.Is(err, store.ErrKeyReused) || errors.Is(err, store.ErrInProgress) {
		return c, false, err
	}
	return c, done, unlessStored(err)
}

// carryOut runs create, which writes. When create fails, carryOut runs verify, which looks whether
// everything is stored as the request wants it: a write that failed may have been stored, by this
// request or by another holder of the claim. ctx ends when the answer is due.
func (c creation) carryOut(ctx context.Context, create, verify func(context.Context) error) error {
	if !c.keyed {
		return unlessStored(create(ctx))
	}
	failed := c.write(ctx, create)
	if failed != nil {
		switch err := verify(ctx); {
		case errors.Is(err, store.ErrKeyReused):
			return err
		case errors.Is(err, store.ErrEventNotFound) || errors.Is(err, store.ErrUserNotFound):
			if surelyNotStored(failed) {
				c.settle(ctx, "release", c.api.store.Release)
			}
			return unlessStored(failed)
		case err != nil:
			return unlessStored(failed)
		}
	}
	// When this fails the answer stands all the same: a repetition takes the claim over, finds
	// everything stored, and answers alike.
	c.settle(ctx, "finish", c.api.store.Finish)
	return nil
}

// write runs create in three quarters of the request's time. The rest is for verify.
func (c creation) write(ctx context.Context, create func(context.Context) error) error {
	due, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(ctx, due.Add(-c.api.config.RequestTimeout/4))
	defer cancel()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("no time is left to create anything: %w: %w", store.ErrUnavailable, err)
	}
	return create(ctx)
}

// settle finishes or releases the claim. It waits for that until the answer is due, so that a
// repetition finds the claim settled; after that the write goes on behind the answer.
func (c creation) settle(ctx context.Context, what string, write func(context.Context, store.Claim) error) {
	settled := make(chan struct{})
	c.api.background.Go(func() {
		defer close(settled)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
		defer cancel()
		err := recovered(func() error { return write(ctx, c.Claim) })
		if err != nil {
			c.api.log.Warn().Err(err).Msg("cannot " + what + " an idempotency key; its lease ends by itself")
		}
	})
	select {
	case <-settled:
	case <-ctx.Done():
	}
}
