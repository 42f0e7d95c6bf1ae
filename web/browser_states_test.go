//go:build browser

package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// TestStates: one event in each state, as a guest and as somebody who is logged in: one button that
// is right.
func TestStates(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	organizer := s.person()
	guest, ada := newVisitor(t, browser, s), newVisitor(t, browser, s)
	ada.signedUp("Ada Lovelace")
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	hour := time.Hour
	states := []struct {
		name, words, button string
		fields              map[string]any
		sold                int
		cancel              bool
	}{
		{"open", "9", "Register", map[string]any{"title": "Letterpress for beginners"}, 3, false},
		{"full", "Sold out", "", map[string]any{"title": "Supper club, winter edition", "capacity": 2}, 2, false},
		{"waitlist", "Sold out", "Join the waiting list", map[string]any{"title": "Night walk through the old observatory", "capacity": 2, "waitlist": true}, 3, false},
		{"opens_soon", "12", "", map[string]any{"title": "Summer camp 2027", "registration_opens_at": in(26*hour + 40*time.Minute),
			"starts_at": in(240 * hour), "ends_at": in(400 * hour)}, 0, false},
		{"closed", "Registration closed", "", map[string]any{"title": "Half marathon", "registration_closes_at": in(-hour)}, 0, false},
		{"ended", "It’s over", "", map[string]any{"title": "Founders’ breakfast", "starts_at": in(-3 * hour), "ends_at": in(-hour)}, 4, false},
		{"cancelled", "Called off", "", map[string]any{"title": "Open-air cinema"}, 2, true},
		{"rtl", "12", "Register", map[string]any{"title": "ليلة الشعر العربي (2027)", "place": "بيت الحكمة، تونس", "description": "أمسية شعرية.\nمع موسيقى."}, 0, false},
	}
	for _, state := range states {
		event := organizer.event(state.fields)
		s.crowd(event, state.sold)
		if state.cancel {
			if status, _ := organizer.call(http.MethodPost, "/api/events/"+event+"/cancel", nil); status != 200 {
				t.Fatalf("cancel: %d", status)
			}
		}
		t.Run(state.name, func(t *testing.T) {
			guest.t, ada.t = t, t
			guest.open("/events/" + event)
			guest.sees("left", state.words)
			offered := state.button != "" || state.name == "opens_soon"
			guest.until(fmt.Sprintf(`document.getElementById('guest').checkVisibility() === %v`, offered))
			guest.look("state-" + state.name + "-guest")
			ada.open("/events/" + event)
			ada.sees("left", state.words)
			if state.button == "" {
				ada.until(`!document.getElementById('register').checkVisibility() && !document.getElementById('leave').checkVisibility()`)
			} else {
				ada.sees("register", state.button)
			}
			if state.name == "opens_soon" {
				ada.sees("clock", "1 day 02:")
			}
			ada.look("state-" + state.name)
		})
	}
	t.Run("lists", func(t *testing.T) {
		guest.t, ada.t = t, t
		guest.open("/")
		guest.until(`document.querySelectorAll('.card').length === 7`)
		guest.look("list")
		guest.open("/?show=open")
		guest.until(`document.querySelectorAll('.card').length === 2`)
		guest.click("label:has([value=past])")
		guest.until(`document.querySelectorAll('.card').length === 1 && location.search === '?show=past'`)
		// What lasts is not over, however long ago it began.
		exhibition := organizer.event(map[string]any{"title": "Maps of the moon", "starts_at": in(-200 * hour), "ends_at": in(hour)})
		first := fmt.Sprintf(`document.querySelector('.card a')?.getAttribute('href') === '/events/%s'`, exhibition)
		guest.open("/")
		guest.until(first)
		guest.open("/?show=open")
		guest.until(first)
		guest.open("/?show=past")
		guest.until(`document.querySelectorAll('.card').length === 1 && !document.getElementById('groups').textContent.includes('Maps')`)
		guest.open("/?q=maps")
		guest.until(first)
		guest.open("/?q=no+such+thing")
		guest.sees("empty", "no such thing")
		guest.look("list-none")
		ada.open("/registrations")
	})
	t.Run("german", func(t *testing.T) {
		guest.t = t
		guest.open("/?lang=de")
		guest.until(`document.querySelectorAll('.card').length === 8 && document.documentElement.lang === 'de'`)
		guest.sees("groups", "Noch 9 Plätze frei")
		guest.look("list-german")
		guest.open("/login") // it is remembered
		guest.until(`document.querySelector('h1').textContent === 'Einloggen'`)
		event := organizer.event(map[string]any{"capacity": 1})
		guest.open("/events/" + event)
		guest.sees("left-words", "Platz frei")
		guest.look("event-german")
	})
	t.Run("zones", func(t *testing.T) {
		guest.t = t
		guest.zone("Australia/Eucla")
		event := organizer.event(nil)
		guest.open("/events/" + event)
		guest.sees("zone", "Europe/Berlin")
		guest.sees("own-time", "Australia/Eucla")
		guest.until(`/:45/.test(document.getElementById('own-time').textContent)`) // it is 8:45 ahead
	})
}

