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

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

const headerKey = "Idempotency-Key"

// headerReplayed marks an answer that was given before.
const headerReplayed = "Idempotency-Replayed"

// idempotencyKey reads the key of a request; none is fine.
func (f *fields) idempotencyKey(h http.Header) (key string, sent bool) {
	switch values := h.Values(headerKey); {
	case len(values) == 0:
		return "", false
	case len(values) > 1:
		f.add(headerKey, "is there twice; send it once")
	case !messages.ValidRequestID(values[0]):
		f.add(headerKey, fmt.Sprintf("must be 1 to %d printable ASCII characters", messages.MaxRequestID))
	default:
		key = values[0]
	}
	return key, true
}

// seatKey is the id of a seat request: the client's key, or one of our own.
func (f *fields) seatKey(h http.Header) string {
	if key, sent := f.idempotencyKey(h); sent {
		return key
	}
	return rand.Text()
}

// creation is one request that creates something, with or without a key. The id and the
// time of what it creates are in the claim; under a key they are those of the first try.
type creation struct {
	store.Claim
	keyed bool
	api   *API
}

// releaseLimit bounds what is noted about a key after its request has its answer.
const releaseLimit = time.Second

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
	return c, done, inDoubt(err)
}

// settle ends a creation whose write ended with failed, if at all. verify looks whether
// everything is there as this request wants it: a write that failed may have been stored,
// here or by another holder of the claim.
func (c creation) settle(ctx context.Context, failed error, verify func(context.Context) error) error {
	if !c.keyed {
		return inDoubt(failed)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	if failed != nil {
		switch err := verify(ctx); {
		case errors.Is(err, store.ErrKeyReused):
			return err
		case errors.Is(err, store.ErrEventNotFound) || errors.Is(err, store.ErrUserNotFound):
			if definite(failed) {
				c.note("release", c.api.store.Release(ctx, c.Claim))
			}
			return inDoubt(failed)
		case err != nil:
			return inDoubt(failed)
		}
	}
	// When this fails the answer stands all the same: a repetition takes the claim over,
	// finds everything there, and answers alike.
	c.note("finish", c.api.store.Finish(ctx, c.Claim))
	return nil
}

func (c creation) note(what string, err error) {
	if err != nil {
		c.api.log.Warn().Err(err).Msg("cannot " + what + " an idempotency key; its lease ends by itself")
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
		w.Header().Set(headerReplayed, "true")
	}
}
