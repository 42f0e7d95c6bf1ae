package history

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// tape writes a history: each operation takes ten units and begins after the one before.
type tape struct {
	h   History
	now int64
}

// event begins a history of one event.
func event(capacity int64, waitlist bool) *tape {
	return &tape{h: History{Events: []Event{{ID: "e", Capacity: capacity, Waitlist: waitlist}}}}
}

// op adds an operation.
func (p *tape) op(kind Kind, user, key string, o Outcome, more ...func(*Op)) *tape {
	op := Op{Client: len(p.h.Ops), Event: "e", Kind: kind, User: user, Key: key, Outcome: o, Call: p.now, Return: p.now + 9}
	for _, m := range more {
		m(&op)
	}
	p.now += 10
	p.h.Ops = append(p.h.Ops, op)
	return p
}

// made adds a registration with a number that holds a seat.
func (p *tape) made(user, key string, number int64) *tape {
	return p.op(Register, user, key, Made, numbered(number))
}

func numbered(n int64) func(*Op) { return func(op *Op) { op.Number = n } }

func waiting(number, position int64) func(*Op) {
	return func(op *Op) { op.Waiting, op.Number, op.Position = true, number, position }
}

func capacity(n int64) func(*Op) { return func(op *Op) { op.Capacity = n } }

func counters(sold, of, line int64) func(*Op) {
	return func(op *Op) { op.Sold, op.Capacity, op.Line = sold, of, line }
}

func list(users ...string) func(*Op) { return func(op *Op) { op.Users = users } }

// during makes the operation overlap everything between two times.
func during(from, to int64) func(*Op) { return func(op *Op) { op.Call, op.Return = from, to } }

