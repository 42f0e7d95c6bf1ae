package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/client"
)

// TestLive: a person and everybody follow an event through the real service.
func TestLive(t *testing.T) {
	_, nobody := newService(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	organizer, ada, eve := signUp(t, nobody, "organizer"), signUp(t, nobody, "ada"), signUp(t, nobody, "eve")
	wish := opening(1)
	wish.Waitlist = true
	event := must[client.Event](t)(organizer.CreateEvent(ctx, wish))
	_ = must[client.Registration](t)(ada.Register(ctx, event.ID, ada.ID))
	_ = must[client.Registration](t)(eve.Register(ctx, event.ID, eve.ID))
	var both sync.WaitGroup
	both.Go(func() {
		for state, err := range nobody.LiveEvent(ctx, event.ID) {
			if err != nil {
				t.Error(err)
				return
			}
			if state.TicketsSold == 1 && state.Waiting == 0 {
				return
			}
		}
	})
	both.Go(func() {
		opened := func() {
			if err := ada.CancelRegistration(ctx, event.ID, ada.ID); err != nil {
				t.Error(err)
			}
		}
		for change, err := range eve.LiveUser(ctx, eve.ID, opened) {
			if err != nil || change.Type != "promoted" || change.Number != 2 {
				t.Errorf("%+v, %v", change, err)
			}
			return
		}
	})
	both.Wait()
	for _, err := range ada.LiveUser(ctx, eve.ID, nil) {
		wants(t, err, client.CodeForbidden)
	}
	for _, err := range nobody.LiveEvent(ctx, eve.ID) {
		wants(t, err, client.CodeEventNotFound)
	}
	for range nobody.LiveEvent(ctx, event.ID) {
		cancel()
	}
}

// TestALiveStreamIsOpenedAgain: where it was, after the time that it said, whatever ended it; what comes
// twice is given once.
func TestALiveStreamIsOpenedAgain(t *testing.T) {
	change := func(n int) string {
		return fmt.Sprintf("id: %d-x\r\nevent: change\r\ndata: {\"id\":\"%[1]d\",\r\ndata: \"number\":%[1]d}\r\n\r\n", n)
	}
	streams := []struct {
		last, body string
		status     int
	}{
		{"", "retry: 1\n\n: open\n\nevent: heartbeat\ndata: {}\n\nevent: unknown\ndata: {\"id\":\"9\"}\n\n" + change(1) + "event: change\ndata: {\"id\":\"cut", 200},
		{"1-x", "retry: 1\n\n", 200},
		{"1-x", "", 503},
		{"1-x", "retry: 1\n\n" + change(1) + change(2), 200},
		{"2-x", change(3), 200},
	}
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n := len(asked)
		asked = append(asked, r.Header.Get("Last-Event-ID"))
		mu.Unlock()
		if n >= len(streams) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(streams[n].status)
		_, _ = w.Write([]byte(streams[n].body))
	}))
	defer server.Close()
	c := newClient(t, server.URL, client.Retry{Attempts: 3, Wait: time.Millisecond})
	var got []int64
	opened := 0
	for change, err := range c.LiveUser(t.Context(), client.ID{1}, func() { opened++ }) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, change.Number); change.Number == 3 {
			break
		}
	}
	var want []string
	for _, s := range streams {
		want = append(want, s.last)
	}
	if !slices.Equal(got, []int64{1, 2, 3}) || !slices.Equal(asked, want) || opened != 4 {
		t.Errorf("given %v, asked with %q, opened %d times", got, asked, opened)
	}
}
