package worker

import (
	"cmp"
	"slices"
	"strconv"
	"testing"
	"time"
)

// message is one of a requester.
type message struct {
	from string
	sent int64         // ms by the requester's clock
	came time.Duration // by the worker's
	want time.Duration // its delay
}

const ms, second = time.Millisecond, time.Second

// settled are messages after which a worker knows the clock of "a": an offset of 0, until 2 s.
var settled = []message{{"a", 1, 0, 0}, {"a", 1001, second, 0}, {"a", 2001, 2 * second, 0}}

// wantDelays sends messages to a new estimator. The estimate is lower by as much as the clocks may
// have drifted apart.
func wantDelays(t *testing.T, messages ...message) *delayEstimator {
	t.Helper()
	a := newDelayEstimator()
	for i, m := range messages {
		got, _ := a.estimate(m.from, m.sent, a.started.Add(m.came), false)
		if least := m.want - m.came/1000; got > m.want || got < max(0, least) {
			t.Errorf("message %d, sent at %d and come at %v, has the delay %v, want %v", i, m.sent, m.came, got, m.want)
		}
	}
	return a
}

func TestDelays(t *testing.T) {
	const s = second
	for name, messages := range map[string][]message{
		"the first is fresh, whatever its clock says": {{"a", 1, time.Hour, 0}, {"b", 3_600_000, s, 0}},
		"as fast as the first":                        append(settled, message{"a", 3501, 3500 * ms, 0}),
		"slower than those before":                    append(settled, message{"a", 2501, 5 * s, 2500 * ms}),
		"a bit faster ones correct those before":      append(settled, message{"a", 2101, 2 * s, 0}, message{"a", 2501, 5 * s, 2600 * ms}),
		"each requester for itself":                   append(settled, message{"b", 1, 9 * s, 0}, message{"a", 3001, 5 * s, 2 * s}),
		"frozen for ten minutes": append(settled,
			message{"a", 3001, 602 * s, 599 * s}, message{"a", 4001, 602 * s, 598 * s}, message{"a", 602_001, 602 * s, 0}),
		"who does not say": append(settled, message{"a", 0, 9 * s, 0}),
		"a clock that drifts while nothing is sent, over a night": append(settled,
			message{"a", 50_000_001 - 5000, 50_000 * s, 0}, message{"a", 50_001_001 - 5000, 50_001 * s, 0}),
		"a clock that drifts the other way": append(settled, message{"a", 1_000_501, 1000 * s, 0}, message{"a", 1_001_501, 1004 * s, 3 * s}),
		"a strange first one is forgotten": append(append([]message{{"a", 1 << 39, 0, 0}}, every(200*ms, 100*ms, 2*s, 0)...),
			message{"a", 2001, 5 * s, 3 * s}),
		"two strange ones first": append([]message{{"a", 1 << 39, 0, 0}, {"a", 1<<39 + 1100, 1100 * ms, 0}}, every(100*ms, 2*s, 5*s, 0)...),
		"two strange ones soon": {
			{"a", 1, 0, 0}, {"a", 1<<39 + 100, 100 * ms, 0}, {"a", 1<<39 + 1200, 1200 * ms, 0}, {"a", 2001, 2 * s, 0}, {"a", 3001, 3 * s, 0},
		},
		"slow ones among others": append(append(append(every(100*ms, 0, 3*s, 0),
			message{"a", 1, 3 * s, 3 * s}, message{"a", 11, 3010 * ms, 3 * s}, message{"a", 21, 3020 * ms, 3 * s}, message{"a", 31, 3030 * ms, 3 * s}),
			every(100*ms, 3100*ms, 5*s, 0)...), message{"a", 2051, 5050 * ms, 3 * s}, message{"a", 5101, 5100 * ms, 0}),
		"one slow message in each window": append(settled,
			message{"a", 3001, 6 * s, 3 * s}, message{"a", 6001, 6 * s, 0}, message{"a", 9001, 12 * s, 3 * s}, message{"a", 12_001, 12 * s, 0},
			message{"a", 15_001, 18 * s, 3 * s}, message{"a", 18_001, 18 * s, 0}, message{"a", 21_001, 24 * s, 3 * s}, message{"a", 24_001, 24 * s, 0},
			message{"a", 27_001, 30 * s, 3 * s}, message{"a", 30_001, 30 * s, 0}),
		"a paused machine, whose clock lost a minute, is slow for a while": append(settled,
			message{"a", 3001, 63 * s, 60 * s}, message{"a", 4001, 64 * s, 60 * s}, message{"a", 9001, 69 * s, 0}),
		"a clock that drifts by 75 ms in two minutes": append(settled,
			message{"a", 39_976, 40 * s, 0}, message{"a", 79_951, 80 * s, 0}, message{"a", 119_926, 120 * s, 0}),
		"the first was delayed": {
			{"a", 1, 4 * s, 0}, {"a", 4101, 4100 * ms, 0}, {"a", 5001, 5 * s, 0}, {"a", 5501, 5500 * ms, 0}, {"a", 5001, 6 * s, s},
		},
		"the worker's clock stood still for a minute, so all are faster": append(append(settled, every(100*ms, 3*s, 15*s, -60*s)...),
			message{"a", 74_001, 15 * s, s}),
	} {
		t.Run(name, func(t *testing.T) { wantDelays(t, messages...) })
	}
}

