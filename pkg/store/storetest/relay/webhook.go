package relay

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/hooks"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// NewWebhook returns a webhook of an owner that is active; it is not stored yet.
func NewWebhook(owner store.ID, url string) store.Webhook {
	return store.Webhook{
		ID: store.NewID(), OwnerID: owner, Active: true, URL: url, CreatedAt: storetest.Now().Add(-time.Hour), Version: 1,
		Secrets: []store.WebhookSecret{{Key: []byte("0123456789abcdef0123456789abcdef")}},
	}
}

// testWebhooks: webhooks are kept, and what each was told of each event.
func testWebhooks(t *testing.T, target storetest.Target) {
	s, again := target.Store, target.Again(t)
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	create := func(t *testing.T, w store.Webhook) store.Webhook {
		t.Helper()
		must(t, s.CreateWebhook(storetest.Context(t), w))
		return w
	}
	t.Run("kept as they are", func(t *testing.T) {
		w := NewWebhook(store.NewID(), "https://example.org/'\"$hook")
		w.AllEvents, w.Failures, w.FailingSince, w.OffSince, w.LastError = true, 3, storetest.Now(), storetest.Now(), "$refused"
		w.NextAt, w.Active = storetest.Now(), false
		w.Secrets = append(w.Secrets, store.WebhookSecret{Key: []byte{0, 255}, EndsAt: storetest.Now()})
		create(t, w)
		create(t, w) // again
		got, err := again.Webhook(storetest.Context(t), w.ID)
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Fatalf("got  %+v, %v\nwant %+v", got, err, w)
		}
		_, err = s.Webhook(storetest.Context(t), store.NewID())
		if !errors.Is(err, store.ErrWebhookNotFound) {
			t.Fatal(err)
		}
	})
	t.Run("found by owner, and those of all events", func(t *testing.T) {
		ada, bob := store.NewID(), store.NewID()
		a, b, c := create(t, NewWebhook(ada, "a")), create(t, NewWebhook(ada, "b")), NewWebhook(bob, "c")
		c.AllEvents = true
		create(t, c)
		for name, x := range map[string]struct {
			owners []store.ID
			all    bool
			want   []store.ID
		}{
			"one owner": {[]store.ID{ada}, false, []store.ID{a.ID, b.ID}}, "two": {[]store.ID{bob, ada}, true, []store.ID{a.ID, b.ID, c.ID}},
			"nobody": {nil, false, nil}, "all": {nil, true, []store.ID{c.ID}}, "another": {[]store.ID{store.NewID()}, false, nil},
		} {
			found, err := s.WebhooksOf(storetest.Context(t), x.owners, x.all)
			var got []store.ID
			for _, w := range found {
				if slices.Contains([]store.ID{a.ID, b.ID, c.ID}, w.ID) {
					got = append(got, w.ID)
				}
			}
			if err != nil || !slices.Equal(got, x.want) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
	})
	t.Run("one change at a time", func(t *testing.T) {
		w := create(t, NewWebhook(store.NewID(), "a"))
		old := w
		interrupted := false
		got, err := hooks.Edit(storetest.Context(t), s, w.ID, func(w *store.Webhook) error {
			if !interrupted {
				interrupted = true
				_, err := hooks.Edit(storetest.Context(t), again, w.ID, func(w *store.Webhook) error { w.URL = "b"; return nil })
				must(t, err)
			}
			w.Active = false
			return nil
		})
		if stored, readErr := s.Webhook(storetest.Context(t), w.ID); err != nil || readErr != nil || got.URL != "b" || got.Active || !reflect.DeepEqual(stored, got) {
			t.Fatalf("%+v, %v; stored is %+v", got, err, stored)
		}
		if done, err := s.ReplaceWebhook(storetest.Context(t), old); done || err != nil {
			t.Fatal("an old one was stored", err)
		}
	})
	t.Run("marks", func(t *testing.T) { testMarks(t, target) })
	t.Run("calls", func(t *testing.T) {
		w := create(t, NewWebhook(store.NewID(), "a"))
		for i := range store.KeptCalls + 7 {
			must(t, s.KeepWebhookCall(storetest.Context(t), w.ID, store.WebhookCall{At: storetest.Now(), MessageID: fmt.Sprint(i), Status: 200 + i, Answer: "$x"}))
		}
		calls, err := again.WebhookCalls(storetest.Context(t), w.ID)
		if err != nil || len(calls) != store.KeptCalls || calls[0].MessageID != "26" || calls[store.KeptCalls-1].Status != 207 || !calls[0].At.Equal(storetest.Now()) {
			t.Fatalf("%+v, %v", calls, err)
		}
		must(t, s.DeleteWebhook(storetest.Context(t), w.ID))
		if calls, err := s.WebhookCalls(storetest.Context(t), w.ID); err != nil || len(calls) != 0 {
			t.Fatalf("left are %+v, %v", calls, err)
		}
	})
}

