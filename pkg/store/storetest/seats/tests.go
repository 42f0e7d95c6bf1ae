// Package seats tests how a store gives seats, and the record of changes that it keeps of that.
package seats

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/storetest"
)

// Tests returns the tests by name. Each needs a target of its own.
func Tests() map[string]func(*testing.T, storetest.Target) {
	return map[string]func(*testing.T, storetest.Target){
		"cancelling":                        testCancelling,
		"a larger capacity":                 testRaises,
		"waiting list":                      testWaitingList,
		"positions":                         testPositions,
		"deleted events":                    testDeletion,
		"changes":                           testChanges,
		"seats":                             testSeats,
		"endings":                           testEndings,
		"concurrency":                       testConcurrency,
		"leases":                            testLeases,
		"repeated requests":                 testRepeats,
		"cancel by number":                  testCancelByNumber,
		"random batches agree with a model": testModel,
	}
}
