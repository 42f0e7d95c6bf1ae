package accounts

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
)

const (
	// mailEvery is how often somebody gets a mail of the same kind at most, whoever asks for it.
	mailEvery = 5 * time.Minute
	// resetMailLife and proofMailLife are how long it is tried to send the mail.
	resetMailLife, proofMailLife = time.Hour, 24 * time.Hour
)

// mails returns the outbox. It fails with the problem NoMail when nobody sends mail.
func (a *Handlers) mails() (outbox.Outbox, error) {
	if a.Config.Mail == nil {
		return nil, problem.New(problem.NoMail)
	}
	return a.Config.Mail, nil
}

// ResetPassword has a link sent to whoever logs in with an address. It never looks whether anybody has: that is
// found out when the mail is sent, so neither the answer nor its time tells.
func (a *Handlers) ResetPassword(w http.ResponseWriter, r *serve.Request) error {
	mails, err := a.mails()
	if err != nil {
		return err
	}
	var body wire.PasswordReset
	if err := r.Decode(&body); err != nil {
		return err
	}
	var f input.Fields
	email := f.KnownEmail("email", body.Email)
	if err := f.Err(); err != nil {
		return err
	}
	if err := a.Gate.CountAccount(w, r.Request, store.EmailKey(email)); err != nil {
		return err
	}
	if err := a.UseMail(r.Context(), r); err != nil {
		return err
	}
	// Two accounts may have an address in two forms, and each its own link. There are two kinds of forms and not as many
	// as one can type: nobody gets a mail for each.
	of := store.EmailKey(email)
	if len(store.OlderEmailKeys(email)) > 0 {
		of += " in another form"
	}
	m := a.newMail(r, outbox.PasswordReset, of, resetMailLife)
	m.Address = email
	if err := mails.AddMails(r.Context(), []outbox.Mail{m}); err != nil {
		return serve.UnlessStored(err)
	}
	a.Tell(r, security.PasswordResetAsked, "", security.About{})
	return accepted(w)
}

// newMail makes a mail that somebody asks for, at most one for the same in mailEvery. of is what makes
// two of them the same.
func (a *Handlers) newMail(r *serve.Request, k outbox.Kind, of string, life time.Duration) outbox.Mail {
	now := time.Now().UTC().Truncate(time.Millisecond)
	digest := sha256.Sum256([]byte(of))
	return outbox.Mail{
		Key:  fmt.Sprintf("%s-%s-%d", k, hex.EncodeToString(digest[:16]), now.UnixMilli()/mailEvery.Milliseconds()),
		Kind: k, Language: languageOf(r.Request), CreatedAt: now, DueAt: now.Add(-outbox.Ahead), ExpiresAt: now.Add(life),
	}
}

