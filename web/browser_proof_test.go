//go:build browser

package web

import (
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/eventio/eventio/internal/testenv/mailbox"
)

// TestProvenAddresses: an organizer asks for proven addresses in the form. Who has not proven theirs is told
// so before and after the click, follows the link, gets the mail, proves it, and registers.
func TestProvenAddresses(t *testing.T) {
	t.Parallel()
	box := mailbox.Start(t, mailbox.Options{})
	s, browser := startEventio(t, "EVENTIO_SMTP_URL="+box.URL(), "EVENTIO_MAIL_FROM=tickets@example.org", "EVENTIO_PUBLIC_URL=http://127.0.0.1:3000"), startChromium(t)
	organizer, grace, ada := newVisitor(t, browser, s), newVisitor(t, browser, s), newVisitor(t, browser, s)
	organizer.signedUp("Olga")
	ada.signedUp("Ada")
	email, path := newEmail(), ""
	tell(t, map[string]*visitor{"organizer": organizer, "grace": grace, "ada": ada}, []step{
		{"the_organizer_asks_for_it", func(*testing.T) {
			organizer.open("/events/new")
			organizer.click("#requires_proven_email")
			path = organizer.newEvent(map[string]string{"title": "Observatory night", "capacity": "5"})
		}},
		{"who_has_not_proven_theirs_is_told", func(*testing.T) {
			grace.open("/signup")
			grace.signUp("Grace", email, password)
			grace.open(path)
			grace.sees("proof-asked", "Only people whose e-mail address is proven")
			grace.click("#register")
			grace.sees("feedback", "not proven yet")
			grace.look("event-unproven")
			grace.click("#feedback a")
			grace.at("/prove")
		}},
		{"the_link_of_the_mail_proves_it", func(t *testing.T) {
			grace.click("form button[type=submit]")
			grace.sees("sent", "on its way")
			mail := box.Await(t, email, 1, waitLimit)[0].Read(t)
			link := regexp.MustCompile(`/prove#\S+`).FindString(mail.Parts["text/plain"])
			if link == "" {
				t.Fatalf("no link in %s", mail.Parts["text/plain"])
			}
			grace.do(chromedp.Navigate(grace.base + link))
			grace.sees("prove-button", "mine")
			grace.click("form button[type=submit]")
			grace.sees("flash", "and proven")
		}},
		{"and_lets_them_in", func(*testing.T) {
			grace.open(path)
			grace.click("#register")
			grace.sees("left", "No. 1")
			grace.until(`document.getElementById('proof-asked').hidden`)
		}},
		{"the_organizer_asks_no_more", func(*testing.T) {
			organizer.open(path + "/edit")
			organizer.until(`document.getElementById('requires_proven_email').checked`)
			organizer.look("edit-proven")
			organizer.click("#requires_proven_email")
			organizer.click("form button[type=submit]")
			organizer.sees("flash", "Saved")
			ada.open(path)
			ada.until(`document.getElementById('proof-asked').hidden`)
			ada.click("#register")
			ada.sees("left", "No. 2")
		}},
	})
}
