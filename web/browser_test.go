//go:build browser

// These tests drive a real Chromium against a real server, as visitors do. They fail where
// either is missing; they never skip.
//
//	go test -tags browser ./web
//
// CHROMIUM names the browser (else scripts/chromium.sh finds or fetches one), AXE the checker of
// accessibility (else scripts/axe.sh fetches it), SCREENSHOTS a directory for pictures of every
// page in each mode (else they are artefacts of the test).

package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

const waitLimit = 15 * time.Second // for a page to come to show something

// hostile runs as script if it is ever parsed as HTML.
func hostile(where string) string {
	return fmt.Sprintf(`<img src=x onerror="window.attacked='%s'">`, where)
}

// step is a part of a story. What follows builds on it.
type step struct {
	name string
	run  func(t *testing.T)
}

func tell(t *testing.T, visitors map[string]*visitor, steps []step) {
	for _, s := range steps {
		ok := t.Run(s.name, func(t *testing.T) {
			for _, v := range visitors {
				v.t = t
			}
			s.run(t)
		})
		if !ok {
			break
		}
	}
	for name, v := range visitors {
		if complaints := v.complained(); len(complaints) > 0 {
			t.Errorf("the browser of %s complained:\n%s", name, strings.Join(complaints, "\n"))
		}
	}
}

