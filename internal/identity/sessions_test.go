package identity

import (
	"errors"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// TestWhatEndsTokensEndsThemInEveryProcess: with the default pauses, and told by the store alone,
// since that is all that a command or another machine has.
func TestWhatEndsTokensEndsThemInEveryProcess(t *testing.T) {
	st, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	conn, err := messages.Connect(testenv.StartNATS(t).URL(), "api", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	link := messages.Link{Conn: conn, Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: st.DatabaseID()}}
	open := func() *Guard {
		t.Helper()
		g, err := Open(t.Context(), st, link, Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.Close)
		return g
	}
	running := open()
	now := time.Now().UTC()
	user := func(email string) Person {
		t.Helper()
		u := store.User{ID: store.NewID(), Name: "Ada", Email: email, PasswordHash: "x", CreatedAt: now}
		if err := st.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		return Person{ID: u.ID, SessionID: store.NewID()}
	}
	tokens := make(map[string]string)
	end := func(how string, p Person, write func() error) {
		t.Helper()
		for name, who := range map[string]Person{how: p, how + ", another session": {ID: p.ID, SessionID: store.NewID()}} {
			if tokens[name], _, err = running.Sign(who); err != nil {
				t.Fatal(err)
			}
			if _, err := running.Check(tokens[name]); err != nil {
				t.Fatalf("%s: before its end: %v", name, err)
			}
		}
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	out, everywhere, locked, erased := user("out@example.org"), user("everywhere@example.org"), user("locked@example.org"), user("erased@example.org")
	end("log-out", out, func() error {
		return st.EndSession(t.Context(), store.Session{ID: out.SessionID, UserID: out.ID, CreatedAt: now, ExpiresAt: now.Add(time.Hour)})
	})
	end("everywhere", everywhere, func() error { _, err := st.EndTokens(t.Context(), everywhere.ID, now); return err })
	end("lock", locked, func() error { _, err := st.LockUser(t.Context(), locked.ID, now); return err })
	end("erased", erased, func() error { return st.EraseUser(t.Context(), erased.ID, now) })
	began := time.Now()
	for name, token := range tokens {
		stays := name == "log-out, another session"
		for which, g := range map[string]*Guard{"a running process": running, "one that starts later": open()} {
			if stays {
				continue
			}
			testenv.Eventually(t, 5*time.Second-time.Since(began), name+" in "+which, func() error {
				if _, err := g.Check(token); err == nil {
					return errors.New("the token is believed")
				}
				return nil
			})
		}
	}
	if _, err := running.Check(tokens["log-out, another session"]); err != nil {
		t.Errorf("a log-out ends the other sessions of the person: %v", err)
	}
}

func TestAnEndedSessionIsForgottenWithItsTokens(t *testing.T) {
	g := Alone()
	p := Person{ID: store.NewID(), SessionID: store.NewID()}
	token, expires, err := g.Sign(p)
	if err != nil {
		t.Fatal(err)
	}
	g.EndSession(store.Session{ID: p.SessionID, UserID: p.ID, ExpiresAt: expires})
	g.EndSession(store.Session{UserID: p.ID, ExpiresAt: expires}) // of a token without one: ends nothing
	if _, err := g.Check(token); err == nil {
		t.Error("the token is believed")
	}
	if g.ended.has(store.ID{}) {
		t.Error("tokens without a session have ended")
	}
	g.forget(expires.Add(leeway))
	if !g.ended.has(p.SessionID) {
		t.Error("it is forgotten while its token lives by a clock that is behind")
	}
	g.forget(expires.Add(leeway + clockSkew + time.Second))
	if len(g.ended.forgetAt) != 0 {
		t.Error("it is never forgotten")
	}
}

// TestATokenWithoutAnIDIsBelieved: versions before had none, and live until a day after an upgrade.
func TestATokenWithoutAnIDIsBelieved(t *testing.T) {
	keys := parse(t, entry("a", "s"))
	v := verifierAt(keys, instant)
	signed := func(extra map[string]any) string {
		t.Helper()
		c := jwt.MapClaims{"iss": issuer, "aud": audience, "sub": store.NewID().Hex(), "pv": 0,
			"iat": instant.Unix(), "nbf": instant.Unix(), "exp": instant.Add(time.Hour).Unix()}
		maps.Copy(c, extra)
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
		token.Header = headerOf("a")
		text, err := token.SignedString(secretOf("s"))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if p, err := v.Verify(signed(nil)); err != nil || !p.SessionID.IsZero() || !p.LoginAt.Equal(instant) {
		t.Errorf("without: %+v, %v", p, err)
	}
	for _, id := range []any{"x", "0123", 7, store.NewID().Hex() + "0"} {
		if p, err := v.Verify(signed(map[string]any{"jti": id})); err == nil {
			t.Errorf("%v is taken: %+v", id, p)
		}
	}
}
