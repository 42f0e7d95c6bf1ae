package sqlitestore

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/storetest/benchtest"
)

func BenchmarkLines(b *testing.B) { benchtest.WaitingLists(b, target) }
