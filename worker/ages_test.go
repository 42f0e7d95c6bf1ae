package worker

import (
	"strconv"
	"testing"
	"time"
)

func TestAges(t *testing.T) {
	type message struct {
		from string
		sent int64         // ms by the requester's clock
		came time.Duration // by the worker's
		want time.Duration
	}
	const ms, s = time.Millisecond, time.Second
	for name, messages := range map[string][]message{
		"the first is fresh, whatever its clock says": {{"a", 1, time.Hour, 0}, {"b", 3_600_000, s, 0}},
		"as fast as the first":                        {{"a", 1, s, 0}, {"a", 501, s + 500*ms, 0}},
		"slower than the first":                       {{"a", 1, s, 0}, {"a", 501, 4 * s, 2500 * ms}},
		"a faster one corrects the first":             {{"a", 1, 4 * s, 0}, {"a", 1001, 3 * s, 0}, {"a", 2001, 5 * s, s}},
		"each requester for itself":                   {{"a", 1, s, 0}, {"b", 1, 9 * s, 0}, {"a", 1001, 4 * s, 2 * s}},
		"after ten minutes of ice": {
			{"a", 1, s, 0}, {"a", 1001, 602 * s, 600 * s}, {"a", 2001, 602 * s, 599 * s}, {"a", 601_001, 602 * s, 0},
		},
		"who does not say": {{"a", 1, s, 0}, {"a", 0, 9 * s, 0}},
		"a clock that drifts while nothing is sent, over a night": {
			{"a", 1, s, 0}, {"a", 50_000_001 - 5000, 50_001 * s, 0}, {"a", 50_001_001 - 5000, 50_002 * s, 0},
		},
		"a paused machine, whose clock lost a minute, is slow for a while": {
			{"a", 1, s, 0}, {"a", 1001, 62 * s, 60 * s}, {"a", 2001, 63 * s, 60 * s}, {"a", 7001, 68 * s, 0},
		},
		"a clock that drifts by 75 ms in two minutes": {
			{"a", 1, s, 0}, {"a", 39_976, 41 * s, 0}, {"a", 79_951, 81 * s, 0}, {"a", 119_926, 121 * s, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAges()
			for i, m := range messages {
				// What may be drift is no age.
				got := a.of(m.from, m.sent, a.started.Add(m.came))
				if least := m.want - m.came/1000; got > m.want || got < max(0, least) {
					t.Errorf("message %d has the age %v, want %v", i, got, m.want)
				}
			}
		})
	}
}

func TestAgesAreBounded(t *testing.T) {
	a := newAges()
	for i := range 10 * maxRequesters {
		a.of(strconv.Itoa(i), 1, a.started)
	}
	if n := len(a.requesters); n > maxRequesters {
		t.Errorf("%d requesters are remembered", n)
	}
}
