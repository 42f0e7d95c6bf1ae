//go:build browser

package web

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"

	"github.com/eventio/eventio/internal/testenv"
)

// within fails unless a condition holds so soon that nobody can have asked: the next question would come
// after 2.5 s at the earliest.
func (v *visitor) within(limit time.Duration, what string, since time.Time) {
	v.t.Helper()
	v.until(what)
	if took := time.Since(since); took > limit {
		v.t.Errorf("%s holds after %v", what, took)
	}
}

// listens waits until the page has a stream, or opens one.
func (v *visitor) listens() {
	v.t.Helper()
	testenv.Eventually(v.t, waitLimit, "listen", func() error {
		held, err := chromedp.Run(v.ctx, chromedp.Evaluate[bool](`navigator.locks.query().then(({ held }) => held.some(({ name }) => name.startsWith('eventio-stream')))`, chromedp.EvalAwaitPromise))
		if err == nil && !held {
			err = errors.New("no stream")
		}
		return err
	})
}

// userID is the id of who is logged in.
func (v *visitor) userID() string {
	v.t.Helper()
	return must[string](v, `JSON.parse(document.getElementById('state').textContent).user.id`)
}

func shows(id, text string) string {
	return fmt.Sprintf(`document.getElementById('%s').checkVisibility() && document.getElementById('%[1]s').textContent.includes(%q)`, id, text)
}

// TestLive: numbers, states and one's own place move by themselves, in place, at once, on the page of the
// event, on the organizer's and on one's registrations.
func TestLive(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	organizer, first := s.person(), s.person()
	event := organizer.event(map[string]any{"title": "Harbour night", "capacity": 1, "waitlist": true})
	seat := func(p person) string { return "/api/events/" + event + "/registrations/" + p.id }
	guest, grace, ada := newVisitor(t, browser, s), newVisitor(t, browser, s), newVisitor(t, browser, s)
	grace.signedUp("Grace")
	ada.signedUp("Ada")
	const soon = 2 * time.Second
	tell(t, map[string]*visitor{"guest": guest, "grace": grace, "ada": ada}, []step{
		{"a_third_window_sees_the_count_move", func(t *testing.T) {
			guest.open("/events/" + event)
			guest.sees("left", "1")
			guest.listens()
			guest.do(chromedp.Evaluate[chromedp.Void](`window.before = document.getElementById('left');
				window.shifts = 0; new PerformanceObserver((list) => { for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifts += each.value; }).observe({ type: 'layout-shift' });`))
			began := time.Now()
			if status, _ := first.call(http.MethodPut, seat(first), nil); status != 201 {
				t.Fatalf("register: %d", status)
			}
			guest.within(soon, shows("left", "Sold out"), began)
			guest.until(`window.before === document.getElementById('left')`) // no reload
		}},
		{"who_waits_is_promoted_and_sees_it", func(t *testing.T) {
			grace.open("/events/" + event)
			grace.click("#register")
			grace.sees("left", "1") // in line
			grace.listens()
			began := time.Now()
			if status, _ := first.call(http.MethodDelete, seat(first), nil); status != 204 {
				t.Fatalf("leave: %d", status)
			}
			grace.within(soon, shows("flash-text", "You"), began)
			grace.sees("left", "No. 2")
		}},
		{"on_the_list_of_ones_registrations_too", func(t *testing.T) {
			grace.open("/registrations")
			grace.sees("upcoming", "no. 2")
			grace.listens()
			began := time.Now()
			if status, _ := organizer.call(http.MethodDelete, "/api/events/"+event+"/registrations/"+grace.userID(), nil); status != 204 {
				t.Fatalf("remove: %d", status)
			}
			grace.within(soon, `!document.getElementById('upcoming').textContent.includes('no. 2')`, began)
			grace.sees("gone", "Harbour night")
			grace.sees("gone", "Taken back by the organizer")
			grace.look("registrations-gone")
			grace.open("/events/" + event)
		}},
		{"the_organizers_page_counts", func(t *testing.T) {
			ada.open("/events/new")
			path := ada.newEvent(map[string]string{"title": "Night swim", "capacity": "3"})
			ada.sees("sold", "0")
			ada.listens()
			began := time.Now()
			if status, _ := first.call(http.MethodPut, "/api"+path+"/registrations/"+first.id, nil); status != 201 {
				t.Fatalf("register: %d", status)
			}
			ada.within(soon, shows("sold", "1"), began)
			ada.until(`document.getElementById('roster').textContent.trim() !== ''`)
		}},
		{"the_organizer_cancels_it", func(t *testing.T) {
			began := time.Now()
			if status, _ := organizer.call(http.MethodPost, "/api/events/"+event+"/cancel", nil); status != 200 {
				t.Fatalf("cancel: %d", status)
			}
			guest.within(soon, shows("left", "Called off"), began)
			grace.until(shows("left", "Called off"))
			if shifts := must[float64](guest, `window.shifts`); shifts > 0.1 {
				t.Errorf("the layout shifted by %v", shifts)
			}
		}},
	})
}

// TestLiveIsRefused: where no stream opens, pages ask, and are right a little later.
func TestLiveIsRefused(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	organizer, first := s.person(), s.person()
	event := organizer.event(map[string]any{"title": "Harbour night", "capacity": 5})
	guest := newVisitor(t, browser, s)
	refused := make(chan struct{}, 100)
	paused := chromedp.Events(guest.ctx, fetch.RequestPaused)
	if _, err := chromedp.Call(guest.ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/live"}}}); err != nil {
		t.Fatal(err)
	}
	refuse := refusal(http.StatusServiceUnavailable, "overloaded", "3")
	go func() { // ends with the visitor's window
		for ev, err := range paused {
			if err != nil {
				return
			}
			refuse(guest, ev.RequestID)
			refused <- struct{}{}
		}
	}()
	guest.open("/events/" + event)
	guest.sees("left", "5")
	<-refused
	if status, _ := first.call(http.MethodPut, "/api/events/"+event+"/registrations/"+first.id, nil); status != 201 {
		t.Fatalf("register: %d", status)
	}
	guest.sees("left", "4")
}
