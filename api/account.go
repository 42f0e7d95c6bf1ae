package api

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/erasure"
	"github.com/eventio/eventio/internal/export"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func (a *accountHandlers) readUser(w http.ResponseWriter, r *request) error {
	id, err := ownUser(r)
	if err != nil {
		return err
	}
	u, err := a.store.User(r.Context(), id)
	if err != nil {
		return err
	}
	noStore(w)
	return writeJSON(w, http.StatusOK, wire.UserOf(u))
}

// editUser changes the name, and after a fresh log-in the e-mail address: who has the address can
// take the account over.
func (a *accountHandlers) editUser(w http.ResponseWriter, r *request) error {
	id, err := ownUser(r)
	if err != nil {
		return err
	}
	var body wire.UserEdit
	if err := r.decode(&body, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	u, err := a.store.User(r.Context(), id)
	if err != nil {
		return err
	}
	before := u
	var f input.Fields
	if body.Name.Sent {
		u.Name = f.Line("name", body.Name.Value, input.MaxName)
	}
	if body.Email.Sent {
		u.Email = f.Email("email", body.Email.Value)
	}
	if err := f.Err(); err != nil {
		return err
	}
	if u.Email != before.Email {
		if err := r.caller.RequireFresh(time.Now()); err != nil {
			return err
		}
	}
	if u != before {
		if err := a.store.EditUser(r.Context(), u); err != nil {
			return unlessStored(err)
		}
	}
	if u.Email != before.Email {
		a.tell(r, security.EmailChanged, messages.ActorPerson, security.About{User: id})
	}
	noStore(w)
	return writeJSON(w, http.StatusOK, wire.UserOf(u))
}

// deleteUser erases the person after a fresh log-in. When it runs out of time, repeating it goes on
// from there.
func (a *accountHandlers) deleteUser(w http.ResponseWriter, r *request) error {
	id, err := ownUser(r)
	if err != nil {
		return err
	}
	if err := r.caller.RequireFresh(time.Now()); err != nil {
		return err
	}
	by := actor(r.caller, messages.ActorPerson, id)
	err = erasure.Erase(r.Context(), a.store, a.seats, id, by)
	if refused, ok := errors.AsType[*erasure.ErrRefused](err); ok {
		return refusal(refused.Answer)
	}
	if err != nil {
		return unlessStored(err)
	}
	a.gate.Guard().Revoke(store.Revocation{UserID: id, PasswordVersion: store.ErasedVersion, ChangedAt: time.Now()})
	a.tell(r, security.AccountErased, messages.ActorPerson, security.About{User: id})
	a.eraseAgain(id, by)
	if r.caller.Cookie {
		a.gate.SetCookie(w, r.Request, "")
	}
	noStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tokensEnd is the longest time until a token that was ended counts nowhere any more.
const tokensEnd = 5 * time.Second

// eraseAgain erases a person again behind the answer, when what another process has still taken from
// them is over: it would hold a seat for nobody. Wait does not wait for that time, and has it done at
// once.
func (a *accountHandlers) eraseAgain(id store.ID, by messages.Actor) {
	a.background.Go(func() {
		select {
		case <-a.ending:
		case <-time.After(tokensEnd + a.config.RequestTimeout):
		}
		ctx, cancel := context.WithTimeout(context.Background(), a.config.RequestTimeout)
		defer cancel()
		if err := recovered(func() error { return erasure.Erase(ctx, a.store, a.seats, id, by) }); err != nil {
			a.log.Warn().Err(err).Str("user_id", id.Hex()).
				Msg("what a user did while they were erased may be left; eventio user delete gives it up")
		}
	})
}

// exportUser sends everything that is stored about the person, but the hash of the password.
func (a *accountHandlers) exportUser(w http.ResponseWriter, r *request) error {
	id, err := ownUser(r)
	if err != nil {
		return err
	}
	noStore(w)
	w.Header().Set("Content-Disposition", `attachment; filename="eventio-`+id.Hex()+`.json"`)
	a.tell(r, security.AccountExported, messages.ActorPerson, security.About{User: id})
	return a.streamJSON(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		return encoded(export.Person(ctx, a.chunked(), id), func(record wire.Export) any {
			if record.Session != nil {
				record.Session.Current = record.Session.ID == r.caller.SessionID
			}
			return record
		})
	})
}
