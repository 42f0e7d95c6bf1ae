package worker

import (
	"strconv"
	"testing"
	"time"
)

func TestDelays(t *testing.T) {
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
		"frozen for ten minutes": {
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
			a := newDelayEstimator()
			for i, m := range messages {
				// The estimate is lower by as much as the clocks may have drifted apart.
				got, _ := a.estimate(m.from, m.sent, a.started.Add(m.came), false)
				if least := m.want - m.came/1000; got > m.want || got < max(0, least) {
					t.Errorf("message %d has the delay %v, want %v", i, got, m.want)
				}
			}
		})
	}
}

func TestRequestersAreBounded(t *testing.T) {
	a := newDelayEstimator()
	for i := range 10 * maxRequesters {
		a.estimate(strconv.Itoa(i), 1, a.started, false)
	}
	if n := len(a.requesters); n > maxRequesters {
		t.Errorf("%d requesters are remembered", n)
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
