package accounts

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/erasure"
	"github.com/eventio/eventio/internal/export"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// ReadUser answers with an account, to its owner.
func (a *Handlers) ReadUser(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	u, err := a.Store.User(r.Context(), id)
	if err != nil {
		return err
	}
	serve.NoStore(w)
	return serve.WriteJSON(w, http.StatusOK, wire.UserOf(u))
}

// EditUser changes the name, and after a fresh log-in the e-mail address: who has the address can
// take the account over. The patch may be a whole user as it was read. What stays as it is may be what new
// users cannot have any more.
func (a *Handlers) EditUser(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	var body wire.UserPatch
	if err := input.Decode(r.Sent, &body); err != nil {
		return err
	}
	u, err := a.Store.User(r.Context(), id)
	if err != nil {
		return err
	}
	before := u
	var f input.Fields
	if err := input.ReadOnly(&f, body.Others, wire.UserOf(u)); err != nil {
		return err
	}
	if body.Name.Sent && body.Name.Value != u.Name {
		u.Name = f.Line("name", body.Name.Value, input.MaxName)
	}
	if body.Email.Sent && body.Email.Value != u.Email {
		u.Email = f.Email("email", body.Email.Value)
	}
	if err := f.Err(); err != nil {
		return err
	}
	if u.Email != before.Email {
		if err := r.Caller.RequireFresh(time.Now()); err != nil {
			return err
		}
	}
	if u != before {
		if err := a.Store.EditUser(r.Context(), u); err != nil {
			return serve.UnlessStored(err)
		}
	}
	if u.Email != before.Email {
		a.Tell(r, security.EmailChanged, messages.ActorPerson, security.About{User: id})
	}
	serve.NoStore(w)
	return serve.WriteJSON(w, http.StatusOK, wire.UserOf(u))
}

// DeleteUser erases the person after a fresh log-in. When it runs out of time, repeating it goes on
// from there.
func (a *Handlers) DeleteUser(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	if err := r.Caller.RequireFresh(time.Now()); err != nil {
		return err
	}
	by := serve.Actor(r.Caller, messages.ActorPerson, id)
	tell := a.Teller(r, messages.ActorOrganizer)
	cancelled := func(event store.ID) { tell(security.EventCancelled, security.About{Event: event}) }
	err = erasure.Erase(r.Context(), a.Store, a.Seats, id, by, cancelled)
	if refused, ok := errors.AsType[*erasure.ErrRefused](err); ok {
		return serve.Refusal(refused.Answer)
	}
	if err != nil {
		return serve.UnlessStored(err)
	}
	a.Gate.Guard().Revoke(store.Revocation{UserID: id, PasswordVersion: store.ErasedVersion, ChangedAt: time.Now()})
	a.Tell(r, security.AccountErased, messages.ActorPerson, security.About{User: id})
	a.eraseAgain(id, by, cancelled)
	if r.Caller.Cookie {
		a.Gate.SetCookie(w, r.Request, "")
	}
	serve.NoStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// tokensEnd is the longest time until a token that was ended counts nowhere any more.
const tokensEnd = 5 * time.Second

// eraseAgain erases a person again behind the answer, when what another process has still taken from
// them is over: it would hold a seat for nobody. Wait does not wait for that time, and has it done at
// once.
func (a *Handlers) eraseAgain(id store.ID, by messages.Actor, cancelled func(event store.ID)) {
	a.Background.Go(func() {
		select {
		case <-a.Ending:
		case <-time.After(tokensEnd + a.Config.RequestTimeout):
		}
		ctx, cancel := context.WithTimeout(context.Background(), a.Config.RequestTimeout)
		defer cancel()
		if err := serve.Recovered(func() error { return erasure.Erase(ctx, a.Store, a.Seats, id, by, cancelled) }); err != nil {
			a.Log.Warn().Err(err).Str("user_id", id.Hex()).
				Msg("what a user did while they were erased may be left; eventio user delete gives it up")
		}
	})
}

// ExportUser sends everything that is stored about the person, but the hash of the password.
func (a *Handlers) ExportUser(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	if _, err := a.Store.User(r.Context(), id); err != nil { // nothing is handed out, and it costs no more
		return err
	}
	if err := r.Charge(serve.CostOfWholeList); err != nil {
		return err
	}
	more := export.More{Mails: a.Config.Mail, Links: a.Gate.Guard()}
	if keys := a.Gate.Keys(); keys != nil {
		more.Keys = keys
	}
	serve.NoStore(w)
	w.Header().Set("Content-Disposition", `attachment; filename="eventio-`+id.Hex()+`.json"`)
	a.Tell(r, security.AccountExported, messages.ActorPerson, security.About{User: id})
	return a.StreamJSON(w, r, func(ctx context.Context) iter.Seq2[any, error] {
		return serve.Encoded(export.Person(ctx, a.Chunked(), more, id), func(record wire.Export) any {
			if record.Session != nil {
				record.Session.Current = record.Session.ID == r.Caller.SessionID
			}
			return record
		})
	})
}