// every returns messages of "a" without delay, from one time to another, over clocks that differ.
func every(interval, from, to, offset time.Duration) []message {
	var all []message
	for at := from; at < to; at += interval {
		all = append(all, message{"a", 1 + (at - offset).Milliseconds(), at, 0})
	}
	return all
}

// TestForgedTimes: a forger names the inbox of an API process, and says what it likes about when its
// messages were sent. The process's own messages, one each tenth of a second, are not delayed.
func TestForgedTimes(t *testing.T) {
	// The first is sent at a time, and the others as much later as they come, so that they agree.
	forge := func(n int, interval, from time.Duration, sent int64) []message {
		var all []message
		for i := range n {
			later := time.Duration(i) * interval
			all = append(all, message{"a", sent + later.Milliseconds(), from + later, 0})
		}
		return all
	}
	var steps []message // each a little faster than the one before
	for i := range 100 {
		steps = append(steps, message{"a", 5001 + 150*int64(i), 5*second + time.Duration(i)*ms, 0})
	}
	for name, forged := range map[string][]message{
		"one":                        forge(1, 0, 5*second, 1<<39),
		"one, before all others":     forge(1, 0, 0, 1<<39),
		"one, after the first":       forge(1, 0, 150*ms, 1<<39),
		"a hundred at once":          forge(100, 0, 5*second, 1<<39),
		"a hundred one by one":       forge(100, 90*ms, 3*second, 1<<39),
		"the same one again":         forge(200, 0, 3*second, 1<<39),
		"a burst before all others":  forge(10, 5*ms, 50*ms, 1<<39),
		"fewer, from the first on":   forge(60, 300*ms, 50*ms, 1<<39),
		"as many again":              forge(200, 100*ms, 2050*ms, 1<<39),
		"three times as many":        forge(600, 33*ms, 2050*ms, 1<<39),
		"one that is not much":       forge(1, 0, 5*second, 5001+3000),
		"many small steps":           steps,
		"one at the end of a window": forge(3, 5001*ms, 5001*ms, 1<<39),
	} {
		t.Run(name, func(t *testing.T) {
			all := append(every(100*ms, 100*ms, 25*second, 0), forged...)
			slices.SortStableFunc(all, func(a, b message) int { return cmp.Compare(a.came, b.came) })
			a := newDelayEstimator()
			for _, m := range all {
				got, _ := a.estimate(m.from, m.sent, a.started.Add(m.came), false)
				if own := m.sent == 1+m.came.Milliseconds(); own && got > maxStep {
					t.Fatalf("the message of %v seems to have taken %v", m.came, got)
				}
			}
		})
	}
}

