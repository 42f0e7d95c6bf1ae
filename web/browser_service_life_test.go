//go:build browser

package web

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// TestDocs: the description of the API is a page like the others: nothing to scroll sideways, and
// judged by axe.
func TestDocs(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, startChromium(t), startEventio(t))
	v.open("/")
	v.click(`.foot-links a[href="/docs"]`)
	v.until(`document.readyState === 'complete' && location.pathname === '/docs' && document.querySelectorAll('article').length > 20`)
	v.judge("docs")
}

// TestServiceFrozen: a service that is frozen for a while answers the one request, once.
func TestServiceFrozen(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	ada := newVisitor(t, browser, s)
	ada.signedUp("Ada")
	organizer := s.person()
	event := organizer.event(nil)
	ada.open("/events/" + event)
	ada.sees("register", "Register")
	signal := func(sig syscall.Signal) {
		t.Helper()
		if err := s.process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	t.Cleanup(func() { _ = s.process.Signal(syscall.SIGCONT) }) // also when the test fails
	ada.click("#register")
	ada.sees("register", "Asking for your place")
	ada.click("#register") // a second one changes nothing
	ada.sees("register", "Asking for your place")
	signal(syscall.SIGCONT)
	ada.sees("feedback", "You are registered")
	ada.sees("taken", "1 of 12 taken")
}

// session is whom the cookie of a visitor speaks for.
func (s *service) session(v *visitor) identity.Person {
	v.t.Helper()
	got, err := chromedp.Call(v.ctx, network.GetCookies, network.GetCookiesParams{})
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range got.Cookies {
		if c.Name == "eventio_token" {
			p, err := identity.NewVerifier(s.keys, time.Now).Verify(c.Value)
			if err != nil {
				v.t.Fatal(err)
			}
			return p
		}
	}
	v.t.Fatal("there is no session")
	return identity.Person{}
}

// TestShortSessionRenews: a page that is looked at renews its session in time, however short it is.
func TestShortSessionRenews(t *testing.T) {
	t.Parallel()
	const life = 12 * time.Second
	s, browser := startEventio(t, "EVENTIO_TOKEN_LIFETIME="+life.String()), startChromium(t)
	ada := newVisitor(t, browser, s)
	ada.signedUp("Ada")
	ada.open("/registrations")
	first := s.session(ada)
	testenv.Eventually(t, 4*life, "be renewed twice", func() error {
		if now := s.session(ada); now.ExpiresAt.Before(first.ExpiresAt.Add(life)) {
			return fmt.Errorf("it ends at %v, at first %v", now.ExpiresAt, first.ExpiresAt)
		}
		return nil
	})
	ada.sees("account", "Ada")
}

// TestSessionRenews: a session is renewed while somebody is there, and stays the log-in that it
// was.
func TestSessionRenews(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	ada := newVisitor(t, browser, s)
	ada.signedUp("Ada")
	session := func() identity.Person { return s.session(ada) }
	first := session()
	ada.open("/registrations")
	if again := session(); again != first {
		t.Errorf("a young session was renewed: %+v, was %+v", again, first)
	}
	old, expires, err := s.keys.Mint(first, time.Now().Add(-50*time.Minute), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ada.ctx, network.SetCookie, network.SetCookieParams{Name: "eventio_token", Value: old, URL: s.base, Path: "/"}); err != nil {
		t.Fatal(err)
	}
	ada.open("/registrations")
	ada.sees("account", "Ada")
	renewed := session()
	if !renewed.ExpiresAt.After(expires.Add(30*time.Minute)) || renewed.SessionID != first.SessionID || renewed.SessionID == (store.ID{}) {
		t.Errorf("after it the session is %+v, before %+v", renewed, first)
	}
	if proven := time.Since(renewed.LoginAt); proven < 49*time.Minute {
		t.Errorf("the password was proven %v ago", proven)
	}
}