// accepted answers that something is going to happen.
func accepted(w http.ResponseWriter) error {
	serve.NoStore(w)
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// languageOf returns the language of mails that a client would rather have: en or de; "": it does not say.
func languageOf(r *http.Request) string {
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(wanted) == 0 {
		return ""
	}
	_, which, _ := language.NewMatcher([]language.Tag{language.English, language.German}).Match(wanted...)
	return []string{"en", "de"}[which]
}

// SetNewPassword sets a new password for whoever has the token of a link, ends all log-ins, and notes
// that the address is proven. The version of the password in the token makes it work once.
func (a *Handlers) SetNewPassword(w http.ResponseWriter, r *serve.Request) error {
	mails, err := a.mails()
	if err != nil {
		return err
	}
	var body wire.NewPassword
	if err := r.Decode(&body); err != nil {
		return err
	}
	var f input.Fields
	checkToken(&f, body.Token)
	f.Check("password", a.newPasswords.Check(body.Password, ""))
	if err := f.Err(); err != nil {
		return err
	}
	ctx := r.Context()
	u, _, err := a.linked(ctx, mails, body.Token, outbox.PasswordReset)
	if err != nil {
		return err
	}
	if !u.LockedAt.IsZero() {
		a.Tell(r, security.LoginRefused, "", security.About{User: u.ID})
		return problem.New(problem.AccountLocked)
	}
	if f.Check("password", a.newPasswords.Check(body.Password, u.Email)); !f.OK() {
		return f.Err()
	}
	after := u
	if after.PasswordHash, err = a.Hashes.Hash(ctx, fairqueue.Known(u.ID), body.Password); err != nil {
		return err
	}
	after.PasswordVersion++
	after.PasswordChangedAt = time.Now().UTC().Truncate(time.Millisecond)
	switch err := a.Store.SetPassword(ctx, u, after); {
	case errors.Is(err, store.ErrPasswordChanged), errors.Is(err, store.ErrUserNotFound):
		return problem.New(problem.LinkInvalid).Because(err)
	case err != nil:
		return serve.UnlessStored(err)
	}
	a.Gate.Guard().Revoke(store.Revocation{UserID: u.ID, PasswordVersion: after.PasswordVersion, ChangedAt: after.PasswordChangedAt})
	a.Tell(r, security.PasswordChanged, "", security.About{User: u.ID, Reason: "reset"})
	a.afterReset(ctx, mails, after, r)
	a.Gate.SetBrowser(w, r.Request, personOf(after))
	serve.NoStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// afterReset does what follows from a new password, which is stored: who got the link has the address.
// A failure is logged only, because the password is set.
func (a *Handlers) afterReset(ctx context.Context, mails outbox.Outbox, u store.User, r *serve.Request) {
	err := mails.DropTokens(ctx, u.ID, outbox.PasswordReset)
	if err == nil && u.EmailProvenAt.IsZero() {
		if _, err = a.Store.ProveEmail(ctx, u.ID, u.Email, u.PasswordChangedAt); err == nil {
			a.Tell(r, security.EmailProven, "", security.About{User: u.ID})
		}
	}
	if err != nil {
		a.Log.Warn().Err(err).Str("user_id", u.ID.Hex()).Msg("what follows from a new password is not done; it is of no harm")
	}
}

// checkToken checks the form of a token.
func checkToken(f *input.Fields, token string) {
	if len(token) != tokenLength || strings.ContainsFunc(token, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) {
		f.Add("token", "must be the 43 characters of the link that was mailed")
	}
}

// tokenLength is the length of outbox.NewToken.
const tokenLength = 43

// linked returns the user of a token, and the address that it proves. It fails with the problem
// LinkInvalid when the token does not count: it was used, has expired, or the password or, for a new
// password, the address is another one by now.
func (a *Handlers) linked(ctx context.Context, mails outbox.Outbox, token string, k outbox.Kind) (u store.User, address string, err error) {
	t, err := mails.Token(ctx, outbox.Hash(token), time.Now())
	if err == nil {
		u, err = a.Store.User(ctx, t.UserID)
	}
	switch {
	case errors.Is(err, outbox.ErrNoToken), errors.Is(err, store.ErrUserNotFound):
		return u, "", problem.New(problem.LinkInvalid).Because(err)
	case err != nil:
		return u, "", err
	case t.Kind != k, t.PasswordVersion != u.PasswordVersion,
		k == outbox.PasswordReset && store.EmailKey(t.Address) != store.EmailKey(u.Email):
		return u, "", problem.New(problem.LinkInvalid)
	}
	return u, t.Address, nil
}

// AskForProof has a link sent to an address that the person says is theirs. Another address than that of
// the account needs a fresh log-in, as to change it does: who has the address can take the account over.
func (a *Handlers) AskForProof(w http.ResponseWriter, r *serve.Request) error {
	mails, err := a.mails()
	if err != nil {
		return err
	}
	id, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	var body wire.EmailProof
	if err := r.Decode(&body); err != nil {
		return err
	}
	email := ""
	if body.Email != "" {
		var f input.Fields
		email = f.Email("email", body.Email)
		if err := f.Err(); err != nil {
			return err
		}
	}
	u, err := a.Store.User(r.Context(), id)
	if err != nil {
		return err
	}
	email = cmp.Or(email, u.Email)
	if store.EmailKey(email) != store.EmailKey(u.Email) {
		if err := r.Caller.RequireFresh(time.Now()); err != nil {
			return err
		}
	}
	if err := a.UseOwnMail(r.Context(), r, id); err != nil {
		return err
	}
	m := a.newMail(r, outbox.EmailProof, id.Hex()+" "+email, proofMailLife)
	m.UserID, m.Address = id, email
	if err := mails.AddMails(r.Context(), []outbox.Mail{m}); err != nil {
		return serve.UnlessStored(err)
	}
	a.Tell(r, security.EmailProofAsked, messages.ActorPerson, security.About{User: id})
	return accepted(w)
}

// ProveEmail notes that the person has the address to which a link went. Only they can: somebody else who
// gets the link by mistake must not give their address away with a click. Another account that has the
// address and has not proven it loses it, with its log-ins.
func (a *Handlers) ProveEmail(w http.ResponseWriter, r *serve.Request) error {
	mails, err := a.mails()
	if err != nil {
		return err
	}
	id, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	var body wire.ProofToken
	if err := r.Decode(&body); err != nil {
		return err
	}
	var f input.Fields
	checkToken(&f, body.Token)
	if err := f.Err(); err != nil {
		return err
	}
	ctx := r.Context()
	u, address, err := a.linked(ctx, mails, body.Token, outbox.EmailProof)
	if err != nil {
		return err
	}
	if u.ID != id {
		return problem.New(problem.LinkInvalid)
	}
	loser, err := a.Store.UserByEmail(ctx, address)
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		return err
	}
	after, err := a.Store.ProveEmail(ctx, id, address, time.Now().UTC().Truncate(time.Millisecond))
	if errors.Is(err, store.ErrEmailProven) {
		return problem.New(problem.EmailTaken).Because(err)
	}
	if err != nil {
		return serve.UnlessStored(err)
	}
	a.Tell(r, security.EmailProven, messages.ActorPerson, security.About{User: id})
	if store.EmailKey(u.Email) != store.EmailKey(after.Email) {
		a.Tell(r, security.EmailChanged, messages.ActorPerson, security.About{User: id})
	}
	if !loser.ID.IsZero() && loser.ID != id {
		a.Gate.Guard().Revoke(store.Revocation{UserID: loser.ID, PasswordVersion: loser.PasswordVersion + 1, ChangedAt: after.EmailProvenAt})
		a.Tell(r, security.EmailFreed, messages.ActorPerson, security.About{User: loser.ID})
	}
	if err := mails.DropTokens(ctx, id, outbox.EmailProof); err != nil {
		a.Log.Warn().Err(err).Str("user_id", id.Hex()).Msg("a link that was used is not removed; it proves the same again")
	}
	serve.NoStore(w)
	return serve.WriteJSON(w, http.StatusOK, wire.UserOf(after))
}

// mailSettings finds the settings of whoever has the token in the path.
func (a *Handlers) mailSettings(r *serve.Request) (outbox.Settings, error) {
	mails, err := a.mails()
	if err != nil {
		return outbox.Settings{}, err
	}
	var f input.Fields
	checkToken(&f, r.URLParam("token"))
	if f.Err() != nil {
		return outbox.Settings{}, problem.New(problem.LinkInvalid)
	}
	s, err := mails.MailSettingsOf(r.Context(), r.URLParam("token"))
	if errors.Is(err, outbox.ErrNoToken) {
		return s, problem.New(problem.LinkInvalid).Because(err)
	}
	return s, err
}

// ShowMailSettings tells programs what somebody gets, and leads browsers, with which people follow the link
// of a mail program, to the page. Following a link must change nothing: programs that look for viruses
// follow all of them.
func (a *Handlers) ShowMailSettings(w http.ResponseWriter, r *serve.Request) error {
	s, err := a.mailSettings(r)
	if err != nil {
		return err
	}
	serve.NoStore(w)
	w.Header().Add("Vary", "Accept")
	if !strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "text/html") {
		return serve.WriteJSON(w, http.StatusOK, wire.MailSettings{EventMail: s.OffAt.IsZero()})
	}
	w.Header().Set("Location", "../../mail#"+s.Token)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// StopEventMail is what mail programs call for their users (RFC 8058).
func (a *Handlers) StopEventMail(w http.ResponseWriter, r *serve.Request) error {
	return a.setEventMail(w, r, false)
}

// EditMailSettings switches mails about events off, or on again.
func (a *Handlers) EditMailSettings(w http.ResponseWriter, r *serve.Request) error {
	var body wire.MailSettings
	if err := r.Decode(&body); err != nil {
		return err
	}
	return a.setEventMail(w, r, body.EventMail)
}

func (a *Handlers) setEventMail(w http.ResponseWriter, r *serve.Request, on bool) error {
	s, err := a.mailSettings(r)
	if err != nil {
		return err
	}
	if s.OffAt.IsZero() != on {
		s.OffAt = time.Time{}
		if !on {
			s.OffAt = time.Now().UTC().Truncate(time.Millisecond)
		}
		if err := a.Config.Mail.SetMailSettings(r.Context(), s); err != nil {
			return serve.UnlessStored(err)
		}
	}
	serve.NoStore(w)
	return serve.WriteJSON(w, http.StatusOK, wire.MailSettings{EventMail: on})
}

// noteLanguage remembers the language of somebody who has just signed up, for their mails. It may fail:
// then the mails are in English.
func (a *Handlers) noteLanguage(r *serve.Request, id store.ID) {
	l := languageOf(r.Request)
	if a.Config.Mail == nil || l == "" || l == "en" {
		return
	}
	_, err := a.Config.Mail.MailSettings(r.Context(), outbox.Settings{UserID: id, Token: outbox.NewToken(), Language: l})
	if err != nil {
		a.Log.Warn().Err(err).Str("user_id", id.Hex()).Msg("the language of a person's mails is not noted")
	}
}
