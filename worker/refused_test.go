package worker

import (
	"slices"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// attemptOf returns an attempt of a request, which was sent some time ago.
func attemptOf(kind messages.Kind, id string, ago time.Duration) request {
	r := request{SeatRequest: messages.SeatRequest{Kind: kind, EventID: store.ID{1}, UserID: store.ID{2}, RequestID: id}}
	if ago != 0 {
		r.sent = time.Now().Add(-ago)
	}
	return r
}

// TestALateAttemptIsNoticed: an attempt that was sent before another one of its request was refused is late, and nothing else.
func TestALateAttemptIsNoticed(t *testing.T) {
	register, cancel := messages.KindRegister, messages.KindCancel
	n := newRefusals()
	n.note([]request{
		attemptOf(register, "refused", 1), attemptOf(register, "made", 1), attemptOf(cancel, "cancelled", 1),
		attemptOf(register, "over", 1), attemptOf(register, "waits", 1), attemptOf(cancel, "not cancelled", 1),
	}, []store.SeatResult{
		{Outcome: store.SoldOut}, {Outcome: store.Registered}, {Outcome: store.Cancelled},
		{Outcome: store.AlreadyRegistered}, {Outcome: store.AlreadyWaitlisted}, {Outcome: store.RegistrationClosed},
	})
	other := attemptOf(register, "refused", time.Second)
	other.UserID = store.ID{3}
	batch := []request{
		attemptOf(register, "refused", time.Second), attemptOf(register, "over", time.Second), attemptOf(register, "refused", -time.Second),
		attemptOf(register, "refused", 0), attemptOf(register, "made", time.Second), attemptOf(register, "made", time.Second), other,
		attemptOf(register, "waits", time.Second), attemptOf(register, "not cancelled", time.Second),
	}
	if got, want := n.late(batch), []bool{true, true, false, false, false, false, false, true, false}; !slices.Equal(got, want) {
		t.Errorf("late are %v, want %v", got, want)
	}
	batch = []request{attemptOf(register, "new", 1), attemptOf(cancel, "refused", time.Second), attemptOf(register, "new", 1)}
	if got, want := n.late(batch), []bool{false, false, true}; !slices.Equal(got, want) {
		t.Errorf("where a seat becomes free late are %v, want %v", got, want)
	}
	// Who was sent at the very moment of the refusal counts as sent before.
	batch = []request{attemptOf(register, "at once", 1), attemptOf(register, "at once", 1)}
	n.refused.put(n.key(batch[0]), batch[0].sent.Sub(n.begun), time.Now())
	batch[1].sent = batch[0].sent.Add(1)
	if got, want := n.late(batch), []bool{true, false}; !slices.Equal(got, want) {
		t.Errorf("at the moment of the refusal late are %v, want %v", got, want)
	}
}

// TestWhatIsForgottenEarlyCountsAsRefused: where there are too many refusals, who was sent before those that are forgotten
// may have been among them.
func TestWhatIsForgottenEarlyCountsAsRefused(t *testing.T) {
	n, early, later := newRefusals(), attemptOf(messages.KindRegister, "of anybody", 0), attemptOf(messages.KindRegister, "of anybody", 0)
	now := time.Now()
	early.sent, later.sent = now.Add(time.Second), now.Add(3*time.Second)
	for i := range uint64(2*maxRefused + 1) {
		at := now
		if i >= maxRefused {
			at = now.Add(2 * time.Second)
		}
		n.refused.put(i, at.Sub(n.begun), at)
	}
	if got, want := n.late([]request{early, later}), []bool{true, false}; !slices.Equal(got, want) {
		t.Errorf("late are %v, want %v", got, want)
	}
}

// TestRecentForgets: after two windows, and before that when there is too much.
func TestRecentForgets(t *testing.T) {
	const window, most = time.Second, 100
	r, now := newRecent[int, string](window, most), time.Now()
	r.put(1, "a", now)
	r.put(2, "b", now.Add(window+1))
	if v, known := r.get(1); !known || v != "a" {
		t.Error("the window before is forgotten")
	}
	if !r.forgotten.IsZero() {
		t.Errorf("what came before %v may be forgotten, and nothing is", r.forgotten)
	}
	r.put(3, "c", now.Add(2*window+2))
	if _, known := r.get(1); known {
		t.Error("it remembers for ever")
	}
	if v, known := r.get(2); !known || v != "b" || !r.forgotten.Equal(now.Add(window+1)) {
		t.Errorf("%q is left, and what came before %v is forgotten", v, r.forgotten)
	}
	r = newRecent[int, string](window, most)
	for key, after := range []time.Duration{0, window, window + 1, 2*window + 2} { // the second is of the first window
		r.put(key, "", now.Add(after))
	}
	if _, known := r.get(1); known || len(r.previous) != 1 {
		t.Errorf("%d are left of the window before", len(r.previous))
	}
	for key := range 3 * most {
		r.put(key, "", now)
		if kept := len(r.current) + len(r.previous); kept > 2*most {
			t.Fatalf("%d are kept", kept)
		}
	}
}