// TestStory: the life of an event: announced, found, full, waited for, left, moved up in, raised,
// edited, called off, with four people looking at it.
func TestStory(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	ada, grace, linus, guest := newVisitor(t, browser, s), newVisitor(t, browser, s), newVisitor(t, browser, s), newVisitor(t, browser, s)
	adaName := "Ada " + hostile("name")
	title, description := "Observatory "+hostile("title"), "Clear sky "+hostile("description")+"</p><script>window.attacked='script'</script>"
	path := "" // of the event

	tell(t, map[string]*visitor{"ada": ada, "grace": grace, "linus": linus, "guest": guest}, []step{
		{"nothing_is_there_yet", func(*testing.T) {
			guest.open("/")
			guest.sees("empty", "Nothing coming up")
			guest.look("list-empty")
		}},
		{"the_keyboard_alone_leads_to_the_content", func(*testing.T) {
			ada.open("/")
			ada.do(chromedp.KeyEvent(kb.Tab))
			ada.until(`document.activeElement.className === 'skip'`)
			ada.do(chromedp.KeyEvent(kb.Enter))
			ada.until(`document.activeElement.id === 'main'`)
		}},
		{"sign_up/mistakes_are_shown_beside_their_fields", func(*testing.T) {
			ada.open("/signup")
			ada.look("signup")
			ada.click("form button[type=submit]")
			for _, field := range []string{"name", "email", "password"} {
				ada.until(fmt.Sprintf(`document.getElementById('%s-error').textContent !== '' && document.getElementById('%[1]s').ariaInvalid === 'true'`, field))
			}
			ada.until(`document.activeElement.id === 'name'`)
			ada.look("signup-mistakes")
			ada.fill(map[string]string{"name": adaName, "email": newEmail(), "password": "short"})
			ada.click("form button[type=submit]")
			ada.sees("password-error", "at least 8")
			// What only the server knows comes back beside its field too, in our words.
			ada.fill(map[string]string{"password": "password1"})
			ada.click("form button[type=submit]")
			ada.sees("password-error", "hard to guess")
			ada.until(`document.activeElement.id === 'password'`)
		}},
		{"sign_up/works", func(t *testing.T) {
			ada.signUp(adaName, newEmail(), password)
			if kept := must[string](ada, `JSON.stringify({...localStorage, ...sessionStorage})`); strings.Contains(kept, "@example.org") {
				t.Errorf("the browser keeps %s", kept)
			}
		}},
		{"announce/mistakes_are_shown_beside_their_fields", func(*testing.T) {
			ada.open("/events/new")
			ada.fill(map[string]string{"title": "x", "capacity": "0", "starts_at": "2030-01-02T10:00", "ends_at": "2030-01-02T09:00"})
			ada.click("form button[type=submit]")
			ada.sees("ends_at-error", "after the start")
			ada.sees("capacity-error", "from 1 to")
			ada.look("new-mistakes")
		}},
		{"announce/a_draft_survives_a_reload", func(*testing.T) {
			ada.fill(map[string]string{"title": "Half a thought"})
			ada.open("/events/new")
			ada.until(`document.getElementById('title').value === 'Half a thought'`)
			ada.sees("draft", "typed before")
			ada.click("#draft-drop")
			ada.until(`document.getElementById('title').value === '' && document.getElementById('draft').hidden`)
		}},
		{"announce/works", func(*testing.T) {
			ada.click("#waitlist")
			path = ada.newEvent(map[string]string{"title": title, "description": description, "place": "Dome 3", "capacity": "1"})
			ada.sees("sold", "0")
			ada.sees("roster-note", "Nobody is registered yet")
			ada.look("manage-new")
		}},
		{"register/a_guest_comes_back_to_where_they_were", func(*testing.T) {
			guest.open(path)
			guest.sees("description", description)
			guest.sees("place", "Dome 3")
			guest.sees("left", "1")
			guest.sees("guest", "Log in to register")
			grace.open(path)
			grace.click("#guest-signup")
			grace.at("/signup")
			grace.signUp("Grace", newEmail(), password)
			grace.at(path)
			grace.sees("register", "Register")
		}},
		{"register/the_first_gets_the_place_and_others_see_it", func(*testing.T) {
			grace.do(chromedp.Focus(chromedp.CSS("#register")), chromedp.KeyEvent(kb.Enter))
			grace.sees("feedback", "You are registered")
			grace.sees("left", "No. 1")
			grace.until(`document.activeElement.id === 'feedback' && !document.getElementById('register').checkVisibility()`)
			guest.sees("left", "Sold out")
			guest.sees("guest", "Log in to join the waiting list")
			ada.sees("sold", "1")
			ada.until(`document.querySelectorAll('#roster li').length === 1`)
			grace.look("event-registered")
		}},
		{"wait/the_second_waits_and_is_told_so", func(*testing.T) {
			linus.open(path)
			linus.click("#guest-signup")
			linus.at("/signup")
			linus.signUp("Linus", newEmail(), password)
			linus.at(path)
			linus.click("#register")
			linus.sees("feedback", "You are next in line")
			linus.sees("feedback", "You do not have a place yet")
			linus.sees("leave", "Leave the waiting list")
			linus.look("event-waiting")
			linus.open(path) // a reload says the same
			linus.sees("feedback", "You are next in line")
		}},
		{"mine/says_what_the_service_says", func(*testing.T) {
			linus.open("/registrations")
			linus.sees("upcoming", "On the waiting list")
			linus.look("registrations")
			linus.open(path)
			linus.do(chromedp.Evaluate[chromedp.Void](`window.shifted = 0; new PerformanceObserver((list) => {
				for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifted += shift.value;
			}).observe({type: 'layout-shift'})`))
		}},
		{"leave/the_first_leaves_and_the_second_moves_up", func(t *testing.T) {
			grace.click("#leave")
			grace.until(`document.getElementById('confirm').open && document.activeElement.id === 'confirm-no'`)
			grace.look("event-leave")
			grace.sure()
			grace.sees("feedback", "You gave it up")
			linus.sees("flash", "You moved up")
			linus.sees("feedback", "You are registered")
			if shifted := must[float64](linus, `window.shifted`); shifted > 0.05 {
				t.Errorf("the page moved by %v under its reader", shifted)
			}
			linus.look("event-promoted")
			grace.sees("register", "Join the waiting list")
			grace.open(path)
			grace.sees("register", "Join the waiting list")
		}},
		{"capacity/says_what_it_does_and_does_it", func(*testing.T) {
			grace.click("#register")
			grace.sees("feedback", "You are next in line")
			s.crowd(strings.TrimPrefix(path, "/events/"), 2)
			ada.sees("waiting", "3")
			ada.fill(map[string]string{"capacity": "3"})
			ada.sees("capacity-effect", "2 people move up")
			ada.look("manage-capacity")
			ada.click("#form button[type=submit]")
			ada.sees("flash", "2 people moved up")
			ada.sees("sold", "3")
			grace.sees("feedback", "You are registered")
			ada.fill(map[string]string{"capacity": "1"})
			ada.click("#form button[type=submit]")
			ada.sees("capacity-error", "taken already")
		}},
		{"edit/everybody_sees_it", func(*testing.T) {
			ada.open(path + "/edit")
			ada.look("edit")
			ada.fill(map[string]string{"place": "Dome 4"})
			ada.click("form button[type=submit]")
			ada.sees("flash", "Saved")
			guest.sees("place", "Dome 4")
		}},
		{"list/finds_it_by_a_word_and_by_what_is_to_be_had", func(*testing.T) {
			guest.open("/?q=observatory")
			guest.until(fmt.Sprintf(`document.querySelector('.card a')?.textContent === %s && document.querySelector('.card').textContent.includes('Waiting list')`, quote(title)))
			guest.open("/?show=open")
			guest.sees("empty", "No free places right now")
			guest.open(path)
		}},
		{"remove/who_is_removed_sees_it_and_a_reload_says_the_same", func(*testing.T) {
			ada.open(path + "/manage")
			ada.until(`document.querySelectorAll('#roster li').length === 4 && document.querySelectorAll('#roster .badge-good').length === 3`)
			ada.click("#roster li:first-child .link-button")
			ada.sees("confirm-title", "Remove Linus?")
			ada.sure()
			// The first in line moves up, so three have a place again.
			ada.until(`document.querySelectorAll('#roster li').length === 3 && document.querySelectorAll('#roster .badge-good').length === 3 && document.activeElement.closest('#roster') !== null`)
			linus.sees("flash", "You are not registered any more")
			linus.sees("register", "Join the waiting list")
			linus.open(path)
			linus.sees("register", "Join the waiting list")
		}},
		{"cancel/everybody_sees_it", func(*testing.T) {
			ada.click("#cancel")
			ada.sees("confirm-text", "people see it")
			ada.sure()
			ada.sees("called-off", "called off")
			ada.look("manage-cancelled")
			guest.sees("left", "Called off")
			grace.sees("feedback", "The event is called off")
			grace.until(`!document.getElementById('leave').checkVisibility() && !document.getElementById('register').checkVisibility()`)
			grace.look("event-cancelled")
		}},
	})
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	s := startEventio(t)
	browser := startChromium(t)
	ada, phone := newVisitor(t, browser, s), newVisitor(t, browser, s)
	email := newEmail()
	tell(t, map[string]*visitor{"ada": ada, "phone": phone}, []step{
		{"an_address_can_be_taken_once", func(*testing.T) {
			ada.open("/signup")
			ada.signUp("First", email, password)
			ada.click("#log-out")
			ada.sees("flash", "You are logged out")
			ada.sees("account", "Log in")
			ada.open("/signup")
			ada.fill(map[string]string{"name": "Second", "email": email, "password": password})
			ada.click("form button[type=submit]")
			ada.sees("email-error", "signed up with this e-mail before")
		}},
		{"a_wrong_password_is_refused", func(*testing.T) {
			ada.open("/login")
			ada.fill(map[string]string{"email": email, "password": "seventeen calm ferrets"})
			ada.click("form button[type=submit]")
			ada.sees("form-error", "do not go together")
			ada.look("login-refused")
		}},
		{"it_goes_on_where_it_was_asked_for_and_nowhere_else", func(*testing.T) {
			for _, next := range []string{"//example.org/", `/\example.org/`, "https://example.org/", "/.//example.org/", "javascript:alert(1)"} {
				ada.do(chromedp.Navigate(s.base + "/login?next=" + url.QueryEscape(next)))
				ada.at("/login")
				ada.fill(map[string]string{"email": email, "password": password})
				ada.click("form button[type=submit]")
				ada.until(fmt.Sprintf(`location.origin === %s && location.pathname !== '/login' && document.readyState === 'complete'`, quote(s.base)))
			}
			ada.open("/login?next=/events/new")
			ada.fill(map[string]string{"email": email, "password": password})
			ada.click("form button[type=submit]")
			ada.at("/events/new")
			ada.sees("flash", "Welcome back, First")
		}},
		{"a_password_is_changed", func(*testing.T) {
			ada.open("/account")
			ada.look("account")
			ada.fill(map[string]string{"old_password": "seventeen calm ferrets", "new_password": "eighteen calm otters"})
			ada.click("form button[type=submit]")
			ada.sees("old_password-error", "not right")
			ada.fill(map[string]string{"old_password": password, "new_password": "eighteen calm otters"})
			ada.click("form button[type=submit]")
			ada.sees("flash", "Your password is changed")
			ada.open("/registrations") // and is logged in still
			ada.sees("none", "not registered for anything yet")
			ada.look("registrations-none")
		}},
		{"a_session_that_ends_is_seen", func(t *testing.T) {
			event := s.person().event(nil)
			ada.open("/events/" + event)
			ada.sees("register", "Register")
			ada.clearCookies()
			ada.click("#register")
			ada.sees("feedback", "You are not logged in any more")
			ada.sees("account", "Log in")
			ada.look("event-session-over")
			ada.click("#feedback a")
			ada.at("/login")
			ada.fill(map[string]string{"email": email, "password": "eighteen calm otters"})
			ada.click("form button[type=submit]")
			ada.at("/events/" + event)
			ada.click("#register")
			ada.sees("feedback", "You are registered")
		}},
		{"another_device_sees_what_one_has_done", func(*testing.T) {
			path := must[string](ada, `location.pathname`)
			phone.open("/login?next=" + path)
			phone.fill(map[string]string{"email": email, "password": "eighteen calm otters"})
			phone.click("form button[type=submit]")
			phone.at(path)
			phone.sees("left", "No. 1")
			phone.sees("feedback", "You are registered")
			phone.listens()
			ada.click("#leave")
			ada.sure()
			ada.sees("feedback", "You gave it up")
			phone.sees("flash", "You are not registered any more")
			phone.sees("register", "Register")
			phone.click("#register")
			phone.sees("left", "No. 2")
			ada.sees("left", "No. 2")
		}},
		{"another_tab_knows_that_one_has_logged_out", func(*testing.T) {
			other := newTab(ada)
			other.open("/")
			other.sees("account", "First")
			ada.click("#log-out")
			other.sees("account", "Log in")
		}},
		{"a_page_that_is_not_there", func(t *testing.T) {
			ada.do(chromedp.Navigate(s.base + "/events/000000000000000000000000"))
			ada.at("/events/000000000000000000000000")
			ada.sees("trouble", "No such event")
			ada.look("event-missing")
			ada.do(chromedp.Navigate(s.base + "/nowhere"))
			ada.at("/nowhere")
			ada.look("missing")
			if status, _ := s.person().call(http.MethodGet, "/events/000000000000000000000000", nil); status != 404 {
				t.Errorf("status %d", status)
			}
		}},
	})
}

// TestBrowserWouldComplain: the tests above rest on the browser complaining. This proves that it
// would: put the attack in as HTML, and the policy must stop it and say so.
func TestBrowserWouldComplain(t *testing.T) {
	v := newVisitor(t, startChromium(t), startEventio(t))
	v.open("/")
	v.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.body.insertAdjacentHTML('beforeend', %s)`, quote(hostile("canary")))))
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
