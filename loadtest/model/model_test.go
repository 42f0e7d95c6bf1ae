package model

import (
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// update has TestTheTableIsInTheDocument write the table.
var update = flag.Bool("update", false, "write the table of predictions into docs/scale.md")

// setups are small ones of every kind.
func someSetup(t *rapid.T) Setup {
	return Setup{
		Name: "some", Events: rapid.SampledFrom([]int{1, 2, 7, 100}).Draw(t, "events"), Connections: rapid.IntRange(1, 60).Draw(t, "connections"),
		Rate: rapid.SampledFrom([]float64{0, 0, 50, 3000}).Draw(t, "rate"), APIs: rapid.IntRange(1, 4).Draw(t, "apis"),
		Workers: rapid.IntRange(1, 4).Draw(t, "workers"), MaxBatch: rapid.SampledFrom([]int{1, 8, 512}).Draw(t, "batch"),
		Full: rapid.Bool().Draw(t, "full"), Distance: time.Duration(rapid.IntRange(0, 20).Draw(t, "distance")) * time.Millisecond,
	}
}

// TestEveryRequestEnds: each request has one outcome, nobody waits at the end, and as many are under way on the
// average as come in a second times the seconds that they stay (Little's law).
func TestEveryRequestEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := someSetup(t)
		r := m.Predict(Measured(), 2, 50*time.Millisecond)
		if r.Open != 0 || r.Settled() != r.Arrivals || len(r.took) != r.Arrivals {
			t.Fatalf("of %d requests %d ended and %d are open", r.Arrivals, r.Settled(), r.Open)
		}
		if m.Full && r.Outcomes[Granted] > 0 || !m.Full && r.Outcomes[Refused] > 0 {
			t.Fatalf("outcomes %v", r.Outcomes)
		}
		if m.Rate > 0 {
			return // latency counts from when a request was due, before it is under way
		}
		stay := 0.0
		for _, took := range r.took {
			stay += took.Seconds()
		}
		if math.Abs(r.Area-stay) > 1e-6*(1+stay) {
			t.Fatalf("%.6f request seconds under way, %.6f by how long each took", r.Area, stay)
		}
		if r.Arrivals > 0 && r.P50 > r.P99 || r.P99 > r.Max {
			t.Fatalf("p50 %v, p99 %v, slowest %v", r.P50, r.P99, r.Max)
		}
	})
}

// TestNeverTooManySeats: no event gives more seats than it has, each person ends in one outcome or waits still, and
// no part uses more cores than it has, in an opening of any size, with tries again, short queues, leases, and any grain.
func TestNeverTooManySeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := System{
			Costs: Measured(), APIs: rapid.IntRange(1, 5).Draw(t, "apis"), Workers: rapid.IntRange(1, 3).Draw(t, "workers"),
			Shards: rapid.IntRange(1, 3).Draw(t, "shards"), Events: rapid.IntRange(1, 5).Draw(t, "events"),
			Seats: int64(rapid.IntRange(0, 300).Draw(t, "seats")), MaxWaiting: rapid.SampledFrom([]int{5, 100, 20_000}).Draw(t, "waiting"),
			Lease: rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond}).Draw(t, "lease"), Grain: rapid.SampledFrom([]int{1, 1, 3}).Draw(t, "grain"),
			Majority: time.Duration(rapid.IntRange(0, 40).Draw(t, "majority")) * time.Millisecond, Network: time.Millisecond,
		}
		o := Opening{People: rapid.IntRange(1, 1000).Draw(t, "people"), First: rapid.Float64Range(0.01, 1).Draw(t, "first"), Within: 4 * time.Second, Tries: 3}
		r := o.Run(s, 2, 1)
		for i, sold := range r.Sold {
			if sold > s.Seats {
				t.Fatalf("event %d gives %d of %d seats", i, sold, s.Seats)
			}
		}
		if given := int64(r.Outcomes[Granted]); given > r.Sum() { // less when somebody was told nothing
			t.Fatalf("%d are told that they have one of %d seats", given, r.Sum())
		}
		if n := r.Settled() + r.Retried + r.Open; n < r.Arrivals || r.Settled() > o.People {
			t.Fatalf("%d requests of %d people: %d ended, %d were tried again, %d are open", r.Arrivals, o.People, r.Settled(), r.Retried, r.Open)
		}
		for name, cores := range r.Cores {
			if has := 2.0 * float64(max(s.APIs, s.Workers, s.Shards, 1)); cores > has+0.01 {
				t.Fatalf("%s uses %.2f cores of %.0f", name, cores, has)
			}
		}
	})
}

// TestALeaseRefusesAlone: while an event is sold out API processes refuse by themselves, and workers have nearly nothing to do.
func TestALeaseRefusesAlone(t *testing.T) {
	s := System{Costs: Measured(), APIs: 2, Events: 1, Seats: 10, Network: time.Millisecond}
	o := Opening{People: 20_000, First: 0.5, Within: 2 * time.Second, Tries: 1}
	without := o.Run(s, 2, 1)
	s.Lease = 250 * time.Millisecond
	with := o.Run(s, 2, 1)
	if without.Leased != 0 || with.Leased < with.Arrivals*9/10 || with.Commands*5 > without.Commands {
		t.Errorf("with leases %d of %d requests are refused by API processes, by %d commands instead of %d", with.Leased, with.Arrivals, with.Commands, without.Commands)
	}
	if with.Sum() != 10 || without.Sum() != 10 {
		t.Errorf("%d and %d seats are given", with.Sum(), without.Sum())
	}
}

// TestARunCanBeRepeated: the same setup gives the same result, to the last request.
func TestARunCanBeRepeated(t *testing.T) {
	m := Setups()[1]
	a, b := m.Predict(Measured(), 2, 300*time.Millisecond), m.Predict(Measured(), 2, 300*time.Millisecond)
	if !reflect.DeepEqual(a, b) {
		t.Error("two runs of the same differ")
	}
}

// TestTheTableIsInTheDocument: docs/scale.md has the table that the model prints, and what it says of it is true: at least
// six setups that had no part in the fit are predicted within 15 % in all three figures.
func TestTheTableIsInTheDocument(t *testing.T) {
	all, m, err := Compare(Measured())
	if err != nil {
		t.Fatal(err)
	}
	table := Table(all, m)
	whole, goodputs, others := 0, 0, 0
	for _, c := range all {
		if c.Fit {
			continue
		}
		others++
		if c.Within(near) == 3 {
			whole++
		}
		if math.Abs(c.Off[0]) <= near {
			goodputs++
		}
	}
	if whole < 6 {
		t.Errorf("only %d setups that had no part in the fit are predicted within 15 %% in all three figures", whole)
	}
	said := fmt.Sprintf("%d of %d are within 15 %% in all three figures, %d in goodput.", whole, others, goodputs)
	const path, begin, end = "../../docs/scale.md", "<!-- go test ./loadtest/model -update writes this -->\n", "<!-- to here -->\n"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("docs/scale.md has no place for the table")
	}
	want := head + begin + "\n" + table + "\n" + said + "\n\n" + end + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(data) != want {
		t.Errorf("the table in docs/scale.md is not what the model prints (go test ./loadtest/model -update):\n%s\n%s", table, said)
	}
}
