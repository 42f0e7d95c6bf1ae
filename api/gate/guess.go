package gate

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/throttle"
	"github.com/eventio/eventio/pkg/store"
)

// The cookie of a browser from which somebody has logged in before. It authorizes nothing: see
// identity.Guard.SignBrowser. Log-outs leave it, because it is for the next log-in.
const (
	plainBrowserCookie  = "eventio_browser"
	secureBrowserCookie = "__Host-" + plainBrowserCookie
)

// heldToken stands for the browser of who shows a token: it knows the account as a browser does from
// which they have logged in.
const heldToken = "token"

// Guess is a password that was sent for an account, while it is looked at.
type Guess struct {
	// Party takes turns with others at hashing.
	Party fairqueue.Party
	turn  *throttle.Turn // nil: nothing is limited
}

// Guess waits for the turn of a password that was sent for the account with an e-mail address. u is
// who has the address; the zero User: nobody. who is the caller, where a token was looked at. It
// fails with *throttle.SlowedError, and then the password must not be looked at. Whoever gets a Guess
// defers End.
func (g *Gate) Guess(ctx context.Context, r *http.Request, email string, u store.User, who Caller) (*Guess, error) {
	address := g.Client(r)
	guess, browser := &Guess{Party: fairqueue.Stranger(address)}, ""
	if id, known := g.guard.KnownBrowser(g.browserCookie(r), identity.Person{ID: u.ID, PasswordVersion: u.PasswordVersion}); known {
		guess.Party, browser = fairqueue.Known(u.ID), id
	}
	if who.Proven && who.ID == u.ID {
		guess.Party, browser = fairqueue.Known(u.ID), heldToken
	}
	if g.guesses == nil {
		return guess, nil
	}
	var err error
	guess.turn, err = g.guesses.Begin(ctx, throttle.Attempt{
		Account: store.EmailKey(email), UserID: u.ID, Address: address, Browser: browser,
	})
	return guess, err
}

// Decide says whether the password was right.
func (g *Guess) Decide(right bool) {
	if g.turn != nil {
		g.turn.Decide(right)
	}
}

// End ends the turn. It may come more than once; without it nobody else has one.
func (g *Guess) End() {
	if g.turn != nil {
		g.turn.End()
	}
}

// Stranger returns the party of a client who has proven nothing, which takes turns at hashing
// with others. Clients whose address is not known share one.
func (g *Gate) Stranger(r *http.Request) fairqueue.Party { return fairqueue.Stranger(g.Client(r)) }

// Client returns the client's address; the zero Addr: it is not known. Of an IPv6 address it has
// the /64.
func (g *Gate) Client(r *http.Request) netip.Addr {
	address, _ := netip.ParseAddr(g.clientAddress(r)) // invalid: not known
	return address
}

// MayBeKnown reports whether the request has something that may prove that its browser is known.
// Only [Gate.Guess] tells, when it is known for whom.
func (g *Gate) MayBeKnown(r *http.Request) bool { return g.browserCookie(r) != "" }

// SetBrowser lets the browser of who has just proven a password be known from now on. A page of another
// origin changes nothing, as with SetCookie.
func (g *Gate) SetBrowser(w http.ResponseWriter, r *http.Request, p identity.Person) {
	if !ownPage(r) {
		return
	}
	value, expires := g.guard.SignBrowser(p)
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure over plain HTTP, which secure finds out
		Name: g.browserCookieName(r), Value: value, Path: "/", MaxAge: int(time.Until(expires) / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: g.secure(r),
	})
}

func (g *Gate) browserCookieName(r *http.Request) string {
	if g.secure(r) {
		return secureBrowserCookie
	}
	return plainBrowserCookie
}

// browserCookie returns the value of the cookie, or "" when there is none, it is not clear which one
// counts, or a page of another origin sends the request.
func (g *Gate) browserCookie(r *http.Request) string {
	if !ownPage(r) {
		return ""
	}
	cookies := r.CookiesNamed(g.browserCookieName(r))
	if len(cookies) != 1 {
		return ""
	}
	return cookies[0].Value
}
