// Package conformance is the suite of package store that every adapter passes.
package conformance

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/pkg/store/storetest/lists"
	"github.com/eventio/eventio/pkg/store/storetest/people"
	"github.com/eventio/eventio/pkg/store/storetest/relay"
	"github.com/eventio/eventio/pkg/store/storetest/seats"
)

// Run runs the suite. open makes a fresh target for each test, and cleans it up.
func Run(t *testing.T, open func(testing.TB) storetest.Target) {
	for _, tests := range []map[string]func(*testing.T, storetest.Target){people.Tests(), lists.Tests(), seats.Tests(), relay.Tests()} {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, open(t)) })
		}
	}
}
