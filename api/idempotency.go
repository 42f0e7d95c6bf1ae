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

// idempotencyKey reads the key of a request; none is fine.
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

// seatKey is the id of a seat request: the client's key, or one of our own.
func seatKey(f *input.Fields, h http.Header) (id string, keyed bool) {
	if key, sent := idempotencyKey(f, h); sent {
		return key, true
	}
	return rand.Text(), false
}

// keyScope names what an idempotency key belongs to: the route, and the caller if they are proven.
func keyScope(who gate.Caller, route string) string {
	if !who.Proven {
		return route
	}
	return route + " " + who.ID.Hex()
}

// creation is one request that creates something, with or without a key. The id and the
// time of what it creates are in the claim; under a key they are those of the first try.
type creation struct {
	store.Claim
	keyed bool
	api   *API
}

// tidyLimit bounds what is noted about a key, which may go on after the answer.
const tidyLimit = time.Second

// begin claims the request's key for the given route and owner: the user who is known to
// act, or none. content is what the key belongs to, and holds no secret: its digest is
// stored. done says that an earlier request has created everything.
func (a *API) begin(ctx context.Context, key, scope string, content any) (c creation, done bool, err error) {
	c = creation{api: a, keyed: key != "", Claim: store.Claim{
		Resource: store.NewID(), Owner: store.NewID(), CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
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

// carryOut runs create, which writes. When that fails, verify looks whether everything is
// there as this request wants it: a write that failed may have been stored, here or by another
// holder of the claim. ctx ends when the answer is due.
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
				c.tidy(ctx, "release", c.api.store.Release)
			}
			return unlessStored(failed)
		case err != nil:
			return unlessStored(failed)
		}
	}
	// When this fails the answer stands all the same: a repetition takes the claim over,
	// finds everything there, and answers alike.
	c.tidy(ctx, "finish", c.api.store.Finish)
	return nil
}

// write runs create in three quarters of the request's time: the rest is for verify.
func (c creation) write(ctx context.Context, create func(context.Context) error) error {
	due, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(ctx, due.Add(-c.api.config.RequestTimeout/4))
	defer cancel()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("no time is left to create anything: %w: %w", store.ErrUnavailable, err)
	}
	return create(ctx)
}

// tidy notes something about the key. It waits for that until the answer is due, so that a
// repetition finds it noted, and then leaves it to go on behind the answer.
func (c creation) tidy(ctx context.Context, what string, note func(context.Context, store.Claim) error) {
	noted := make(chan struct{})
	c.api.tidying.Go(func() {
		defer close(noted)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
		defer cancel()
		err := contained(func() error { return note(ctx, c.Claim) })
		if err != nil {
			c.api.log.Warn().Err(err).Msg("cannot " + what + " an idempotency key; its lease ends by itself")
		}
	})
	select {
	case <-noted:
	case <-ctx.Done():
	}
}

// writeCreated answers 201 and says where the new thing is.
func writeCreated(w http.ResponseWriter, location string, replayed bool, v any) error {
	created(w, location, replayed)
	return writeJSON(w, http.StatusCreated, v)
}

// created sets the headers of a 201.
func created(w http.ResponseWriter, location string, replayed bool) {
	w.Header().Set("Location", location)
	if replayed {
		w.Header().Set(wire.HeaderReplayed, "true")
	}
}