// planted are histories that no right Event.io makes. long tells whether the judge of long runs sees it as well.
var planted = []struct {
	name string
	long bool
	tape *tape
}{
	{"seat_twice", true, event(3, false).made("u", "k", 1).op(Register, "u", "l", Made, numbered(2))},
	{"overbooked_by_one", true, event(1, false).made("u", "k", 1).made("v", "l", 2)},
	{"lost_201", true, event(1, false).made("u", "k", 1).op(ReadSeat, "u", "", Missing)},
	{"lost_201_whose_seat_is_sold_again", true, event(1, false).made("u", "k", 1).made("v", "l", 2).op(ReadSeat, "v", "", Seen, numbered(2))},
	{"stale_sold_out", true, event(1, false).made("u", "k", 1).op(Cancel, "u", "c", Done).op(Register, "v", "l", SoldOut)},
	{"sold_out_of_a_free_seat", true, event(2, false).made("u", "k", 1).op(Register, "v", "l", SoldOut)},
	{"stale_already", true, event(2, false).made("u", "k", 1).op(Cancel, "u", "c", Done).op(Register, "u", "l", Already)},
	{"503_that_took_the_seat", true, event(1, false).op(Register, "u", "k", Nothing).op(ReadSeat, "u", "", Seen, numbered(1))},
	{"503_that_took_the_last_seat", true, event(1, false).op(Register, "u", "k", Nothing).op(Register, "v", "l", SoldOut)},
	{"same_key_refused_on_replay", true, event(2, false).made("u", "k", 1).op(Register, "u", "k", Already)},
	{"same_key_sold_out_on_replay", true, event(1, false).made("u", "k", 1).op(Register, "u", "k", SoldOut)},
	{"other_key_accepted_twice", true, event(2, false).op(Put, "u", "k", Made, numbered(1)).op(Put, "u", "l", Made, numbered(1))},
	{"cancelled_seat_back", true, event(2, false).made("u", "k", 1).op(Cancel, "u", "c", Done).op(ReadSeat, "u", "", Seen, numbered(1))},
	{"cancelled_seat_back_by_its_key", true, event(2, false).made("u", "k", 1).op(Cancel, "u", "c", Done).op(Register, "u", "k", Made, numbered(1))},
	{"cancellation_repeated_ends_a_later_seat", true, event(2, false).made("u", "k", 1).op(Cancel, "u", "c", Done).made("u", "l", 2).
		op(Cancel, "u", "c", Done).op(ReadSeat, "u", "", Missing)},
	{"cancellation_of_nobody_repeated_late", true, event(2, false).op(Cancel, "u", "c", Done).made("u", "k", 1).
		op(Cancel, "u", "c", Done).op(ReadSeat, "u", "", Missing)},
	{"key_forgotten", true, event(2, false).op(Put, "u", "k", Made, numbered(1)).op(Cancel, "u", "c", Done).op(Put, "u", "k", Made, numbered(2))},
	{"key_that_found_is_forgotten", true, event(2, false).made("u", "k", 1).op(Put, "u", "l", Found, numbered(1)).
		op(Cancel, "u", "c", Done).op(Put, "u", "l", Made, numbered(2))},
	{"refused_and_landed_late", true, event(1, false).made("v", "a", 1).op(Register, "u", "k", Unknown).op(Register, "u", "k", SoldOut).
		op(Cancel, "v", "b", Done).op(ReadSeat, "u", "", Seen, numbered(2))},
	{"cancelled_and_landed_late", true, event(2, false).op(Put, "u", "k", Unknown).op(Put, "u", "k", Made, numbered(1)).op(Cancel, "u", "c", Done).
		op(ReadSeat, "u", "", Seen, numbered(2))},
	{"over_though_nobody_cancelled", true, event(2, false).op(Register, "u", "k", Replayed)},
	{"list_out_of_order", true, event(1, true).made("u", "k", 1).op(Register, "v", "l", Made, waiting(2, 1)).op(Register, "w", "m", Made, waiting(3, 2)).
		op(Cancel, "u", "c", Done).op(ReadSeat, "w", "", Seen, numbered(3)).op(ReadSeat, "v", "", Seen, waiting(2, 1))},
	{"told_a_seat_and_waits", true, event(1, true).made("u", "k", 1).made("v", "l", 2)},
	{"nobody_moves_up", false, event(1, true).made("u", "k", 1).op(Register, "v", "l", Made, waiting(2, 1)).op(Cancel, "u", "c", Done).
		op(ReadSeat, "v", "", Seen, waiting(2, 1))},
	{"seat_free_while_somebody_waits", true, event(1, true).made("u", "k", 1).op(Register, "v", "l", Made, waiting(2, 1)).op(Cancel, "u", "c", Done).
		op(ReadEvent, "", "", Seen, counters(0, 1, 1))},
	{"wrong_position", false, event(1, true).made("u", "k", 1).op(Register, "v", "l", Made, waiting(2, 2))},
	{"waits_beside_a_free_seat", true, event(2, true).made("u", "k", 1).op(Register, "v", "", Made, waiting(2, 1))},
	{"a_newcomer_passes_who_waits", true, event(1, true).made("u", "k", 1).op(Register, "v", "l", Made, waiting(2, 1)).op(Cancel, "u", "c", Done).
		made("w", "m", 3).op(ReadSeat, "v", "", Seen, waiting(2, 1))},
	{"capacity_lowered_under_holders", true, event(2, false).made("u", "k", 1).made("v", "l", 2).op(Capacity, "", "", Done, capacity(1)).
		op(ReadEvent, "", "", Seen, counters(2, 1, 0))},
	{"capacity_refused_that_fits", false, event(3, false).made("u", "k", 1).op(Capacity, "", "", BelowSold, capacity(2))},
	{"capacity_not_kept", true, event(1, false).op(Capacity, "", "", Done, capacity(2)).op(ReadEvent, "", "", Seen, counters(0, 1, 0))},
	{"roster_order_swapped", false, event(2, false).made("u", "k", 1).made("v", "l", 2).op(ReadList, "", "", Seen, list("v", "u"))},
	{"roster_without_a_holder", false, event(2, false).made("u", "k", 1).made("v", "l", 2).op(ReadList, "", "", Seen, list("u"))},
	{"numbers_swapped", true, event(2, false).made("u", "k", 2).made("v", "l", 1)},
	{"number_of_two", true, event(2, false).made("u", "k", 1).made("v", "l", 1)},
	{"number_changed", true, event(2, false).made("u", "k", 1).op(Register, "u", "k", Made, numbered(2))},
	{"stale_counters", true, event(2, false).made("u", "k", 1).op(ReadEvent, "", "", Seen, counters(0, 2, 0))},
	{"counters_ahead", true, event(2, false).made("u", "k", 1).op(ReadEvent, "", "", Seen, counters(2, 2, 0))},
	{"registered_after_the_end", true, event(2, false).op(End, "", "", Done).op(Register, "u", "", Made, numbered(1))},
	{"ended_by_nobody", true, event(2, false).op(Register, "u", "k", EventEnded)},
	{"moved_up_after_the_end", false, event(1, true).made("u", "k", 1).op(Register, "v", "l", Made, waiting(2, 1)).op(End, "", "", Done).
		op(Cancel, "u", "c", Done).op(ReadSeat, "v", "", Seen, numbered(2))},
}

