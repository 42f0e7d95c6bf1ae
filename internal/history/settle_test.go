package history

import (
	"slices"
	"testing"
	"time"
)

// TestRecordsSettleWhatNobodyWasTold: what an event's record has, or has not, is known afterwards.
func TestRecordsSettleWhatNobodyWasTold(t *testing.T) {
	unknown := func() *tape { return event(1, false).op(Register, "u", "", Unknown) }
	has := []Change{{1, "made by the API", "registered", "u", 1, 1, 1, 0}}
	left := append(slices.Clip(has), Change{2, "made by the API", "cancelled", "u", 1, 1, 0, 0})
	for name, c := range map[string]struct {
		tape  *tape
		feed  []Change
		legal bool
		ops   int // that are left
	}{
		"a_registration_that_has_landed":        {unknown().op(Register, "v", "k", SoldOut), has, true, 2},
		"and_was_not_there_at_all":              {unknown().op(Register, "v", "k", SoldOut), nil, false, 1},
		"one_that_never_lands":                  {unknown().op(Register, "v", "k", SoldOut, during(5, 8)), nil, false, 1},
		"and_is_seen":                           {unknown().op(ReadSeat, "u", "", Seen, numbered(1)), nil, false, 1},
		"one_that_lands_before_a_later_number":  {unknown().made("v", "k", 2), append(slices.Clip(left), Change{3, "k", "registered", "v", 2, 1, 1, 0}), false, 2},
		"a_cancellation_that_has_landed":        {unknown().op(Cancel, "u", "", Unknown).made("v", "k", 2), append(slices.Clip(left), Change{3, "k", "registered", "v", 2, 1, 1, 0}), true, 3},
		"and_ended_nothing":                     {event(1, false).made("u", "k", 1).op(Cancel, "u", "", Unknown).made("v", "l", 2), []Change{{1, "k", "registered", "u", 1, 1, 1, 0}}, false, 2},
		"what_is_left_open":                     {unknown().op(Register, "u", "", Unknown).op(Register, "v", "k", SoldOut), has, true, 3},
		"one_under_a_key_is_not_one_without_it": {unknown().op(Register, "u", "k", Made, numbered(1)), []Change{{1, "k", "registered", "u", 1, 1, 1, 0}}, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			settled := Settle(c.tape.h, map[string][]Change{"e": c.feed})
			if len(settled.Ops) != c.ops {
				t.Errorf("%d operations are left, want %d: %v", len(settled.Ops), c.ops, settled.Ops)
			}
			if got := Legal(settled); got != c.legal {
				t.Errorf("legal: %v, of %v", got, settled.Ops)
			}
		})
	}
}

// TestAttemptsAreOneOperation: a crowd that repeats everything many times under its keys, while nobody answers, is judged at
// once, and a lie in it is seen.
func TestAttemptsAreOneOperation(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	crowd := func(last Outcome) History {
		p := event(4, true)
		for i := range 8 {
			user := string(rune('a' + i))
			for try := range int64(6) {
				p.op(Put, user, user, Unknown, during(10*try, 1000))
			}
		}
		p.now = 2000
		for i := range 8 {
			user := string(rune('a' + i))
			if i < 4 {
				p.made(user, user, int64(i+1))
			} else {
				p.op(Put, user, user, Made, waiting(int64(i+1), 0))
			}
		}
		return p.op(Put, "a", "a", last, numbered(1)).op(ReadEvent, "", "", Seen, counters(4, 4, 4)).h
	}
	started := time.Now()
	if err := Check(crowd(Made), 10*time.Second); err != nil {
		t.Error(err)
	}
	t.Logf("judged in %v", time.Since(started))
	if err := Check(crowd(Replayed), 10*time.Second); err == nil {
		t.Error("nobody has cancelled what is told to be over, and that is taken for legal")
	}
}
