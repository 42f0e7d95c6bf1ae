// Package lists tests events and what is read of them: searches, rosters and attendees.
package lists

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/storetest"
)

// Tests returns the tests by name. Each needs a target of its own.
func Tests() map[string]func(*testing.T, storetest.Target) {
	return map[string]func(*testing.T, storetest.Target){
		"attendees":           testAttendees,
		"database id":         testDatabaseID,
		"search":              testSearch,
		"roster":              testRoster,
		"entered":             testEntered,
		"lookups":             testLookups,
		"user registrations":  testUserRegistrations,
		"long list of a user": testManyUserRegistrations,
		"lists of users":      testUserLists,
		"events":              testEvents,
		"edits":               testEdits,
		"hours":               testHours,
		"refusals":            testRefusals,
	}
}
