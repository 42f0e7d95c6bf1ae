//go:build browser

package web

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
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
	seat := func(p *person) string { return "/api/events/" + event + "/registrations/" + p.id }
	guest, grace, list := newVisitor(t, browser, s), newVisitor(t, browser, s), newVisitor(t, browser, s)
	grace.signedUp("Grace")
	const soon = 2 * time.Second
	streaming := `performance.getEntriesByType('resource').some((each) => each.name.endsWith('/live'))`
	tell(t, map[string]*visitor{"guest": guest, "grace": grace, "list": list}, []step{
		{"a_third_window_sees_the_count_move", func(t *testing.T) {
			guest.open("/events/" + event)
			guest.sees("left", "1")
			guest.until(streaming)
			guest.do(chromedp.Evaluate(`window.before = document.getElementById('left'); window.top0 = document.getElementById('description').getBoundingClientRect().top;
				window.shifts = 0; new PerformanceObserver((list) => { for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifts += each.value; }).observe({ type: 'layout-shift' });`, nil))
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
			began := time.Now()
			if status, _ := first.call(http.MethodDelete, seat(first), nil); status != 204 {
				t.Fatalf("leave: %d", status)
			}
			grace.within(soon, shows("flash-text", "You"), began)
			grace.sees("left", "No. 2")
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
	chromedp.ListenTarget(guest.ctx, func(ev any) {
		if paused, ok := ev.(*fetch.EventRequestPaused); ok {
			go func() {
				refused <- struct{}{}
				executor := cdp.WithExecutor(context.WithoutCancel(guest.ctx), chromedp.FromContext(guest.ctx).Target)
				_ = fetch.FailRequest(paused.RequestID, network.ErrorReasonConnectionRefused).Do(executor)
			}()
		}
	})
	guest.do(fetch.Enable().WithPatterns([]*fetch.RequestPattern{{URLPattern: "*/live"}}))
	guest.open("/events/" + event)
	guest.sees("left", "5")
	<-refused
	if status, _ := first.call(http.MethodPut, "/api/events/"+event+"/registrations/"+first.id, nil); status != 201 {
		t.Fatalf("register: %d", status)
	}
	guest.sees("left", "4")
}