// TestAForgerWhoComesFirst: a forger who is heard before the API process, and as often, decides what a
// worker takes for the process's clock, until the second window after the forger ends or becomes
// seldom.
func TestAForgerWhoComesFirst(t *testing.T) {
	forge := func(interval, from, to time.Duration) []message {
		var all []message
		for at := from; at < to; at += interval {
			all = append(all, message{"a", 1<<39 + at.Milliseconds(), at, 0})
		}
		return all
	}
	for name, c := range map[string]struct {
		forged, own []message
		end         time.Duration
	}{
		"ends":           {forge(100*ms, 50*ms, 8*second), every(100*ms, 100*ms, 30*second, 0), 8 * second},
		"becomes seldom": {append(forge(30*ms, 0, 3*second), forge(second, 3*second, 30*second)...), every(100*ms, 4*second, 30*second, 0), 4 * second},
	} {
		t.Run(name, func(t *testing.T) {
			all := append(c.own, c.forged...)
			slices.SortStableFunc(all, func(a, b message) int { return cmp.Compare(a.came, b.came) })
			a := newDelayEstimator()
			for _, m := range all {
				got, _ := a.estimate(m.from, m.sent, a.started.Add(m.came), false)
				if own := m.sent == 1+m.came.Milliseconds(); own && got > maxStep && m.came > c.end+2*delayWindow {
					t.Fatalf("the message of %v seems to have taken %v", m.came, got)
				}
			}
		})
	}
}

// TestAForgerBesideAnIdleProcess: an API process that sends a probe every five seconds only, or a bit
// later.
func TestAForgerBesideAnIdleProcess(t *testing.T) {
	for interval, forged := range map[time.Duration][]time.Duration{
		5 * second: {30 * second, 31 * second, 32 * second, 41 * second, 42 * second},
		5200 * ms:  {31_300 * ms, 32 * second, 36_350 * ms},
	} {
		all := every(interval, 0, 100*second, 0)
		for _, at := range forged {
			all = append(all, message{"a", 1<<39 + at.Milliseconds(), at, 0})
		}
		slices.SortStableFunc(all, func(a, b message) int { return cmp.Compare(a.came, b.came) })
		wantDelays(t, all...)
	}
}

func TestRequestersAreBounded(t *testing.T) {
	a := newDelayEstimator()
	for i := range 10 * maxRequesters {
		a.estimate(strconv.Itoa(i), 1, a.started, false)
		if n := len(a.requesters); n > maxRequesters {
			t.Fatalf("%d requesters are remembered", n)
		}
	}
	b := newDelayEstimator()
	for i := range maxRequesters + 1 { // each of whom it knows well
		for _, m := range settled {
			b.estimate(strconv.Itoa(i), m.sent, b.started.Add(m.came), false)
		}
		if n := len(b.requesters); n > maxRequesters || i < maxRequesters && n != i+1 {
			t.Fatalf("%d of %d requesters are remembered", n, i+1)
		}
	}
}

// TestAFloodOfRequestersIsForgottenFirst: whoever names a new requester in each message does not make
// a worker forget the clock of an API process.
func TestAFloodOfRequestersIsForgottenFirst(t *testing.T) {
	a := wantDelays(t, settled...)
	for i := range 10 * maxRequesters {
		a.estimate(strconv.Itoa(i), 1, a.started.Add(3*second), false)
	}
	if got, known := a.estimate("a", 2001, a.started.Add(5*second), true); !known || got < 2900*ms || got > 3*second {
		t.Errorf("after the flood: %v, %v", got, known)
	}
}

// TestDelaysWhileAWorkerRecovers: messages that waited for the end of a pause are no baseline, not
// for the next pause either, and the delay is not known for a requester without a baseline.
func TestDelaysWhileAWorkerRecovers(t *testing.T) {
	a := newDelayEstimator()
	at := func(s int) time.Time { return a.started.Add(time.Duration(s) * time.Second) }
	if delay, known := a.estimate("a", 1, at(1), false); delay != 0 || !known {
		t.Errorf("the first: %v, %v", delay, known)
	}
	if _, known := a.estimate("b", 2001, at(10), true); known {
		t.Error("the delay is known for a requester without a baseline")
	}
	for _, m := range []struct {
		sent, came int
		recovering bool
		want       time.Duration
	}{
		{2, 10, true, 7 * time.Second}, {3, 20, true, 16 * time.Second}, {13, 20, true, 6 * time.Second}, {25, 26, false, 0},
	} {
		delay, known := a.estimate("a", int64(m.sent)*1000+1, at(m.came), m.recovering)
		if !known || delay > m.want || delay < m.want-time.Duration(m.came)*time.Millisecond {
			t.Errorf("sent at %d s and come at %d s: %v, %v, want %v", m.sent, m.came, delay, known, m.want)
		}
	}
	if delay, known := a.estimate("b", 20_001, at(27), false); delay != 0 || !known {
		t.Errorf("the first message of a requester after the recovery: %v, %v", delay, known)
	}
}