// odd are histories that a right Event.io can make, although they look wrong.
var odd = []struct {
	name string
	tape *tape
}{
	{"late_unknown_lands_after_another_was_refused", event(1, false).made("v", "a", 1).op(Register, "u", "k", Unknown).op(Cancel, "v", "b", Done).
		op(Register, "w", "l", SoldOut).op(ReadSeat, "u", "", Seen, numbered(2))},
	{"unknown_never_lands", event(1, false).op(Register, "u", "k", Unknown).made("v", "l", 1).op(ReadSeat, "u", "", Missing)},
	{"unknown_lands_before_its_repetition", event(1, false).op(Register, "u", "k", Unknown).op(Register, "v", "l", SoldOut).op(Register, "u", "k", Made, numbered(1))},
	{"unknown_lands_after_the_same_user_was_refused_under_another_key", event(1, false).made("v", "a", 1).op(Register, "u", "k", Unknown).
		op(Register, "u", "l", SoldOut).op(Cancel, "v", "b", Done).op(ReadSeat, "u", "", Seen, numbered(2))},
	{"unknown_cancellation_frees_the_seat_late", event(1, false).made("u", "k", 1).op(Cancel, "u", "c", Unknown).op(Register, "v", "l", SoldOut).made("w", "m", 2)},
	{"two_for_the_last_seat_answered_in_either_order", event(1, false).op(Register, "u", "k", SoldOut, during(0, 100)).op(Register, "v", "l", Made, numbered(1), during(50, 120))},
	{"same_moment_counts_as_concurrent", event(1, false).made("u", "k", 1).op(Register, "v", "l", Made, numbered(2), during(10, 30)).op(Cancel, "u", "c", Done, during(30, 35))},
	{"numbers_with_gaps", event(3, false).made("u", "k", 1).op(Cancel, "v", "c", Done).made("v", "l", 3)},
	{"503_did_nothing", event(1, false).op(Register, "u", "k", Nothing).made("v", "l", 1).op(Register, "u", "k", SoldOut)},
	{"moved_up_by_a_larger_capacity", event(1, true).made("u", "k", 1).op(Register, "v", "l", Made, waiting(2, 1)).op(Capacity, "", "", Done, capacity(2)).
		op(ReadSeat, "v", "", Seen, numbered(2)).op(ReadEvent, "", "", Seen, counters(2, 2, 0)).op(ReadList, "", "", Seen, list("u", "v"))},
	{"capacity_unknown_and_then_seen", event(1, false).made("u", "k", 1).op(Capacity, "", "", Unknown, capacity(2)).op(Register, "v", "l", SoldOut).made("w", "m", 2)},
	{"post_under_a_key_that_was_refused_registers_later", event(2, false).made("u", "k", 1).op(Register, "u", "l", Already).op(Cancel, "u", "c", Done).made("u", "l", 2)},
	{"cancelled_event_still_lets_people_go", event(1, true).made("u", "k", 1).op(Register, "v", "l", Made, waiting(2, 1)).op(End, "", "", Done).
		op(Cancel, "u", "c", Done).op(Register, "w", "m", EventEnded).op(ReadSeat, "v", "", Seen, waiting(2, 1))},
	{"sent_again_by_the_api_and_moved_up_meanwhile", event(1, true).made("u", "k", 1).op(Register, "v", "l", Made, numbered(2), during(10, 40)).
		op(Register, "w", "m", Made, waiting(3, 2), during(15, 20)).op(Cancel, "u", "c", Done, during(25, 30))},
	{"a_cancellation_that_comes_again_ends_nothing", event(1, false).made("u", "k", 1).op(Cancel, "u", "c", Done).made("u", "l", 2).
		op(Cancel, "u", "c", Done).op(Register, "u", "k", Replayed).op(Register, "v", "m", SoldOut).op(ReadEvent, "", "", Seen, counters(1, 1, 0))},
	{"cancelled_between_two_attempts_of_one_operation", event(1, false).op(Cancel, "u", "", Unknown).op(Register, "u", "k", Replayed).made("v", "l", 2)},
	{"an_unknown_registration_and_an_unknown_cancellation", event(1, false).op(Put, "u", "k", Unknown).op(Cancel, "u", "c", Unknown).
		op(Cancel, "u", "c", Done).op(Put, "u", "k", Replayed)},
}

