// Package storetest has what tests of stores need: a Target, requests (NewEvent, NewRequest, MustApply),
// the checker of the guarantees (Check), and a model of an event that is independent of store.Decide
// (Model). Below it, package conformance is the suite that every adapter passes, made of the tests in
// people, seats and lists; tooltest is the suite of verify, repair and import; and benchtest has the
// benchmarks.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Target is an adapter over a fresh, empty database.
type Target struct {
	// Store is the store under test.
	Store store.Store
	// Again opens another store over the same database, as another process would.
	Again func(testing.TB) store.Store
	// Fail makes every write of an operation on Store end in the given way, until heal is called.
	Fail func(tb testing.TB, op Operation, ending Ending) (heal func())
}

// Operation is a kind of write.
type Operation string

// The operations that can be made to fail.
const (
	Apply  Operation = "apply"
	Create Operation = "create" // of a user or an event
)

// Ending is how a write goes wrong.
type Ending string

// The endings.
const (
	Failed          Ending = "failed"            // an error, and nothing is stored
	FailedButStored Ending = "failed-but-stored" // an error, and everything is stored
)

// Limit bounds each call of the suite.
const Limit = 10 * time.Second

// Context returns a context that ends after Limit, also when the test is ending already.
func Context(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), Limit)
	tb.Cleanup(cancel)
	return ctx
}

// now is a fixed time, because the clock is a parameter everywhere.
var now = time.Date(2026, 11, 24, 10, 0, 0, 123_000_000, time.UTC)

// Now returns the time of all requests that this package makes.
func Now() time.Time { return now }