// answers decides what the next requests for a registration are answered with.
type answers struct {
	mu    sync.Mutex
	queue []func(v *visitor, id fetch.RequestID) // nil: the service's own answer
	keys  []string
	done  []time.Time
}

// intercept lets a test answer the registrations of a visitor in the place of the service.
func intercept(v *visitor, stage fetch.RequestStage, queue ...func(v *visitor, id fetch.RequestID)) *answers {
	v.t.Helper()
	return interceptAt(v, "*/registrations", stage, queue...)
}

// interceptAt is intercept for what is sent to the addresses of a pattern; reads pass.
func interceptAt(v *visitor, pattern string, stage fetch.RequestStage, queue ...func(v *visitor, id fetch.RequestID)) *answers {
	v.t.Helper()
	a := &answers{queue: queue}
	ctx, cancel := context.WithCancel(v.ctx)
	paused := chromedp.Events(ctx, fetch.RequestPaused)
	if _, err := chromedp.Call(v.ctx, fetch.Enable, fetch.EnableParams{
		Patterns: []*fetch.RequestPattern{{URLPattern: pattern, RequestStage: stage}},
	}); err != nil {
		v.t.Fatal(err)
	}
	go func() { // ends with ctx
		for ev, err := range paused {
			if err != nil {
				return
			}
			if ev.Request.Method == http.MethodGet {
				_, _ = chromedp.Call(v.ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: ev.RequestID})
				continue
			}
			a.mu.Lock()
			a.keys, a.done = append(a.keys, fmt.Sprint(ev.Request.Headers["Idempotency-Key"])), append(a.done, time.Now())
			var next func(v *visitor, id fetch.RequestID)
			if len(a.queue) > 0 {
				next, a.queue = a.queue[0], a.queue[1:]
			}
			a.mu.Unlock()
			switch {
			case next != nil:
				next(v, ev.RequestID)
			case stage == fetch.RequestStageResponse:
				_, _ = chromedp.Call(v.ctx, fetch.ContinueResponse, fetch.ContinueResponseParams{RequestID: ev.RequestID})
			default:
				_, _ = chromedp.Call(v.ctx, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: ev.RequestID})
			}
		}
	}()
	v.t.Cleanup(func() {
		cancel()
		_, _ = chromedp.Call(v.ctx, fetch.Disable, cdp.Empty{})
	})
	return a
}

func (a *answers) set(queue ...func(v *visitor, id fetch.RequestID)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue, a.keys = queue, nil
}

func (a *answers) sent() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.keys)
}

// lost cuts the connection after the service has answered.
func lost(v *visitor, id fetch.RequestID) {
	_, _ = chromedp.Call(v.ctx, fetch.FailRequest, fetch.FailRequestParams{RequestID: id, ErrorReason: network.ErrorReasonConnectionReset})
}

// refusal answers with a problem document.
func refusal(status int, code, retry string) func(v *visitor, id fetch.RequestID) {
	return func(v *visitor, id fetch.RequestID) {
		body, _ := json.Marshal(map[string]any{"status": status, "code": code, "title": "A title for programmers", "detail": "Send the token in the header."})
		headers := []*fetch.HeaderEntry{{Name: "Content-Type", Value: "application/problem+json"}}
		if retry != "" {
			headers = append(headers, &fetch.HeaderEntry{Name: "Retry-After", Value: retry})
		}
		_, _ = chromedp.Call(v.ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{
			RequestID: id, ResponseCode: int64(status), ResponseHeaders: headers, Body: body,
		})
	}
}