// TestPlantedHistoriesAreIllegal: each lie is seen.
func TestPlantedHistoriesAreIllegal(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // for the pictures
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			if Legal(p.tape.h) {
				t.Error("it is taken for legal")
			}
			if err := CheckLong(p.tape.h); errors.Is(err, ErrIllegal) != p.long {
				t.Errorf("the judge of long runs says %v", err)
			}
		})
	}
}

// TestOddHistoriesAreLegal: what only looks wrong is no fault.
func TestOddHistoriesAreLegal(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, o := range odd {
		t.Run(o.name, func(t *testing.T) {
			if !Legal(o.tape.h) {
				t.Error("it is taken for illegal")
			}
			if err := CheckLong(o.tape.h); err != nil {
				t.Errorf("the judge of long runs says %v", err)
			}
		})
	}
}

// TestAnIllegalHistoryIsKept: the error of an illegal history leads to a picture and to the history itself.
func TestAnIllegalHistoryIsKept(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	lie := event(1, false).made("u", "k", 1).made("v", "l", 2).h
	err := Check(lie, time.Minute)
	pages, _ := filepath.Glob(filepath.Join(dir, "*", "e.html"))
	if len(pages) != 1 || !errors.Is(err, ErrIllegal) || !strings.Contains(err.Error(), pages[0]) {
		t.Fatalf("pictures %v, error %v", pages, err)
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(pages[0]), "history.json"))
	var again History
	if err != nil || json.Unmarshal(data, &again) != nil || Legal(again) {
		t.Errorf("the history that was kept is not the same: %v", err)
	}
}

// TestTooMuchDoubtIsAFailure: what the exact judge cannot decide in its time is not taken for right.
func TestTooMuchDoubtIsAFailure(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	p := event(4, false)
	for i := range 40 {
		p.op(Register, string(rune('a'+i)), "", Unknown)
		p.op(Cancel, string(rune('a'+i)), "", Unknown)
	}
	p.op(ReadEvent, "", "", Seen, counters(9, 4, 0))
	if err := Check(p.h, 50*time.Millisecond); !errors.Is(err, ErrUndecided) {
		t.Errorf("it says %v", err)
	}
}

// TestARecorderKeepsTimes: an operation is recorded with what it filled in, and its return is not before its call.
func TestARecorderKeepsTimes(t *testing.T) {
	r := NewRecorder()
	r.Created(Event{ID: "e", Capacity: 1})
	r.Do(Op{Event: "e", Kind: Register, User: "u"}, func(op *Op) { op.Outcome, op.Number = Made, 1 })
	r.Do(Op{Event: "e", Kind: Register, User: "v"}, func(op *Op) { op.Outcome = SoldOut })
	h := r.History()
	if len(h.Ops) != 2 || h.Ops[0].Return < h.Ops[0].Call || h.Ops[1].Call < h.Ops[0].Return || h.Count()[Made] != 1 || !Legal(h) {
		t.Errorf("recorded %+v", h)
	}
}

// TestReadsDuringAFaultAreLeftOut: those that overlap it, and nothing else.
func TestReadsDuringAFaultAreLeftOut(t *testing.T) {
	h := event(1, false).op(ReadEvent, "", "", Seen, during(0, 10)).op(ReadSeat, "u", "", Missing, during(15, 25)).
		op(Register, "u", "k", Made, numbered(1), during(15, 25)).op(ReadList, "", "", Seen, list("u"), during(31, 40)).h
	h.Faults = []Fault{{Name: "one", Begin: 20, End: 30}, {Name: "another", Begin: 0, End: 100}}
	left := h.WithoutReads(func(f Fault) bool { return f.Name == "one" })
	if len(left.Ops) != 3 || left.Ops[1].Kind != Register || len(h.Ops) != 4 {
		t.Errorf("left are %v", left.Ops)
	}
}
