package store

import (
	"context"
	"time"
)

// SigningKey is a key that signs tokens.
type SigningKey struct {
	ID        string
	Secret    []byte
	CreatedAt time.Time
}

// Keys keeps the signing key that all processes over one database share.
type Keys interface {
	// SigningKey returns the shared key. When there is none yet, proposed becomes the shared key:
	// of many processes that propose one at the same time one wins, and all get the winner's.
	// Errors: ErrUnavailable, or one after which it is unknown whether proposed was stored. The
	// call may be repeated.
	SigningKey(ctx context.Context, proposed SigningKey) (SigningKey, error)
}
