// Package people tests what a store keeps of people and of those who call: users, sessions, keys and quotas.
package people

import (
	"testing"

	"github.com/eventio/eventio/pkg/store/storetest"
)

// Tests returns the tests by name. Each needs a target of its own.
func Tests() map[string]func(*testing.T, storetest.Target) {
	return map[string]func(*testing.T, storetest.Target){
		"idempotency":      testIdempotency,
		"users":            testUsers,
		"passwords":        testPasswords,
		"proven addresses": testProof,
		"signing key":      testSigningKey,
		"quotas":           testQuotas,
		"accounts":         testAccounts,
		"api keys":         testAPIKeys,
		"identities":       testIdentities,
		"noted people":     testNotedPeople,
	}
}
