// Package store defines what Event.io needs of a database: the types of the domain, the
// interfaces that mongostore (MongoDB, for production) and sqlitestore (SQLite, for one machine)
// implement, and Decide, the pure function that says who gets a seat. Both adapters pass the
// suite in storetest, which also checks the guarantees below.
//
// # Guarantees
//
// At every moment, for every event:
//   - tickets_sold is the number of confirmed registrations, and is at most the capacity;
//   - no user has two registrations;
//   - what a call has acknowledged is durable.
//
// The store alone is responsible for this. Queues, batches, routing and caches elsewhere only make
// the system fast: it stays correct when two workers get the same request, or two requests for
// the last seat, at the same time.
//
// # How a seat is given
//
// A worker collects requests into a batch and calls Seats.Apply. The adapter loads the state of
// the batch's events, calls Decide for the results and changes, and stores all changes in one
// transaction. The transaction has a precondition for each event: nothing was decided about it
// since it was loaded. When that fails, because another worker was faster, the batch is loaded and
// decided anew. Only when the transaction is durable does Apply return the results.
//
// # When a worker dies
//
// A worker that dies leaves all of its batch stored, or nothing, because the batch is one
// transaction:
//   - Before the commit reached the database, nothing is stored. The database rolls the transaction
//     back and releases its locks: SQLite at once, MongoDB when transactionLifetimeLimitSeconds have
//     passed at the latest.
//   - After that, the whole batch is stored, and no reply was sent.
//
// Who waits for a reply cannot tell the two apart: the outcome is unknown. Sending the same request
// again, with the same RequestID and to any worker, settles it. A request that took its seat the
// first time is told so again; one that did not is decided now. No other step is needed after a
// crash, because a worker keeps nothing that another worker needs.
//
// # Definite answers
//
// A result is final: nothing that was decided before it can be stored after it, however late it
// arrives. See Seats.Apply.
//
// # Time
//
// Times are UTC and keep milliseconds, the precision of a date in BSON.
package store

import "context"

// Store is everything that Event.io keeps, over one database. It is safe for concurrent use.
type Store interface {
	Seats
	Users
	Keys
	Events
	Registrations
	Attendees
	Idempotency
	Changes
	Quotas
	Refusals
	Deletions
	Sessions
	Accounts
	Retention
	Consumers
	Webhooks
	// Ping reports whether the store can be written to now. Errors: ErrUnavailable,
	// ErrDatabaseReplaced.
	Ping(ctx context.Context) error
	// Close releases the store. No other call may be running.
	Close() error
}
