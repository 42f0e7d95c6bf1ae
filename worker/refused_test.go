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
	n.note([]request{attemptOf(register, "refused", 1), attemptOf(register, "made", 1), attemptOf(cancel, "cancelled", 1), attemptOf(register, "over", 1)},
		[]store.SeatResult{{Outcome: store.SoldOut}, {Outcome: store.Registered}, {Outcome: store.Cancelled}, {Outcome: store.AlreadyRegistered}})
	other := attemptOf(register, "refused", time.Second)
	other.UserID = store.ID{3}
	batch := []request{
		attemptOf(register, "refused", time.Second), attemptOf(register, "over", time.Second), attemptOf(register, "refused", -time.Second),
		attemptOf(register, "refused", 0), attemptOf(register, "made", time.Second), attemptOf(register, "made", time.Second), other,
	}
	if got, want := n.late(batch), []bool{true, true, false, false, false, false, false}; !slices.Equal(got, want) {
		t.Errorf("late are %v, want %v", got, want)
	}
	batch = []request{attemptOf(register, "new", 1), attemptOf(cancel, "cancelled", 1), attemptOf(register, "new", 1)}
	if got, want := n.late(batch), []bool{false, false, true}; !slices.Equal(got, want) {
		t.Errorf("where a seat becomes free late are %v, want %v", got, want)
	}
}

// TestRefusalsAreForgotten: after two windows, and before that when there are too many of them.
func TestRefusalsAreForgotten(t *testing.T) {
	n, now := newRefusals(), time.Now()
	n.add(1, now)
	n.add(2, now.Add(refusedWindow+1))
	if _, kept := n.previous[1]; !kept {
		t.Error("the window before is forgotten")
	}
	n.add(3, now.Add(2*refusedWindow+2))
	if _, kept := n.previous[1]; kept {
		t.Error("refusals are kept for ever")
	}
	for key := range uint64(3 * maxRefused) {
		n.add(key, now)
		if kept := len(n.current) + len(n.previous); kept > 2*maxRefused {
			t.Fatalf("%d refusals are kept", kept)
		}
	}
}
