// Package relay tests what a store keeps for those who tell others of changes: how far each has come, and
// webhooks.
package relay

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/storetest"
)

// Tests returns the tests by name. Each needs a target of its own.
func Tests() map[string]func(*testing.T, storetest.Target) {
	return map[string]func(*testing.T, storetest.Target){
		"consumers": testConsumers,
		"webhooks":  testWebhooks,
	}
}