// TestAnswers: each answer that a registration can get is said in our words, and what is undecided
// is asked again by itself, under the same key.
func TestAnswers(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	organizer := s.person()
	ada := newVisitor(t, browser, s)
	ada.signedUp("Ada")
	texts := loadTexts()["en"]

	t.Run("a_lost_answer_is_asked_for_again_with_the_same_key", func(t *testing.T) {
		ada.t = t
		ada.open("/events/" + organizer.event(map[string]any{"capacity": 5}))
		a := intercept(ada, fetch.RequestStageResponse, lost)
		ada.click("#register")
		ada.sees("feedback", "You are registered") // not "already": it is the same request
		if sent := a.sent(); len(sent) != 2 || sent[0] == "" || sent[0] != sent[1] {
			t.Errorf("keys sent: %q, want the same twice", sent)
		}
		ada.sees("left", "No. 1")
		ada.sees("taken", "1 of 5")
	})
	t.Run("a_busy_service_is_asked_again_when_it_says", func(t *testing.T) {
		ada.t = t
		ada.open("/events/" + organizer.event(nil))
		a := intercept(ada, fetch.RequestStageRequest, refusal(503, "overloaded", "3"), refusal(429, "rate_limited", "2"), refusal(504, "unknown_outcome", "2"))
		ada.click("#register")
		ada.sees("feedback", "Very busy right now")
		ada.sees("feedback", "Asking again in 2 seconds")
		ada.sees("feedback", "A bit too fast")
		ada.sees("feedback", "The answer got lost")
		ada.sees("feedback", "You are registered")
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(slices.Compact(a.keys)) != 1 || len(a.done) != 4 || a.done[1].Sub(a.done[0]) < 3*time.Second {
			t.Errorf("keys %q at %v", a.keys, a.done)
		}
	})
	t.Run("every_code_has_its_sentence_and_no_words_of_the_API", func(t *testing.T) {
		ada.t = t
		ada.open("/events/" + organizer.event(nil))
		a := intercept(ada, fetch.RequestStageRequest)
		for _, code := range problemCodes(t) {
			a.set(refusal(statusOf(code), code, "30"))
			ada.until(`!document.getElementById('register').hidden && !document.getElementById('register').hasAttribute('aria-disabled')`)
			ada.click("#register")
			key := "problem." + code
			if _, ok := texts.sentences["register."+code+".title"]; ok {
				key = "register." + code
			}
			ada.until(fmt.Sprintf(`document.getElementById('feedback').textContent.includes(%s) && document.getElementById('feedback').textContent.includes(%s)`,
				quote(texts.say(key+".title")), quote(texts.say(key+".text"))))
			if said := must[string](ada, `document.body.innerText`); strings.Contains(said, "programmers\n") && strings.Contains(said, "A title for") || strings.Contains(said, "token") {
				t.Errorf("%s: the words of the API are on the page", code)
			}
			if code == "overloaded" || code == "already_registered" {
				ada.look("event-" + code)
			}
			if must[bool](ada, `document.getElementById('stop').checkVisibility()`) {
				ada.click("#stop")
			}
			ada.open(must[string](ada, `location.pathname`))
		}
	})
}

// statusOf is a status with which a code comes.
func statusOf(code string) int {
	switch code {
	case "unauthenticated":
		return 401
	case "forbidden":
		return 403
	case "rate_limited":
		return 429
	case "internal":
		return 500
	case "overloaded", "storage_full":
		return 503
	case "unknown_outcome":
		return 504
	}
	if strings.HasSuffix(code, "not_found") {
		return 404
	}
	return 409
}

// TestOpening: the moment at which registration opens, with a crowd beside the page.
func TestOpening(t *testing.T) {
	s, browser := startEventio(t), startChromium(t)
	organizer := s.person()
	ada := newVisitor(t, browser, s)
	ada.signedUp("Ada")
	const crowd, capacity = 200, 150
	opens := time.Now().Add(9 * time.Second).UTC().Truncate(time.Second)
	event := organizer.event(map[string]any{"capacity": capacity, "waitlist": true, "registration_opens_at": opens.Format(time.RFC3339)})
	ada.open("/events/" + event)
	ada.sees("clock", "00:0")
	ada.until(`!document.getElementById('register').checkVisibility()`)
	ada.look("event-countdown")
	// From now on the service says nothing about the event: the page knows the moment by itself.
	quiet, speak := context.WithCancel(ada.ctx)
	paused := chromedp.Events(quiet, fetch.RequestPaused)
	if _, err := chromedp.Call(ada.ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: "*/api/events/" + event}}}); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with quiet
		for ev, err := range paused {
			if err != nil {
				return
			}
			lost(ada, ev.RequestID)
		}
	}()
	people := make([]person, crowd)
	for i := range people {
		people[i] = s.person()
	}
	ada.sees("register", "Register") // without a reload, at the moment
	seen := time.Now()
	speak()
	if _, err := chromedp.Call(ada.ctx, fetch.Disable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, p := range people {
		group.Go(func() {
			for {
				status, _ := p.call(http.MethodPost, "/api/events/"+event+"/registrations", map[string]any{}, "Idempotency-Key", p.id)
				if status == 201 || status == 202 {
					return
				}
				if status != 409 && status != 503 && status != 504 {
					t.Errorf("status %d", status)
					return
				}
			}
		})
	}
	ada.click("#register")
	ada.until(`/registered|in line/.test(document.getElementById('feedback').textContent)`)
	group.Wait()
	if off := seen.Sub(opens); off < -600*time.Millisecond || off > 10*time.Second {
		t.Errorf("the button was there %v after the opening", off)
	}
	ada.sees("taken", fmt.Sprintf("%d of %[1]d taken", capacity))
	ada.sees("taken", fmt.Sprintf("%d waiting", crowd+1-capacity))
}

