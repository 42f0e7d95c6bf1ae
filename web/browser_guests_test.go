//go:build browser

package web

import (
	"encoding/csv"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// shows waits until the guest list has these people, by name, in this order.
func (v *visitor) shows(names ...string) {
	v.t.Helper()
	v.until(fmt.Sprintf(`[...document.querySelectorAll('#roster .guest-who > :first-child')].map((e) => e.textContent).join('|') === %s`, quote(strings.Join(names, "|"))))
}

// TestGuestList: the guest list of an event: found, filtered, sorted, read on, somebody removed,
// taken home.
func TestGuestList(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	organizer := newVisitor(t, browser, s)
	formula := `=HYPERLINK("http://evil.example","free tickets")`
	names := []string{"Zoë Ångström", "Ada Lovelace", "Émilie du Châtelet", formula, "Grace Hopper", "ليلى العامري"}
	path := ""
	tell(t, map[string]*visitor{"organizer": organizer}, []step{
		{"who_registers_is_there_by_name", func(*testing.T) {
			organizer.signedUp("Vera Rubin")
			organizer.open("/events/new")
			organizer.click("#waitlist")
			path = organizer.newEvent(map[string]string{"title": "Observatory night", "place": "Dome 3", "capacity": "4"})
			organizer.sees("roster-note", "Nobody is registered yet")
			organizer.until(`!document.getElementById('guest-tools').checkVisibility()`)
			for i, email := range []string{"zoe", "ada.lovelace", "emilie", "free.tickets", "grace.hopper", "layla"} {
				s.named(names[i], email+"@example.org").register(strings.TrimPrefix(path, "/events/"))
			}
			organizer.shows(names...)
			organizer.sees("roster-note", "6 people")
			organizer.sees("count-waitlisted", "2")
			organizer.until(`document.querySelector('#roster li:nth-child(5)').textContent.includes('Waiting') && document.getElementById('nameless').hidden`)
			organizer.open(path + "/manage") // without the sentence about the new event
			organizer.shows(names...)
			organizer.look("guests")
		}},
		{"a_search_finds_names_addresses_and_numbers", func(*testing.T) {
			organizer.do(chromedp.SendKeys(chromedp.CSS("#guest-search"), "emilie"))
			organizer.shows("Émilie du Châtelet")
			organizer.sees("roster-note", "1 person found")
			organizer.fill(map[string]string{"guest-search": "example.org"})
			organizer.shows(names...)
			organizer.fill(map[string]string{"guest-search": "5 hopper"})
			organizer.shows("Grace Hopper")
			organizer.fill(map[string]string{"guest-search": "Nobody Knows"})
			organizer.sees("roster-note", "Nobody has “Nobody Knows”")
			organizer.look("guests-none")
			organizer.open(path + "/manage")
			organizer.shows(names...)
		}},
		{"filters_and_orders_are_the_service's", func(*testing.T) {
			organizer.click("label:has([value=waitlisted])")
			organizer.shows(names[4:]...)
			organizer.click("label:has([value=confirmed])")
			organizer.shows(names[:4]...)
			organizer.do(chromedp.Evaluate[chromedp.Void](`{
				const sort = document.getElementById('guest-sort');
				sort.value = 'name';
				sort.dispatchEvent(new Event('change'));
			}`))
			organizer.shows(formula, "Ada Lovelace", "Émilie du Châtelet", "Zoë Ångström")
		}},
		{"the_file_has_what_the_list_shows_and_no_formula", func(t *testing.T) {
			organizer.click("label:has([value=all])")
			text, err := chromedp.Run(organizer.ctx, chromedp.Evaluate[string](`fetch(document.getElementById('csv').href).then((answer) => answer.arrayBuffer()).then((bytes) => new TextDecoder('utf-8', {ignoreBOM: true}).decode(bytes))`, chromedp.EvalAwaitPromise))
			if err != nil {
				t.Fatal(err)
			}
			text, marked := strings.CutPrefix(text, "\ufeff")
			rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			if err != nil || !marked || len(rows) != 7 {
				t.Fatalf("%d rows (%v), marked %t:\n%s", len(rows), err, marked, text)
			}
			if rows[2][2] != "Ada Lovelace" || rows[4][2] != "'"+formula || rows[5][1] != "waitlisted" {
				t.Errorf("the file is\n%s", text)
			}
		}},
		{"who_is_removed_is_gone_and_the_first_in_line_moves_up", func(*testing.T) {
			organizer.open(path + "/manage")
			organizer.shows(names...)
			organizer.click("#roster li:nth-child(2) .link-button")
			organizer.sees("confirm-title", "Remove Ada Lovelace?")
			organizer.sees("confirm-text", "the first in line gets it")
			organizer.click("#confirm-no")
			organizer.shows(names...)
			organizer.click("#roster li:nth-child(2) .link-button")
			organizer.sure()
			organizer.shows(append(names[:1:1], names[2:]...)...)
			organizer.until(`document.querySelectorAll('#roster .badge-good').length === 4`)
			organizer.sees("waiting", "1")
		}},
		{"a_long_list_is_read_on_and_has_people_without_a_name", func(*testing.T) {
			event := strings.TrimPrefix(path, "/events/")
			organizer.fill(map[string]string{"capacity": "130"})
			organizer.click("#form button[type=submit]")
			organizer.sees("flash", "1 person moved up")
			s.crowd(event, 110)
			organizer.open(path + "/manage")
			organizer.sees("roster-note", "The first 100 of 115")
			organizer.sees("nameless", "by the number of their account")
			organizer.click("#more")
			organizer.sees("roster-note", "115 people")
			organizer.until(`document.querySelectorAll('#roster li').length === 115 && document.activeElement === document.querySelector('#roster li:nth-child(101)')`)
			organizer.open(path + "/manage?lang=de")
			organizer.sees("roster-note", "Die ersten 100 von 115")
			organizer.until(`document.getElementById('csv').href.includes('separator=semicolon')`)
		}},
	})
}
