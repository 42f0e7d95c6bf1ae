package wire

import (
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
)

// NewAPIKey is the body that makes a key for a program.
type NewAPIKey struct {
	Name string `json:"name"`
	// Scopes are what it may do: read, register, organize.
	Scopes []string `json:"scopes"`
	// ExpiresAt is when it ends; nil: after 90 days.
	ExpiresAt *time.Time `json:"expires_at,omitzero"`
}

// APIKey is what the owner of a key is told of it.
type APIKey struct {
	ID     store.ID `json:"id"`
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
	// Key is what the program sends. It is told once: to who makes it.
	Key       string    `json:"key,omitzero"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	// LastUsedAt is when it was last used, to within a few minutes.
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
}

// APIKeyOf makes the body of a key that is stored.
func APIKeyOf(k apikeys.Key) APIKey {
	return APIKey{
		ID: k.ID, Name: k.Name, Scopes: strings.Fields(k.Scopes), CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, LastUsedAt: k.LastUsedAt,
	}
}
