package sqlitestore

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/storetest"
)

func BenchmarkSeats(b *testing.B) { storetest.Bench(b, target) }
