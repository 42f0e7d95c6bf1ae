//go:build browser

package web

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/mailbox"
)

// linkIn waits for a mail to an address with a link to a page, and returns its path and what follows
// the #. There is one mail for each page.
func linkIn(t *testing.T, box *mailbox.Server, address, page string) (link string) {
	t.Helper()
	links := regexp.MustCompile(`https://tickets\.example\.org(/` + page + `#[\w-]+)`)
	testenv.Eventually(t, waitLimit, "a mail with a link to "+page, func() error {
		for _, m := range box.To(address) {
			if found := links.FindStringSubmatch(m.Read(t).Parts["text/plain"]); found != nil {
				link = found[1]
				return nil
			}
		}
		return fmt.Errorf("not in %d mails", len(box.To(address)))
	})
	return link
}

// follow opens a link of a mail, which names its page after the path and its token after the #.
func (v *visitor) follow(link string) {
	v.t.Helper()
	v.open("/login") // or only what follows the # would change
	v.open(strings.ReplaceAll(link, "#", "?#"))
}

// TestMailedLinks: where the links of mails lead, whatever became of the link: it counts, was used, is from a
// mail before, was cut off, or is nobody's.
func TestMailedLinks(t *testing.T) {
	box := mailbox.Start(t, mailbox.Options{})
	t.Setenv("EVENTIO_SMTP_URL", box.URL())
	t.Setenv("EVENTIO_MAIL_FROM", "Event.io <tickets@example.org>")
	t.Setenv("EVENTIO_PUBLIC_URL", "https://tickets.example.org")
	s, browser := startEventio(t), startChromium(t)
	ada, guest := newVisitor(t, browser, s), newVisitor(t, browser, s)
	email := newEmail()
	const wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	reset, proof := "", ""
	send := func(v *visitor) { v.t.Helper(); v.click("form button[type=submit]") }
	tell(t, map[string]*visitor{"ada": ada, "guest": guest}, []step{
		{"prove/the_account_page_leads_there", func(t *testing.T) {
			ada.open("/signup")
			ada.signUp("Ada", email, password)
			ada.open("/events/" + s.person().event(map[string]any{"requires_proven_email": true}))
			ada.sees("feedback", "not proven yet")
			ada.look("event-proof-needed")
			ada.click("#register")
			ada.sees("feedback", "Your account page sends you the link")
			ada.until(`document.querySelector('#feedback a[href="/prove"]') !== null`)
			ada.open("/account")
			ada.click(`main a[href="/prove"]`)
			ada.at("/prove")
			ada.sees("prove-ask", email)
			ada.look("prove")
			send(ada)
			ada.sees("sent", "on its way")
			ada.look("prove-sent")
			proof = linkIn(t, box, email, "prove")
		}},
		{"prove/who_is_not_logged_in_comes_back", func(*testing.T) {
			guest.follow(proof)
			guest.sees("guest", "Log in")
			guest.look("prove-guest")
			guest.click("#guest .button")
			guest.at("/login")
			guest.fill(map[string]string{"email": email, "password": password})
			send(guest)
			guest.at("/prove")
			guest.sees("prove-confirm", "Ada")
		}},
		{"prove/a_link_that_was_cut_off_leads_to_a_new_one", func(*testing.T) {
			ada.follow(proof[:len(proof)-3])
			ada.sees("prove-button", "This address is mine")
			ada.look("prove-confirm")
			send(ada)
			ada.sees("form-error", "does not count any more")
			ada.sees("prove-button", "Send me the link")
			ada.look("prove-wrong")
		}},
		{"prove/it_counts_and_the_account_says_so", func(*testing.T) {
			ada.follow(proof)
			send(ada)
			ada.at("/account")
			ada.sees("flash", "is your address, and proven")
			ada.sees("proven", "yours, and proven")
			ada.until(`!document.querySelector('main a[href="/prove"]')`)
			ada.look("account-proven")
			ada.open("/prove")
			ada.sees("proven", "yours, and proven")
			ada.until(`!document.getElementById('form').checkVisibility()`)
		}},
		{"prove/a_link_that_was_used_says_so", func(*testing.T) {
			guest.until(`document.getElementById('prove-confirm').checkVisibility()`)
			send(guest) // it waited in the other window
			guest.sees("proven", "yours, and proven")
			ada.follow(proof)
			send(ada)
			ada.sees("proven", "yours, and proven")
		}},
		{"reset/a_link_is_asked_for", func(t *testing.T) {
			guest.click("#log-out")
			guest.sees("flash", "logged out")
			guest.open("/login")
			guest.click(`main a[href="/forgot"]`)
			guest.at("/forgot")
			guest.look("forgot")
			guest.fill(map[string]string{"email": email})
			send(guest)
			guest.sees("sent", "a mail is on its way")
			guest.look("forgot-sent")
			reset = linkIn(t, box, email, "reset")
		}},
		{"reset/a_link_that_was_cut_off_says_so", func(*testing.T) {
			guest.open("/reset")
			guest.sees("broken", "not whole")
			guest.look("reset-cut")
			guest.follow("/reset#" + wrong)
			guest.fill(map[string]string{"new_password": "eighteen calm otters"})
			send(guest)
			guest.sees("form-error", "does not count any more")
			guest.look("reset-wrong")
		}},
		{"reset/it_counts_once", func(*testing.T) {
			guest.follow(reset)
			guest.look("reset")
			guest.fill(map[string]string{"new_password": "password1"})
			send(guest)
			guest.sees("new_password-error", "hard to guess")
			guest.fill(map[string]string{"new_password": "eighteen calm otters"})
			send(guest)
			guest.at("/login")
			guest.sees("flash", "Your password is changed")
			guest.fill(map[string]string{"email": email, "password": "eighteen calm otters"})
			send(guest)
			guest.sees("account", "Ada")
			guest.follow(reset)
			guest.fill(map[string]string{"new_password": "nineteen calm otters"})
			send(guest)
			guest.sees("form-error", "does not count any more")
			guest.click(`main a[href="/forgot"]`)
			guest.at("/forgot")
		}},
		{"mail/it_is_switched_off_and_on", func(t *testing.T) {

			event := s.person().event(nil)
			guest.open("/events/" + event)
			guest.click("#register")
			guest.sees("feedback", "You are registered")
			off := linkIn(t, box, email, "mail")
			ada.follow(off)
			ada.sees("form", "No more mails")
			ada.look("mail")
			send(ada)
			ada.sees("stopped", "no more mails")
			ada.look("mail-stopped")
			ada.follow(off) // which it says again
			ada.sees("stopped", "no more mails")
			ada.click("#again")
			ada.sees("flash", "You get mails about your events again")
			ada.sees("form", "No more mails")
			ada.until(`document.activeElement.closest('#form') !== null`)
		}},
		{"mail/a_link_that_is_nobodys_says_so", func(*testing.T) {
			for i, link := range []string{"/mail#" + wrong, "/mail#short", "/mail"} {
				ada.follow(link)
				ada.sees("broken", "does not count")
				ada.until(`!document.getElementById('form').checkVisibility()`)
				if i == 0 {
					ada.look("mail-wrong")
				}
			}
		}},
		{"in_German", func(*testing.T) {
			for page, want := range map[string]string{"forgot": "Passwort vergessen", "reset": "vollständig", "prove": "Adresse", "mail": "gilt nicht"} {
				ada.open("/" + page + "?lang=de")
				ada.until(fmt.Sprintf(`document.querySelector('main').innerText.includes(%s)`, quote(want)))
				ada.look(page + "-german")
			}
		}},
	})
}
