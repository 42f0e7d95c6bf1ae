package store

import (
	"context"
	"errors"
	"iter"
	"time"
)

// ErrPasswordChanged means that the password is not the one that the caller has looked at.
var ErrPasswordChanged = errors.New("password changed meanwhile")

// Revocation ends a user's tokens: those that carry an earlier version of the password. It
// speaks of versions and not of times, because the clocks of processes differ.
type Revocation struct {
	UserID ID
	// PasswordVersion is the lowest that still counts.
	PasswordVersion int64
	// ChangedAt is when the password was changed, by the clock of the process that did it.
	// It only serves to forget the revocation once the tokens have expired.
	ChangedAt time.Time
}

// SigningKey signs tokens.
type SigningKey struct {
	ID        string
	Secret    []byte
	CreatedAt time.Time
}

// Identity keeps what proves who somebody is.
type Identity interface {
	// User reads one user. Errors: ErrUserNotFound, ErrUnavailable.
	User(ctx context.Context, id ID) (User, error)
	// SetPassword durably gives the user `before` the PasswordHash, PasswordVersion and
	// PasswordChangedAt of `after`, if their password hash is still that of before. What
	// else is in after does not count. Errors: ErrPasswordChanged, ErrUserNotFound,
	// ErrUnavailable.
	SetPassword(ctx context.Context, before, after User) error
	// Revocations reads those of all users whose PasswordChangedAt is at or after since.
	// Reads see everything that was acknowledged before they began. It yields an error at
	// most once, as the last thing.
	Revocations(ctx context.Context, since time.Time) iter.Seq2[Revocation, error]
	// SigningKey returns the key that all processes over this store share. Where there is
	// none yet, it is the proposed one from now on: of many processes that propose at once
	// one wins, and all get its key. Errors: ErrUnavailable, or one after which it is not
	// known whether the proposal was stored; calling again is safe.
	SigningKey(ctx context.Context, proposed SigningKey) (SigningKey, error)
}
