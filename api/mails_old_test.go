package api

import (
	"database/sql"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/eventio/eventio/api/serve"
	"github.com/eventio/eventio/internal/testenv/system"
	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store"
)

// TestAForgottenPasswordOfBefore: whoever logs in with an address gets the link by it, also who has one that no new account may
// have, and each of two who have one in two forms.
func TestAForgottenPasswordOfBefore(t *testing.T) {
	withMail(t, func(t *testing.T, p posted) {
		create := func(email string) store.User {
			t.Helper()
			u := store.User{ID: store.NewID(), Name: "Ada", Email: email, PasswordHash: "x", CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
			if err := p.site.st.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			return u
		}
		// reset has a link sent, as the nth mail to the address, and sets a password by it.
		reset := func(email string, n int, want store.User) {
			t.Helper()
			password := want.ID.Hex() + " horse battery"
			p.ask(t, "POST", serve.PathResets, resetBody(email)).want(t, 202, "")
			token := p.token(t, text.ForMail(want.Email), n)
			p.ask(t, "POST", serve.PathResets+"/confirm", newPasswordBody(token, password)).want(t, 204, "")
			if got := p.ask(t, "POST", "/api/login", logInBody(email, password)).want(t, 200, "").field(t, "id"); got != want.ID.Hex() {
				t.Errorf("%s is %s now, want %s", email, got, want.ID.Hex())
			}
		}
		const ligature = "\ufb01ona@people.example"
		reset(ligature, 1, create(ligature))
		if p.site.parts.Kind != system.SQLite { // into which a test can write what a version before left
			return
		}
		db, err := sql.Open("sqlite", p.site.parts.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, c := range []struct{ now, before string }{
			{"ada@xn--bcher-kva.example", "ada@b\u00fccher.example"}, {"jos\u00e9@people.example", norm.NFD.String("jos\u00e9@people.example")},
		} {
			a, b := create(c.now), create(store.NewID().Hex()+"@people.example")
			if _, err := db.ExecContext(t.Context(), `UPDATE users SET email = ?1, email_key = ?1 WHERE id = ?2`, c.before, b.ID[:]); err != nil {
				t.Fatal(err)
			}
			b.Email = c.before
			reset(c.now, 1, a)
			n := 2
			if text.ForMail(a.Email) != text.ForMail(b.Email) {
				n = 1
			}
			reset(c.before, n, b)
			p.ask(t, "POST", "/api/login", logInBody(c.now, a.ID.Hex()+" horse battery")).want(t, 200, "")
		}
	})
}
