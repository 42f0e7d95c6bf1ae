package mongostore

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/storetest"
)

func BenchmarkLines(b *testing.B) { storetest.BenchLines(b, target) }
