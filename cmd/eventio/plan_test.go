//go:build !race

// The model runs in one goroutine and takes fifteen times as long under the race detector: make test runs these without.

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/loadtest/model"
)

func runPlan(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), process.Env{Args: append([]string{"plan"}, args...), Stdout: &out, Stderr: &out})
	return out.String(), err
}

// TestPlan: what an operator is told of a great opening, in words and as JSON, is the same, adds up, and is told again
// the same.
func TestPlan(t *testing.T) {
	args := []string{"--people", "2000000", "--places", "50000", "--within", "10m"}
	words, err := runPlan(t, args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, words)
	}
	for _, want := range []string{
		"2,000,000 people for 50,000 places of one event within 10m0s", "api ", "worker ", "nats ", "mongod ", "EVENTIO_MAX_BATCH", "EVENTIO_MAX_WAITING",
		"100,000 people ask in the first second", "The last place goes after", "What ends first:",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("there is no %q:\n%s", want, words)
		}
	}
	text, err := runPlan(t, append(args, "--json")...)
	if err != nil {
		t.Fatal(err)
	}
	var p model.Plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	e := p.Expect
	if sum := e.Granted + e.Refused + e.Overloaded + e.Unanswered; sum != e.Simulated {
		t.Errorf("%d of %d people end in an outcome", sum, e.Simulated)
	}
	if e.Granted > 50_000 || e.Granted < 49_000 {
		t.Errorf("%d of 50,000 places are given", e.Granted)
	}
	if again, err := runPlan(t, append(args, "--json")...); err != nil || again != text {
		t.Errorf("the same question has another answer, %v", err)
	}
}

// TestAPlanGrows: more people need more, and what is asked too much is said.
func TestAPlanGrows(t *testing.T) {
	of := func(args ...string) model.Plan {
		t.Helper()
		text, err := runPlan(t, append(args, "--json")...)
		var p model.Plan
		if err == nil {
			err = json.Unmarshal([]byte(text), &p)
		}
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, text)
		}
		return p
	}
	small := of("--people", "1000", "--places", "100", "--within", "1m")
	large := of("--people", "1000000", "--places", "100", "--within", "1m", "--first", "0.1")
	if a, b := small.Parts[0].Processes, large.Parts[0].Processes; a >= b || a < 3 {
		t.Errorf("1,000 people need %d API processes, 1,000,000 need %d", a, b)
	}
	if small.Expect.P99Millis > 1000 || len(small.Warning) > 0 || small.Expect.Overloaded > 0 {
		t.Errorf("a small opening: %+v, %v", small.Expect, small.Warning)
	}
	live := of("--people", "1000000", "--places", "100", "--within", "1m", "--first", "0.1", "--live")
	if live.Parts[0].Processes < 1_000_000/8192 {
		t.Errorf("a stream for each of 1,000,000 people has %d API processes", live.Parts[0].Processes)
	}
	one := of("--people", "100000", "--places", "100000", "--within", "1s", "--first", "1")
	many := of("--people", "100000", "--places", "100000", "--within", "1s", "--first", "1", "--events", "10000")
	if one.Parts[3].Processes != 3 || many.Parts[3].Processes <= 3 {
		t.Errorf("one event has %d mongods, 10,000 have %d", one.Parts[3].Processes, many.Parts[3].Processes)
	}
	far := of("--people", "100000", "--places", "50000", "--within", "10s", "--majority", "80ms")
	if near := of("--people", "100000", "--places", "50000", "--within", "10s"); far.Expect.P99Millis <= near.Expect.P99Millis {
		t.Errorf("p99 is %v ms near and %v ms far", near.Expect.P99Millis, far.Expect.P99Millis)
	}
	storm := []string{"--people", "10000000", "--places", "1000", "--within", "10m", "--reads", "0", "--first", "0.0034"}
	asked, leased := of(storm...), of(append(storm, "--lease", "500ms")...)
	if leased.Expect.MedianMillis*2 > asked.Expect.MedianMillis || !slices.ContainsFunc(leased.Set, func(s model.Setting) bool { return s.Name == "EVENTIO_SOLD_OUT_LEASE" }) {
		t.Errorf("p50 is %v ms by workers and %v ms from memory, with %v", asked.Expect.MedianMillis, leased.Expect.MedianMillis, leased.Set)
	}
}

// TestAPlanForNothing: what cannot be meant is told by the name of its flag.
func TestAPlanForNothing(t *testing.T) {
	fine := map[string]string{"--people": "1000", "--places": "10", "--within": "1m"}
	for flag, values := range map[string][]string{
		"--people": {"0", "-1", "2000000000", "many"}, "--places": {"0", "-5", "x"}, "--within": {"0s", "500ms", "25h", "soon", "10"},
		"--events": {"0", "11", "2000000"}, "--first": {"0", "1.5", "-1", "NaN", "some"}, "--reads": {"-1", "5000"},
		"--distance": {"-1s", "1h"}, "--majority": {"-1ms", "3s"}, "--lease": {"-1s", "2s"}, "--speed": {"0", "100", "NaN"},
	} {
		for _, value := range values {
			args := []string{flag + "=" + value}
			for other, good := range fine {
				if other != flag {
					args = append(args, other+"="+good)
				}
			}
			out, err := runPlan(t, args...)
			if !errors.Is(err, process.ErrUsage) || !strings.Contains(err.Error(), flag) {
				t.Errorf("%s=%s: %v\n%s", flag, value, err, out)
			}
		}
	}
	for _, missing := range []string{"--people", "--places", "--within"} {
		args := []string{}
		for flag, value := range fine {
			if flag != missing {
				args = append(args, flag+"="+value)
			}
		}
		if _, err := runPlan(t, args...); !errors.Is(err, process.ErrUsage) || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	out, _ := runPlan(t, "--help")
	for _, want := range []string{"--people", "--majority=1ms", "--json", "opening second"} {
		if !strings.Contains(out, want) {
			t.Errorf("the help has no %q:\n%s", want, out)
		}
	}
}
