// Package people keeps what MongoDB has of people and of those who call: users, their sessions,
// the keys that sign tokens, idempotency keys and quotas. It knows nothing of seats.
package people

import "go.mongodb.org/mongo-driver/v2/mongo"

// People implements store.Users, Accounts, Sessions, Keys, Idempotency and Quotas, apikeys.Store and foreign.Identities, but for what erases
// somebody from registrations too. It is safe for concurrent use.
type People struct {
	client        *mongo.Client
	users         *mongo.Collection
	erasedUsers   *mongo.Collection
	sessions      *mongo.Collection
	keys          *mongo.Collection // of idempotency
	signingKeys   *mongo.Collection
	quotas        *mongo.Collection
	apiKeys       *mongo.Collection
	identityLinks *mongo.Collection
}

// New returns the people of a database.
func New(db *mongo.Database) *People {
	return &People{
		client: db.Client(), users: db.Collection("users"), erasedUsers: db.Collection("erased_users"),
		sessions: db.Collection("sessions"), keys: db.Collection("idempotency_keys"),
		signingKeys: db.Collection("signing_keys"), quotas: db.Collection("quotas"), apiKeys: db.Collection("api_keys"),
		identityLinks: db.Collection("identity_links"),
	}
}
