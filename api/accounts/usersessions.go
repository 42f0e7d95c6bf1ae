package accounts

import (
	"context"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/security"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// maxClient is how much of a User-Agent is kept, in characters.
const maxClient = 200

// openSession signs a token for somebody who has just proven their password, and stores the
// session, so that the person finds it in their list. When that fails the log-in stands: a store
// that takes no writes keeps nobody from reading, and the token can still be ended.
func (a *Handlers) openSession(r *serve.Request, u store.User) (token string, expires time.Time, err error) {
	p := personOf(u)
	p.SessionID = store.NewID()
	if token, expires, err = a.Gate.Guard().Sign(p); err != nil {
		return "", expires, err
	}
	if !r.Caller.Proven { // from now on the log knows who it is
		r.Caller = gate.Caller{Person: p, Proven: true}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), serve.SettleLimit)
	defer cancel()
	err = a.Store.CreateSession(ctx, store.Session{
		ID: p.SessionID, UserID: u.ID, PasswordVersion: u.PasswordVersion, Client: clientOf(r.UserAgent()),
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond), ExpiresAt: expires,
	})
	if err != nil {
		a.Log.Warn().Err(err).Str("user_id", u.ID.Hex()).Msg("a log-in is missing from the list of its person")
	}
	return token, expires, nil
}

// renewSession makes a token that takes the place of the caller's, and moves the end of the session
// in the list of the person. Like openSession it succeeds when the store takes no writes. Its
// expires is zero when the session was ended, which this process has not learned yet.
func (a *Handlers) renewSession(r *serve.Request) (token string, expires time.Time, err error) {
	p := r.Caller.Person
	if p.SessionID.IsZero() { // of a version that gave none
		p.SessionID = store.NewID()
	}
	if token, expires, err = a.Gate.Guard().Renew(p); err != nil {
		return "", expires, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), serve.SettleLimit)
	defer cancel()
	alive, err := a.Store.ExtendSession(ctx, store.Session{
		ID: p.SessionID, UserID: p.ID, PasswordVersion: p.PasswordVersion, Client: clientOf(r.UserAgent()),
		CreatedAt: p.LoginAt, ExpiresAt: expires,
	})
	if err != nil {
		a.Log.Warn().Err(err).Str("user_id", p.ID.Hex()).Msg("a log-in ends later than the list of its person says")
		return token, expires, nil
	}
	if !alive {
		return "", time.Time{}, nil
	}
	return token, expires, nil
}

// clientOf shortens a User-Agent, and takes out what is not to be printed.
func clientOf(agent string) string {
	text := strings.Map(func(c rune) rune {
		if c == unicode.ReplacementChar || !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(agent, ""))
	if runes := []rune(text); len(runes) > maxClient {
		text = string(runes[:maxClient])
	}
	return text
}

// stopSession ends a session that began at since or later, in the store and here. Its end is
// remembered until the last token that may have been signed for it until now has expired.
func (a *Handlers) stopSession(ctx context.Context, user, id store.ID, since time.Time) error {
	s := store.Session{ID: id, UserID: user, CreatedAt: since, ExpiresAt: time.Now().UTC().Truncate(time.Millisecond).Add(identity.MaxLifetime)}
	if err := a.Store.EndSession(ctx, s); err != nil {
		return serve.UnlessStored(err)
	}
	a.Gate.Guard().EndSession(s)
	return nil
}

// currentSessions reads the user and their sessions that count.
func (a *Handlers) currentSessions(ctx context.Context, id store.ID) (u store.User, sessions []store.Session, err error) {
	if u, err = a.Store.User(ctx, id); err != nil {
		return u, nil, err
	}
	all, err := a.Store.UserSessions(ctx, id, time.Now())
	for _, s := range all {
		if s.PasswordVersion == u.PasswordVersion {
			sessions = append(sessions, s)
		}
	}
	return u, sessions, err
}

func sessionOf(s store.Session, current store.ID) wire.LoginSession {
	return wire.LoginSession{ID: s.ID, Client: s.Client, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, Current: s.ID == current, EndedAt: s.EndedAt}
}

// ListSessions answers with the log-ins of a person, to themself.
func (a *Handlers) ListSessions(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	_, sessions, err := a.currentSessions(r.Context(), id)
	if err != nil {
		return err
	}
	return serve.WriteOwn(w, sessions, func(s store.Session) wire.LoginSession { return sessionOf(s, r.Caller.SessionID) })
}

// EndSessions logs the person out everywhere.
func (a *Handlers) EndSessions(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	u, err := a.Store.EndTokens(r.Context(), id, time.Now().UTC().Truncate(time.Millisecond))
	if err != nil {
		return serve.UnlessStored(err)
	}
	a.Gate.Guard().Revoke(store.Revocation{UserID: id, PasswordVersion: u.PasswordVersion, ChangedAt: u.PasswordChangedAt})
	a.Tell(r, security.SessionsEnded, messages.ActorPerson, security.About{User: id, Reason: "all"})
	if r.Caller.Cookie {
		a.Gate.SetCookie(w, r.Request, "")
	}
	serve.NoStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// EndSession ends one session of the person: 204, also when there is none.
func (a *Handlers) EndSession(w http.ResponseWriter, r *serve.Request) error {
	id, err := serve.OwnUser(r)
	if err != nil {
		return err
	}
	var f input.Fields
	session := f.ID("session_id", r.URLParam("session_id"))
	if err := f.Err(); err != nil {
		return err
	}
	_, sessions, err := a.currentSessions(r.Context(), id)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if s.ID != session {
			continue
		}
		if err := a.stopSession(r.Context(), id, s.ID, s.CreatedAt); err != nil {
			return err
		}
		a.Tell(r, security.SessionsEnded, messages.ActorPerson, security.About{User: id, Reason: "one", Session: s.ID})
	}
	if r.Caller.Cookie && r.Caller.SessionID == session {
		a.Gate.SetCookie(w, r.Request, "")
	}
	serve.NoStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
