//go:build browser

// These tests drive a real Chromium against a real server, as visitors do.
// They fail where either is missing; they never skip.
//
//	go test -tags browser ./web
//
// CHROMIUM names the browser (else scripts/chromium.sh finds or fetches one),
// EVENTIO_URL a server that already runs (else one is built and started),
// SCREENSHOTS a directory for pictures of every page.

package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const (
	waitLimit = 15 * time.Second // for a page to come to show something
)

// attack runs as script if it is ever parsed as HTML.
func attack(where string) string {
	return fmt.Sprintf(`<img src=x onerror="window.attacked='%s'">`, where)
}

func TestBrowser(t *testing.T) {
	base := startEventio(t)
	browser := startChromium(t)
	ada := newVisitor(t, browser, base)
	grace := newVisitor(t, browser, base)
	guest := newVisitor(t, browser, base)
	adaName, adaEmail := "Ada "+attack("name"), newEmail()
	title, description := "Observatory "+attack("title"), "Clear sky "+attack("description")+"</p><script>window.attacked='script'</script>"
	path := "" // of the event

	steps := []struct {
		name string
		run  func(t *testing.T)
	}{
		{"keyboard/skip_link_leads_to_the_content", func(*testing.T) {
			ada.open("/")
			ada.do(chromedp.KeyEvent(kb.Tab))
			ada.until(`document.activeElement.className === 'skip'`)
			ada.do(chromedp.KeyEvent(kb.Enter))
			ada.until(`document.activeElement.id === 'main'`)
		}},
		{"sign_up/mistakes_are_shown_beside_their_fields", func(t *testing.T) {
			ada.open("/signup")
			ada.click("form button[type=submit]")
			for _, field := range []string{"name", "email", "password"} {
				ada.until(fmt.Sprintf(`document.getElementById('%s-error').textContent !== '' && document.getElementById('%[1]s').ariaInvalid === 'true'`, field))
			}
			ada.until(`document.activeElement.id === 'name'`)
			ada.look("signup-mistakes")
			ada.fill(map[string]string{"name": adaName, "email": adaEmail, "password": "short"})
			ada.click("form button[type=submit]")
			ada.sees("password-error", "at least 8")
			// What only the server checks comes back beside its field too.
			ada.do(chromedp.Evaluate[chromedp.Void](`document.getElementById('password').value = 'x'.repeat(257)`))
			ada.click("form button[type=submit]")
			ada.sees("password-error", "256")
			ada.until(`document.activeElement.id === 'password'`)
			ada.look("signup-refused")
		}},
		{"sign_up/an_address_can_be_taken_once", func(*testing.T) {
			email := newEmail()
			guest.open("/signup")
			guest.signUp("First", email, password)
			guest.click("#account button")
			guest.sees("account", "Log in")
			guest.open("/signup")
			guest.fill(map[string]string{"name": "Second", "email": email, "password": password})
			guest.click("form button[type=submit]")
			guest.sees("email-error", "already signed up")
		}},
		{"sign_up/works", func(t *testing.T) {
			ada.signUp(adaName, adaEmail, password)
			ada.look("signed-up")
			stored := must[map[string]any](ada, `JSON.parse(localStorage.getItem('user'))`)
			if len(stored) != 3 || stored["name"] != adaName || stored["email"] != adaEmail || stored["id"] == "" {
				t.Errorf("stored %v, want id, name and email only", stored)
			}
		}},
		{"log_out/forgets_the_person", func(t *testing.T) {
			ada.click("#account button")
			ada.sees("flash", "You are logged out")
			ada.sees("account", "Log in")
			if left := must[string](ada, `String(localStorage.getItem('user'))`); left != "null" {
				t.Errorf("still stored: %s", left)
			}
		}},
		{"log_in/wrong_password_is_refused", func(*testing.T) {
			ada.open("/login")
			ada.fill(map[string]string{"email": adaEmail, "password": "seventeen calm ferrets"})
			ada.click("form button[type=submit]")
			ada.sees("form-error", "do not go together")
			ada.look("login-refused")
		}},
		{"log_in/goes_on_where_it_was_asked_for_and_nowhere_else", func(*testing.T) {
			for _, next := range []string{"//example.org/", `/\example.org/`, "https://example.org/", "/.//example.org/", "javascript:alert(1)"} {
				ada.do(chromedp.Navigate(base + "/login?next=" + url.QueryEscape(next)))
				ada.at("/login")
				ada.fill(map[string]string{"email": adaEmail, "password": password})
				ada.click("form button[type=submit]")
				ada.until(fmt.Sprintf(`location.origin === %s && location.pathname !== '/login' && document.readyState === 'complete'`, quote(base)))
			}
			ada.do(chromedp.Navigate(base + "/login?next=/events/new"))
			ada.at("/login")
			ada.fill(map[string]string{"email": adaEmail, "password": password})
			ada.click("form button[type=submit]")
			ada.at("/events/new")
			ada.sees("flash", "Welcome back, "+adaName)
		}},
		{"new_event/mistakes_are_shown_beside_their_fields", func(*testing.T) {
			ada.fill(map[string]string{"title": "x", "capacity": "0", "starts_at": "2030-01-02T10:00", "ends_at": "2030-01-02T09:00"})
			ada.click("form button[type=submit]")
			ada.sees("ends_at-error", "after the start")
			ada.until(`document.getElementById('capacity-error').textContent !== '' && document.activeElement.id === 'capacity'`)
			ada.look("new-mistakes")
		}},
		{"new_event/works", func(*testing.T) {
			path = ada.newEvent(title, description, 1)
			ada.sees("description", description)
			ada.sees("left", "1")
			ada.sees("roster-note", "Nobody yet")
			ada.look("event-new")
		}},
		{"times/are_in_the_zone_of_the_visitor", func(t *testing.T) {
			if _, err := chromedp.Call(guest.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Australia/Eucla"}); err != nil {
				t.Fatal(err)
			}
			guest.open(path)
			guest.sees("zone", "Eucla")
			guest.until(`(() => {
				const time = document.querySelector('#starts time');
				const there = new Date(Date.parse(time.dateTime) + (8 * 60 + 45) * 60_000);
				return time.textContent.includes(':' + String(there.getUTCMinutes()).padStart(2, '0'));
			})()`)
		}},
		{"register/a_guest_is_asked_to_log_in", func(*testing.T) {
			guest.sees("guest", "Log in to register")
			guest.look("event-guest")
			grace.open(path)
			grace.click("#guest-signup")
			grace.at("/signup")
			grace.signUp("Grace", newEmail(), password)
			grace.at(path) // signing up led back
			grace.sees("register", "Register")
			grace.sees("left", "1")
		}},
		{"register/the_first_gets_the_place", func(t *testing.T) {
			ada.do(chromedp.Focus(chromedp.CSS("#register")), chromedp.KeyEvent(kb.Enter))
			ada.sees("feedback", "You are registered")
			ada.sees("left", "Sold out")
			ada.until(`document.activeElement.id === 'feedback' && !document.getElementById('register').checkVisibility()`)
			ada.sees("roster", "you")
			if n := must[int](ada, `document.querySelectorAll('#roster li').length`); n != 1 {
				t.Errorf("the roster shows %d, want 1", n)
			}
			ada.look("event-registered")
		}},
		{"register/the_second_hears_sold_out", func(*testing.T) {
			grace.click("#register")
			grace.sees("feedback", "Sold out")
			grace.sees("left", "Sold out")
			grace.look("event-refused")
		}},
		{"register/a_reload_remembers", func(*testing.T) {
			ada.open(path)
			ada.sees("feedback", "You are registered")
			grace.open(path)
			grace.sees("left", "Sold out")
			grace.until(`!document.getElementById('register').checkVisibility()`)
		}},
		{"list/shows_the_event_as_sold_out", func(*testing.T) {
			guest.open("/")
			guest.until(fmt.Sprintf(`(() => {
				const link = document.querySelector('a[href="%s"]');
				return link?.textContent === %s && link.closest('li').textContent.includes('Sold out');
			})()`, path, quote(title)))
			guest.look("list")
		}},
		{"register/a_lost_answer_is_asked_for_again_with_the_same_key", func(t *testing.T) {
			grace.newEvent("Lost and found", "", 5)
			keys := loseFirstAnswer(grace)
			grace.click("#register")
			grace.sees("feedback", "The answer got lost")
			grace.look("event-lost")
			grace.click("#register")
			grace.sees("feedback", "You are registered") // not "already": it is the same request
			if sent := keys(); len(sent) != 2 || sent[0] == "" || sent[0] != sent[1] {
				t.Errorf("keys sent: %q, want the same twice", sent)
			}
			grace.sees("left", "4")
		}},
		{"missing/event_and_page", func(*testing.T) {
			guest.open("/events/000000000000000000000000")
			guest.sees("trouble", "No such event")
			guest.look("event-missing")
		}},
	}
	visitors := map[string]*visitor{"ada": ada, "grace": grace, "guest": guest}
	for _, step := range steps {
		ok := t.Run(step.name, func(t *testing.T) {
			for _, v := range visitors {
				v.t = t
			}
			step.run(t)
		})
		if !ok {
			break // what follows builds on it
		}
	}
	for name, v := range visitors {
		if complaints := v.complained(); len(complaints) > 0 {
			t.Errorf("the browser of %s complained:\n%s", name, strings.Join(complaints, "\n"))
		}
	}
}

