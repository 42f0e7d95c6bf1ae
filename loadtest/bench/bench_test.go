package main

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/loadtest/load"
)

// TestMain lets the test binary play the roles of the program that it tests.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "role") {
		process.Main(run)
		return
	}
	os.Exit(m.Run())
}

// runBench runs the program as from a shell.
func runBench(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), process.Env{Args: args, Stdout: &out, Stderr: &out})
	return out.String(), err
}

// TestMeasuresAndProves: everything runs for real, only tiny.
func TestMeasuresAndProves(t *testing.T) {
	out, err := runBench(t, "--quick", "--scenario", "S1,s3")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"| S1 | product, 1024 connections |", "| L1, 1024 connections: ", "| P, 10000 registered: ",
		"| S3 | product, all sold out |", "store commands/request",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the table has no %q:\n%s", want, out)
		}
	}
}

func TestFlags(t *testing.T) {
	for want, args := range map[string][]string{
		`there is no "S99"; there are S1, S2,`: {"--scenario", "S1,S99"},
		"--rounds: want at least 1":            {"--rounds", "0"},
		"--window: want at least 100ms":        {"--window", "10ms"},
		"its figures mean nothing":             {"--quick", "--out", t.TempDir()},
		"--auth must be one of":                {"--auth", "none"},
		"unknown flag --fast":                  {"--fast"},
	} {
		if out, err := runBench(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v gives %v, want %q\n%s", args, err, want, out)
		}
	}
	out, _ := runBench(t, "--help")
	if strings.Contains(out, "role") || !strings.Contains(out, "--window=4s") {
		t.Errorf("help says:\n%s", out)
	}
}

func TestBrokenPromiseIsAnError(t *testing.T) {
	s := target{read: func(_ context.Context, a load.Account) (load.Account, error) { return a, nil }}
	events := someEvent()
	s.owe(events, 1) // and nothing is stored
	if err := s.check(t.Context()); err == nil || !strings.Contains(err.Error(), "a promise is broken") {
		t.Fatalf("error is %v", err)
	}
}
