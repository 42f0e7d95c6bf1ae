package accounts

import (
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
)

const (
	// maxKeys is how many keys a person may have at once.
	maxKeys = 20
	// keyLife is how long a key lives when its owner does not say, and longestKeyLife at most.
	keyLife        = 90 * 24 * time.Hour
	longestKeyLife = 2 * 366 * 24 * time.Hour
)

// keys returns the keys of programs, or problem.NotFound where nobody has any.
func (a *Handlers) keys() (*identity.APIKeys, error) {
	if keys := a.Gate.Keys(); keys != nil {
		return keys, nil
	}
	return nil, problem.New(problem.NotFound)
}

// CreateKey makes a key for a program of the caller, and tells it. A key of Event.io's own people needs a fresh log-in, since it
// outlives the token with which it is made. Whom another issuer or a gateway has proven, they have let in just now.
func (a *Handlers) CreateKey(w http.ResponseWriter, r *serve.Request) error {
	keys, err := a.keys()
	if err != nil {
		return err
	}
	var body wire.NewAPIKey
	if err := r.Decode(&body, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	var f input.Fields
	name := f.Line("name", body.Name, input.MaxName)
	scopes, err := identity.ScopesOf(body.Scopes)
	f.Check("scopes", err)
	expires := now.Add(keyLife)
	if body.ExpiresAt != nil {
		if expires = body.ExpiresAt.UTC().Truncate(time.Millisecond); !expires.After(now) || expires.After(now.Add(longestKeyLife)) {
			f.Add("expires_at", "must be in the future, and within 2 years")
		}
	}
	if err := f.Err(); err != nil {
		return err
	}
	if !r.Caller.Proven || r.Caller.Proof == "" {
		if err := r.Caller.RequireFresh(now); err != nil {
			return err
		}
	}
	have, err := keys.APIKeysOf(r.Context(), r.Caller.ID, now)
	if err != nil {
		return err
	}
	if len(have) >= maxKeys {
		return problem.Newf(problem.Forbidden, "A person may have %d keys; end one first.", maxKeys)
	}
	if err := a.UseKey(r.Context(), r, r.Caller.ID); err != nil {
		return err
	}
	text, hash := identity.NewAPIKey()
	key := apikeys.Key{ID: store.NewID(), OwnerID: r.Caller.ID, Hash: hash, Name: name, Scopes: scopes.String(), CreatedAt: now, ExpiresAt: expires}
	switch err := keys.Create(r.Context(), key); {
	case errors.Is(err, apikeys.ErrOwnerBarred):
		return problem.New(problem.AccountLocked).Because(err)
	case err != nil:
		return serve.UnlessStored(err)
	}
	a.Tell(r, security.KeyCreated, messages.ActorPerson, security.About{User: key.OwnerID, Key: key.ID})
	answer := wire.APIKeyOf(key)
	answer.Key = text
	serve.NoStore(w)
	return serve.WriteCreated(w, serve.PathKeys+"/"+key.ID.Hex(), false, answer)
}

// ListKeys answers with the keys of the caller that have not ended.
func (a *Handlers) ListKeys(w http.ResponseWriter, r *serve.Request) error {
	keys, err := a.keys()
	if err != nil {
		return err
	}
	if !r.Caller.Proven {
		return problem.New(problem.Unauthenticated)
	}
	have, err := keys.APIKeysOf(r.Context(), r.Caller.ID, time.Now())
	if err != nil {
		return err
	}
	return serve.WriteOwn(w, have, wire.APIKeyOf)
}

// EndKey ends a key of the caller: 204, also when there is none.
func (a *Handlers) EndKey(w http.ResponseWriter, r *serve.Request) error {
	keys, err := a.keys()
	if err != nil {
		return err
	}
	var f input.Fields
	id := f.ID("key_id", r.URLParam("key_id"))
	if err := f.Err(); err != nil {
		return err
	}
	if !r.Caller.Proven {
		return problem.New(problem.Unauthenticated)
	}
	found, err := keys.End(r.Context(), r.Caller.ID, id)
	if err != nil {
		return serve.UnlessStored(err)
	}
	if found {
		a.Tell(r, security.KeyEnded, messages.ActorPerson, security.About{User: r.Caller.ID, Key: id})
	}
	serve.NoStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
