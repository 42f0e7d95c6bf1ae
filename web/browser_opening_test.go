//go:build browser

package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/eventio/eventio/internal/testenv"
)

// edit changes fields of an event.
func (p person) edit(event string, fields map[string]any) {
	p.s.t.Helper()
	if status, answer := p.call(http.MethodPatch, "/api/events/"+event, fields, "If-Match", "*"); status != http.StatusOK {
		p.s.t.Fatalf("edit: %d %v", status, answer)
	}
}

// TestOpeningIsSet: an opening that is set under an open page is counted down to and made ready for; at it
// the page says what is true by itself, also that no place is left and that there is no waiting list.
func TestOpeningIsSet(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	organizer := s.person()
	event := organizer.event(map[string]any{"capacity": 1})
	s.crowd(event, 1)
	ada := newVisitor(t, browser, s)
	ada.signedUp("Ada")
	ada.open("/events/" + event)
	ada.sees("left", "Sold out")
	ada.listens()
	sessions := `performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/api/session')).length`
	if n := must[int](ada, sessions); n != 0 {
		t.Fatalf("the session was asked for %d times", n)
	}
	at := func(d time.Duration) map[string]any {
		return map[string]any{"registration_opens_at": time.Now().Add(d).UTC().Truncate(time.Second).Format(time.RFC3339)}
	}
	organizer.edit(event, at(time.Hour))
	ada.until(`document.getElementById('countdown').checkVisibility() && /^(59|01:00):/.test(document.getElementById('clock').textContent)`)
	organizer.edit(event, at(12*time.Second)) // and is moved
	ada.sees("clock", "00:0")
	ada.until(sessions + ` > 0`)
	if err := s.process.Kill(); err != nil { // from now on nobody tells the page anything
		t.Fatal(err)
	}
	ada.until(`!document.getElementById('countdown').checkVisibility()`)
	ada.sees("left", "Sold out")
	ada.until(`!document.getElementById('register').checkVisibility()`)
}

// TestWishesAreForgotten: a wish that has come true is not said again by the next one, also when its own
// answer was lost for good.
func TestWishesAreForgotten(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	event := s.person().event(nil)
	ada := newVisitor(t, browser, s)
	ada.signedUp("Ada")
	ada.open("/events/" + event)
	a := interceptAt(ada, "*/registrations*", fetch.RequestStageResponse)
	give := func(selector string) {
		t.Helper()
		ada.click(selector)
		if selector == "#leave" {
			ada.sure()
		}
	}
	// The person gives up asking, and the page finds out what became of it.
	giveUp := func(selector string) {
		t.Helper()
		a.set(slices.Repeat([]func(*visitor, fetch.RequestID){lost}, 12)...)
		give(selector)
		ada.sees("feedback", "No answer arrived")
		ada.click("#stop")
		a.set()
	}
	giveUp("#register")
	ada.sees("left", "No. 1")
	give("#leave")
	ada.sees("feedback", "You gave it up")
	give("#register")
	ada.sees("left", "No. 2")
	giveUp("#leave")
	ada.sees("register", "Register")
	give("#register")
	ada.sees("left", "No. 3")
	give("#leave")
	ada.sees("feedback", "You gave it up")
	ada.open("/events/" + event)
	ada.sees("taken", "0 of 12")
	ada.sees("register", "Register")
}

// TestVisitBeforeTheOpening: what somebody who is logged in asks for until they may click: the page with its
// style and script, two streams, and once more, so that the connection is warm. (On a page that is open longer
// than a minute before, the session too.) Who comes when it is open asks for no more than the first five.
func TestVisitBeforeTheOpening(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	organizer := s.person()
	for _, c := range []struct {
		name  string
		opens time.Duration
		most  int
	}{{"open", -time.Hour, 5}, {"opens_soon", 25 * time.Second, 6}} {
		t.Run(c.name, func(t *testing.T) {
			ada := newVisitor(t, browser, s)
			ada.signedUp("Ada")
			event := organizer.event(map[string]any{"registration_opens_at": time.Now().Add(c.opens).UTC().Format(time.RFC3339)})
			var mu sync.Mutex
			var asked []string
			sent := chromedp.Events(ada.ctx, network.RequestWillBeSent)
			go func() { // ends with the visitor's window
				for ev, err := range sent {
					if err != nil {
						return
					}
					if path, ours := strings.CutPrefix(ev.Request.URL, ada.base); ours {
						mu.Lock()
						asked = append(asked, ev.Request.Method+" "+path)
						mu.Unlock()
					}
				}
			}()
			if _, err := chromedp.Call(ada.ctx, network.Enable, network.EnableParams{}); err != nil {
				t.Fatal(err)
			}
			ada.open("/events/" + event)
			ada.listens()
			if c.opens > 0 {
				testenv.Eventually(t, 2*c.opens, "open", func() error {
					if must[bool](ada, `!document.getElementById('register').checkVisibility()`) {
						return errors.New("there is no button")
					}
					return nil
				})
			}
			ada.sees("register", "Register")
			mu.Lock()
			defer mu.Unlock()
			t.Logf("%d requests: %q", len(asked), asked)
			if len(asked) < 4 || len(asked) > c.most {
				t.Errorf("%d requests, want at most %d: %q", len(asked), c.most, asked)
			}
		})
	}
}
