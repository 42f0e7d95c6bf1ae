package serve

import (
	"context"
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

// IdempotencyKey reads the key of a request, which may have none.
func IdempotencyKey(f *input.Fields, h http.Header) (key string, sent bool) {
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

// KeyScope names what an idempotency key belongs to: the route, and the caller who is proven.
func KeyScope(who gate.Caller, route string) string {
	if !who.Proven {
		return route
	}
	return route + " " + who.ID.Hex()
}

// Creation is one request that creates something, with or without a key. The claim has the id and
// the time of what it creates; under a key they are those of the first request.
type Creation struct {
	store.Claim
	keyed bool
	api   *Core
}

// SettleLimit bounds the writes that settle a claim, which may go on after the answer.
const SettleLimit = time.Second

// Begin claims the key of a request within its KeyScope. content is what the key stands for, and has
// no secret: its digest is stored. done tells that an earlier request has created everything.
func (a *Core) Begin(ctx context.Context, key, scope string, content any) (c Creation, done bool, err error) {
	c = Creation{api: a, keyed: key != "", Claim: store.Claim{
		Resource: store.NewID(), Owner: store.NewID(), CreatedAt: time.Now().UTC().Truncate(time.Millisecond), Life: a.Config.KeyLife,
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
	c.Claim, done, err = a.Store.Begin(ctx, c.Claim, a.Config.RequestTimeout)
	if errors.Is(err, store.ErrKeyReused) || errors.Is(err, store.ErrInProgress) {
		return c, false, err
	}
	return c, done, UnlessStored(err)
}

// CarryOut runs create, which writes. When create fails, CarryOut runs verify, which looks whether
// everything is stored as the request wants it: a write that failed may have been stored, by this
// request or by another holder of the claim. ctx ends when the answer is due.
func (c Creation) CarryOut(ctx context.Context, create, verify func(context.Context) error) error {
	if !c.keyed {
		return UnlessStored(create(ctx))
	}
	failed := c.write(ctx, create)
	if failed != nil {
		switch err := verify(ctx); {
		case errors.Is(err, store.ErrKeyReused):
			return err
		case errors.Is(err, store.ErrEventNotFound) || errors.Is(err, store.ErrUserNotFound):
			if surelyNotStored(failed) {
				c.settle(ctx, "release", c.api.Store.Release)
			}
			return UnlessStored(failed)
		case err != nil:
			return UnlessStored(failed)
		}
	}
	// When this fails the answer stands all the same: a repetition takes the claim over, finds
	// everything stored, and answers alike.
	c.settle(ctx, "finish", c.api.Store.Finish)
	return nil
}

// write runs create in three quarters of the request's time. The rest is for verify.
func (c Creation) write(ctx context.Context, create func(context.Context) error) error {
	due, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(ctx, due.Add(-c.api.Config.RequestTimeout/4))
	defer cancel()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("no time is left to create anything: %w: %w", store.ErrUnavailable, err)
	}
	return create(ctx)
}

// settle finishes or releases the claim. It waits for that until the answer is due, so that a
// repetition finds the claim settled; after that the write goes on behind the answer.
func (c Creation) settle(ctx context.Context, what string, write func(context.Context, store.Claim) error) {
	settled := make(chan struct{})
	c.api.Background.Go(func() {
		defer close(settled)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), SettleLimit)
		defer cancel()
		err := Recovered(func() error { return write(ctx, c.Claim) })
		if err != nil {
			c.api.Log.Warn().Err(err).Msg("cannot " + what + " an idempotency key; its lease ends by itself")
		}
	})
	select {
	case <-settled:
	case <-ctx.Done():
	}
}
