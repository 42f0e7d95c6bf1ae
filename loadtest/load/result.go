package load

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/eventio/eventio/pkg/store"
)

// Result is what came of a load.
type Result struct {
	Told       []Seat        // the seats of those who were told 201
	Unanswered int           // requests that were cut off
	Skipped    int           // requests that no connection was free for
	Window     time.Duration // the time that rates refer to

	samples []sample
}

// sample is one answer; times are in microseconds. It is small because an overload makes
// millions, and a histogram for each connection would be larger still.
type sample struct {
	done   uint32 // since the start
	took   uint32 // since the request was due
	late   uint32 // of that, until it was sent
	status uint16
}

func micros(d time.Duration) uint32 {
	return uint32(min(max(d.Microseconds(), 0), math.MaxUint32))
}

// sum joins the parts. The window is the plan's, or less when the requests ran out before.
func (r *runner) sum(parts []Result) Result {
	all := Result{Window: r.For}
	var last uint32
	for _, p := range parts {
		all.Told = append(all.Told, p.Told...)
		all.samples = append(all.samples, p.samples...)
		all.Unanswered += p.Unanswered
		all.Skipped += p.Skipped
		for _, s := range p.samples {
			last = max(last, s.done)
		}
	}
	if end := time.Duration(last) * time.Microsecond; end > 0 && end < r.For {
		all.Window = end
	}
	return all
}

// Any is every status.
func Any(int) bool { return true }

// Served is every status by which a request was settled, be it yes or no.
func Served(status int) bool { return status < 500 }

// Only is that one status.
func Only(want int) func(int) bool { return func(status int) bool { return status == want } }

// Answers counts the answers by status, those after the window too.
func (r Result) Answers() map[int]int {
	counts := make(map[int]int)
	for _, s := range r.samples {
		counts[int(s.status)]++
	}
	return counts
}

// Count is how many such answers came, those after the window too.
func (r Result) Count(which func(status int) bool) int {
	n := 0
	for _, s := range r.samples {
		if which(int(s.status)) {
			n++
		}
	}
	return n
}

// Expect fails when a request was not answered with one of the statuses.
func (r Result) Expect(statuses ...int) error {
	if r.Unanswered > 0 {
		return fmt.Errorf("%d requests were never answered", r.Unanswered)
	}
	for status, n := range r.Answers() {
		if !slices.Contains(statuses, status) {
			return fmt.Errorf("%d answers with %d where %v was due", n, status, statuses)
		}
	}
	return nil
}

// Rate is how many such answers came a second, within the window.
func (r Result) Rate(which func(status int) bool) float64 {
	n := 0
	for _, s := range r.samples {
		if which(int(s.status)) && time.Duration(s.done)*time.Microsecond <= r.Window {
			n++
		}
	}
	return float64(n) / r.Window.Seconds()
}

// Took is the time until the last answer.
func (r Result) Took() time.Duration {
	var last uint32
	for _, s := range r.samples {
		last = max(last, s.done)
	}
	return time.Duration(last) * time.Microsecond
}

// histogram counts microseconds up to an hour with three digits.
func histogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, time.Hour.Microseconds(), 3) }

// Latency is how long such answers took since their requests were due, in microseconds.
func (r Result) Latency(which func(status int) bool) *hdrhistogram.Histogram {
	return r.record(which, func(s sample) uint32 { return s.took })
}

// Service is how long such answers took since their requests were sent, in microseconds: a
// server has no part in what a request waited for one of this side's connections.
func (r Result) Service(which func(status int) bool) *hdrhistogram.Histogram {
	return r.record(which, func(s sample) uint32 { return s.took - min(s.late, s.took) })
}

func (r Result) record(which func(status int) bool, of func(sample) uint32) *hdrhistogram.Histogram {
	h := histogram()
	for _, s := range r.samples {
		if which(int(s.status)) {
			_ = h.RecordValue(int64(of(s))) // an hour is more than any plan takes
		}
	}
	return h
}

// Quantile is a quantile of a histogram of microseconds, from 0 to 1.
func Quantile(h *hdrhistogram.Histogram, q float64) time.Duration {
	return time.Duration(h.ValueAtQuantile(100*q)) * time.Microsecond
}

// SlowUntil is the time, from the start, at which the last request was due that was refused
// by a fault or took longer than limit. Zero: there was none.
func (r Result) SlowUntil(limit time.Duration) time.Duration {
	var last time.Duration
	for _, s := range r.samples {
		if took := time.Duration(s.took) * time.Microsecond; took > limit || !Served(int(s.status)) {
			last = max(last, time.Duration(s.done)*time.Microsecond-took)
		}
	}
	return last
}

// Account is what is stored of an event, beside what its users were told.
type Account struct {
	Event    store.ID
	Told     []store.ID // users told 201
	Before   int        // seats held before, by others
	Unknown  int        // requests whose outcome nobody was told
	Capacity int64
	Sold     int64
	Roster   []store.ID
}

// Check fails unless the seats sold are the roster, are within the capacity and belong to
// those who were told so, each of whom has one.
func (a Account) Check() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("event %s: %s", a.Event.Hex(), fmt.Sprintf(format, args...))
	}
	if a.Sold > a.Capacity {
		return wrong("%d seats are sold and there are %d", a.Sold, a.Capacity)
	}
	if a.Sold != int64(len(a.Roster)) {
		return wrong("%d seats are sold and %d users are in the roster", a.Sold, len(a.Roster))
	}
	if least := int64(a.Before + len(a.Told)); a.Sold < least || a.Sold > least+int64(a.Unknown) {
		return wrong("%d seats are sold, %d were held before, %d users were told 201 and %d were told nothing",
			a.Sold, a.Before, len(a.Told), a.Unknown)
	}
	seats := make(map[store.ID]bool, len(a.Roster))
	for _, user := range a.Roster {
		if seats[user] {
			return wrong("user %s holds two seats", user.Hex())
		}
		seats[user] = true
	}
	for _, user := range a.Told {
		if !seats[user] {
			return wrong("user %s was told 201 and holds no seat", user.Hex())
		}
	}
	return nil
}
