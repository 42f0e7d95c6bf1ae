package mongostore

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/storetest/outboxtest"
)

func TestOutbox(t *testing.T) { outboxtest.Run(t, target) }
