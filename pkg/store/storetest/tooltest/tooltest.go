// Package tooltest is the conformance suite of what verify, repair and import rest on: every adapter passes
// it, beside that of package storetest.
package tooltest

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/imports"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/verify"
)

// Store is a store that can also import.
type Store interface {
	store.Store
	imports.Store
}

// Target is an adapter over a fresh, empty database, as the operator's tools see it.
type Target struct {
	Store        Store
	VerifyReader verify.Reader
	// SetCounters overwrites the counters of an event in the database, without the store.
	SetCounters func(tb testing.TB, e store.Event)
	// RemoveSearch removes what lists and searches find an event by, as when a process of an earlier
	// version has written the event.
	RemoveSearch func(tb testing.TB, id store.ID)
	// SetChange overwrites a row of the record of changes, RemoveChange removes it, and CutChange cuts
	// off its end.
	SetChange, RemoveChange, CutChange func(tb testing.TB, r store.ChangeRecord)
}

// Run runs the suite. open makes a fresh target for each test, and cleans it up.
func Run(t *testing.T, open func(testing.TB) Target) {
	for name, test := range map[string]func(*testing.T, Target){
		"database id":          testVerifyDatabaseID,
		"verify reader":        testVerifyReader,
		"verify while serving": testVerifyWhileServing,
		"recount":              testRecount,
		"stale search":         testStaleSearch,
		"import users":         testImportUsers,
		"import events":        testImportEvents,
		"import, interrupted":  testImportInterrupted,
		"import, known users":  testKnownUsers,
		"verify counts":        testVerifyCounts,
		"verify replays":       testReplay,
		"verify together":      testVerifyTogether,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// wantClean fails the test when package verify or storetest.Check finds damage in an event.
func wantClean(tb testing.TB, target Target, id store.ID) {
	tb.Helper()
	if e := checkEvent(tb, target.VerifyReader, id); len(e.Findings) > 0 {
		tb.Fatalf("findings: %+v", e.Findings)
	}
	storetest.Check(tb, target.Store, id)
}

// checkEvent verifies an event.
func checkEvent(tb testing.TB, a verify.Reader, id store.ID) verify.EventReport {
	tb.Helper()
	e, err := verify.CheckEvent(storetest.Context(tb), a, id, nil)
	if err != nil {
		tb.Fatalf("verify: %v", err)
	}
	return e
}