// TestServiceGone: a page stays whole while its service is killed, and says so while it is away.
func TestServiceGone(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	ada := newVisitor(t, browser, s)
	ada.signedUp("Ada")
	event := s.person().event(nil)
	ada.open("/events/" + event)
	ada.sees("register", "Register")
	if err := s.process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.process.Ended()
	ada.click("#register")
	ada.sees("feedback", "No answer arrived")
	ada.sees("feedback", "Asking again in")
	ada.look("event-no-answer")
	s.start(strings.TrimPrefix(s.base, "http://"))
	ada.sees("feedback", "You are registered")
	ada.sees("left", "No. 1")
}

func TestOffline(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	ada := newVisitor(t, browser, s)
	ada.signedUp("Ada")
	ada.open("/events/" + s.person().event(nil))
	setOffline(ada, true)
	ada.sees("offline", "Nothing is sent")
	ada.click("#register")
	ada.sees("feedback", "Nothing was sent")
	ada.look("event-offline")
	setOffline(ada, false)
	ada.until(`document.getElementById('offline').hidden`)
	ada.click("#register")
	ada.sees("feedback", "You are registered")
}

// setOffline cuts the visitor's connection, or mends it.
func setOffline(v *visitor, offline bool) {
	v.t.Helper()
	if _, err := chromedp.Call(v.ctx, network.Enable, network.EnableParams{}); err != nil {
		v.t.Fatal(err)
	}
	if _, err := chromedp.Call(v.ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1}); err != nil {
		v.t.Fatal(err)
	}
}

// TestAssetMissing: a page whose script or style sheet does not arrive still says what it is about,
// and what to do.
func TestAssetMissing(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	event := s.person().event(nil)
	for _, pattern := range []string{"*/app-*", "*/style*"} {
		v := newVisitor(t, browser, s)
		paused := chromedp.Events(v.ctx, fetch.RequestPaused)
		if _, err := chromedp.Call(v.ctx, fetch.Enable, fetch.EnableParams{Patterns: []*fetch.RequestPattern{{URLPattern: pattern}}}); err != nil {
			t.Fatal(err)
		}
		go func() { // ends with the visitor's window
			for ev, err := range paused {
				if err != nil {
					return
				}
				lost(v, ev.RequestID)
			}
		}()
		v.do(chromedp.Navigate(s.base + "/events/" + event))
		v.sees("title", "Chamber music")
		v.sees("left", "12")
		if pattern == "*/app-*" {
			v.until(`getComputedStyle(document.getElementById('incomplete')).visibility === 'visible'`)
			v.sees("incomplete", "did not arrive")
		} else {
			v.sees("guest", "Log in to register") // it works, if not prettily
		}
	}
}

// TestWithoutScripts: without scripts the page says what there is to say, and why its button is
// missing.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	event := s.person().event(nil)
	v := newVisitor(t, browser, s)
	if _, err := chromedp.Call(v.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/events/" + event: "needs JavaScript", "/": "Chamber music"} {
		v.do(chromedp.Navigate(s.base + path))
		v.until(fmt.Sprintf(`document.body.innerText.includes(%s)`, quote(want)))
	}
}

// TestSlowNetwork: on a slow network an event can be used within 2 s the first time, and 1 s after
// that.
func TestSlowNetwork(t *testing.T) {
	s, browser := startEventio(t), startChromium(t)
	event := s.person().event(nil)
	v := newVisitor(t, browser, s)
	v.open("/login") // so that the browser itself is warm
	if _, err := chromedp.Call(v.ctx, network.ClearBrowserCache, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(v.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Latency: 400, DownloadThroughput: 400_000 / 8, UploadThroughput: 400_000 / 8}},
	}); err != nil {
		t.Fatal(err)
	}
	for _, visit := range []struct {
		name string
		most time.Duration
	}{{"cold", 2 * time.Second}, {"warm", time.Second}} {
		v.open("/events/" + event)
		took := time.Duration(must[float64](v, `performance.getEntriesByName('ready')[0].startTime`) * float64(time.Millisecond))
		requests := must[int](v, `performance.getEntriesByType('resource').length + 1`)
		size := must[int](v, `[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce((sum, each) => sum + each.transferSize, 0)`)
		t.Logf("%s: usable after %v, %d requests, %d bytes", visit.name, took, requests, size)
		if took > visit.most || requests > 4 || size > 60_000 || visit.name == "warm" && size > 10_000 {
			t.Errorf("%s: usable after %v with %d requests and %d bytes, want %v, 4 and 60000 (warm 10000)", visit.name, took, requests, size, visit.most)
		}
	}
}