// loseFirstAnswer cuts the connection of the next registration after the
// server has answered and before the page hears it. It returns what gives the
// keys of all registrations sent since.
func loseFirstAnswer(v *visitor) (keys func() []string) {
	v.t.Helper()
	var mu sync.Mutex
	var sent []string
	paused := chromedp.Events(v.ctx, fetch.RequestPaused)
	if _, err := chromedp.Call(v.ctx, fetch.Enable, fetch.EnableParams{
		Patterns: []*fetch.RequestPattern{{URLPattern: "*/registrations", RequestStage: fetch.RequestStageResponse}},
	}); err != nil {
		v.t.Fatal(err)
	}
	go func() { // ends with the visitor's window
		for ev, err := range paused {
			if err != nil {
				return
			}
			mu.Lock()
			sent = append(sent, fmt.Sprint(ev.Request.Headers["Idempotency-Key"]))
			first := len(sent) == 1
			mu.Unlock()
			if first {
				_, _ = chromedp.Call(v.ctx, fetch.FailRequest, fetch.FailRequestParams{RequestID: ev.RequestID, ErrorReason: network.ErrorReasonConnectionReset})
			} else {
				_, _ = chromedp.Call(v.ctx, fetch.ContinueResponse, fetch.ContinueResponseParams{RequestID: ev.RequestID})
			}
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(sent)
	}
}

// The test above rests on the browser complaining. This proves that it would:
// put the attack in as HTML, and the policy must stop it and say so.
func TestBrowserWouldComplain(t *testing.T) {
	v := newVisitor(t, startChromium(t), startEventio(t))
	v.open("/")
	v.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.body.insertAdjacentHTML('beforeend', %s)`, quote(attack("canary")))))
	deadline := time.Now().Add(waitLimit)
	for !strings.Contains(strings.Join(v.complained(), "\n"), "Content Security Policy") {
		if time.Now().After(deadline) {
			t.Fatalf("no complaint: %q", v.complained())
		}
		time.Sleep(20 * time.Millisecond)
	}
	if fired := must[string](v, `String(window.attacked)`); fired != "undefined" {
		t.Errorf("the policy let the attack run: %s", fired)
	}
}
