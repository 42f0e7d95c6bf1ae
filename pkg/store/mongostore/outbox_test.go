package mongostore

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/outbox/outboxtest"
)

func TestOutbox(t *testing.T) { outboxtest.Run(t, target) }