// testMarks: what a webhook is to be told is found until it was told.
func testMarks(t *testing.T, target storetest.Target) {
	s := target.Store
	w, other := NewWebhook(store.NewID(), "a"), NewWebhook(store.NewID(), "b")
	events := []store.ID{store.NewID(), store.NewID()}
	mark := func(event int, told, due int64) store.WebhookMark {
		return store.WebhookMark{WebhookID: w.ID, EventID: events[event], Told: told, Due: due}
	}
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(want ...store.WebhookMark) {
		t.Helper()
		marks, err := s.DueMarks(storetest.Context(t), w.ID, store.ID{}, 10)
		if err != nil || !slices.Equal(marks, want) {
			t.Fatalf("due are %+v, %v, want %+v", marks, err, want)
		}
		ids, err := s.DueWebhooks(storetest.Context(t), storetest.Now(), store.ID{}, 100)
		if err != nil || slices.Contains(ids, w.ID) != (len(want) > 0) || slices.Contains(ids, other.ID) {
			t.Fatalf("due are %v, %v", ids, err)
		}
	}
	step(s.CreateWebhook(storetest.Context(t), w))
	step(s.CreateWebhook(storetest.Context(t), other))
	want()
	step(s.MarkWebhooks(storetest.Context(t), []store.WebhookMark{mark(0, 4, 5), mark(1, 1, 9)}))
	want(mark(0, 4, 5), mark(1, 1, 9))
	step(s.MarkWebhooks(storetest.Context(t), []store.WebhookMark{mark(0, 6, 7), mark(1, 0, 3)})) // Told stays, Due does not fall
	want(mark(0, 4, 7), mark(1, 1, 9))
	if marks, err := s.DueMarks(storetest.Context(t), w.ID, events[0], 10); err != nil || !slices.Equal(marks, []store.WebhookMark{mark(1, 1, 9)}) {
		t.Fatalf("after the first %+v, %v", marks, err)
	}
	step(s.ToldWebhook(storetest.Context(t), mark(1, 1, 9), 9))
	want(mark(0, 4, 7))
	step(s.ToldWebhook(storetest.Context(t), mark(0, 3, 7), 7)) // from another Told
	want(mark(0, 4, 7))
	step(s.ToldWebhook(storetest.Context(t), mark(0, 4, 7), 6))
	want(mark(0, 6, 7))
	step(s.RewindWebhook(storetest.Context(t), mark(0, 2, 3)))
	step(s.RewindWebhook(storetest.Context(t), mark(1, 20, 8)))
	want(mark(0, 2, 7))
	step(s.RewindWebhook(storetest.Context(t), mark(1, 0, 8)))
	want(mark(0, 2, 7), mark(1, 0, 9))
	for _, edit := range []func(*store.Webhook) error{
		func(w *store.Webhook) error { w.NextAt = storetest.Now().Add(time.Second); return nil },
		func(w *store.Webhook) error { w.NextAt, w.Active = storetest.Now(), false; return nil },
	} {
		_, err := hooks.Edit(storetest.Context(t), s, w.ID, edit)
		step(err)
		if ids, err := s.DueWebhooks(storetest.Context(t), storetest.Now(), store.ID{}, 100); err != nil || slices.Contains(ids, w.ID) {
			t.Fatalf("due are %v, %v", ids, err)
		}
	}
	_, err := hooks.Edit(storetest.Context(t), s, w.ID, func(w *store.Webhook) error { w.Active = true; return nil })
	step(err)
	if ids, err := s.DueWebhooks(storetest.Context(t), storetest.Now(), w.ID, 100); err != nil || slices.Contains(ids, w.ID) {
		t.Fatalf("due after it are %v, %v", ids, err)
	}
	step(s.DeleteWebhook(storetest.Context(t), w.ID))
	want()
}
