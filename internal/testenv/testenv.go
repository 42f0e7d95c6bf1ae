// Package testenv gives tests real servers: a MongoDB replica set of one node and a NATS
// server on a TCP port, both on 127.0.0.1.
//
// A package whose tests need a database shares one mongod, started at first use:
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
//
//	func TestSomething(t *testing.T) { uri := testenv.MongoDB(t) ... }
//
// Tests that stop, kill or freeze a server start their own with [StartMongo] or [StartNATS].
// Nothing here ever skips: a test whose server cannot be had fails and says why.
package testenv

import (
	"context"
	"os"
	"testing"
	"time"
)

// M is a testing.M that stops the shared servers after the last test. It fits whatever
// takes something with a Run method, as goleak.VerifyTestMain does.
type M struct{ *testing.M }

// Run runs the tests, stops what they shared and returns the exit code.
func (m M) Run() int {
	defer shared.close()
	shared.open()
	return m.M.Run()
}

// Main is the whole TestMain of a package that uses [MongoDB].
func Main(m *testing.M) { os.Exit(M{m}.Run()) }

// Eventually waits until check returns nil. After limit it fails the test, naming what was
// awaited and the last error. Call it from the test's own goroutine.
func Eventually(tb testing.TB, limit time.Duration, what string, check func() error) {
	tb.Helper()
	if err := Poll(context.Background(), limit, check); err != nil {
		tb.Fatalf("%s: not within %v: %v", what, limit, err)
	}
}

// pollInterval is short against everything awaited here, yet costs two cores nothing.
const pollInterval = 5 * time.Millisecond

// Poll calls check until it returns nil, or gives its last error when limit has passed or
// ctx has ended.
func Poll(ctx context.Context, limit time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := check()
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollInterval):
		}
	}
}

// Generous limits: a loaded machine with two cores starts several servers at once.
const (
	fetchLimit = 5 * time.Minute // finding mongod, which may mean a download
	startLimit = time.Minute
	stopLimit  = 20 * time.Second
)
