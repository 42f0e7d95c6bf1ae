package store

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/eventio/eventio/internal/text"
)

// User is a person who can log in.
type User struct {
	ID           ID
	Name         string
	Email        string // in its normal form, or as it was written before there was one; its key is unique
	PasswordHash string // PHC string, never the password
	// PasswordVersion counts what ends all earlier tokens of the user: changes of the password,
	// log-outs everywhere, and locks. Tokens carry it.
	PasswordVersion int64
	// PasswordChangedAt is when PasswordVersion was last incremented; zero: never since the sign-up.
	PasswordChangedAt time.Time
	// LockedAt is when an operator locked the user, who cannot log in until they are unlocked; zero:
	// not locked.
	LockedAt time.Time
	// EmailProvenAt is when the person has proven that the Email is theirs; zero: never.
	EmailProvenAt time.Time
	CreatedAt     time.Time
}

// EmailKey returns the form in which e-mail addresses are compared: the key of text.Address, or,
// of what is no address, the text trimmed and in lower case.
func EmailKey(email string) string {
	keys := text.AddressKeys(email)
	return keys[len(keys)-1]
}

// EmailKeys returns the keys that a user with this address may have, one or two: the one of before
// EmailKey followed text.Address, which is trimmed and in lower case, and EmailKey. A user has the older one
// when another user had the new one already. What a person types is looked for under each, in this
// order.
func EmailKeys(email string) []string { return text.AddressKeys(email) }

// RenewedEmailKey returns the key that a user whose key is the older one gets, if it is another one.
func RenewedEmailKey(email, key string) (renewed string, ok bool) {
	keys := EmailKeys(email)
	return keys[len(keys)-1], len(keys) == 2 && key == keys[0]
}

// OlderEmailKeys returns those of EmailKeys that are not EmailKey: none, or one. Whoever creates a user
// asks whether another one has it, because a database keeps only equal keys apart.
func OlderEmailKeys(email string) []string {
	keys := EmailKeys(email)
	return keys[:len(keys)-1]
}

// KeptKey tells that a user keeps the older key of their address, because another user has the one that
// both would have. They are two accounts, maybe of one person.
type KeptKey struct {
	User  ID
	Email string // of User
	Other ID
}

// String tells it to operators.
func (k KeptKey) String() string {
	return fmt.Sprintf("user %s (%+q) has the address of user %s in another form: both accounts stay, and log in as they did; eventio user edit gives one of them another address, and eventio user delete erases one",
		k.User.Hex(), k.Email, k.Other.Hex())
}

// FreedEmail returns the address of a user who has lost theirs to whoever has proven it: one that no mail can reach (RFC 2606).
func FreedEmail(id ID) string { return id.Hex() + "@freed.invalid" }

// WithoutEmail returns u as it is when it loses its address at the given time.
func (u User) WithoutEmail(at time.Time) User {
	u.Email = FreedEmail(u.ID)
	u.PasswordVersion++
	u.PasswordChangedAt = at.UTC()
	return u
}

// Revocation ends the tokens of a user that carry an earlier version of the password. It goes by
// versions and not by times, because the clocks of processes differ.
type Revocation struct {
	UserID ID
	// PasswordVersion is the lowest version whose tokens are still valid.
	PasswordVersion int64
	// ChangedAt is when the version was incremented, by the clock of the process that did it. It
	// only says when the revocation may be forgotten, because the tokens have expired.
	ChangedAt time.Time
}

// Users keeps the users. Its writes are durable when they return. Errors of every method, beside
// those that it names: ErrUnavailable, and ErrNothingStored for a fault that does not pass.
type Users interface {
	// CreateUser stores a new user. Errors: ErrEmailTaken.
	CreateUser(ctx context.Context, u User) error
	// User reads a user by id. Errors: ErrUserNotFound.
	User(ctx context.Context, id ID) (User, error)
	// UserByEmail finds a user by the EmailKeys of the address, the older one first. Errors: ErrUserNotFound.
	UserByEmail(ctx context.Context, email string) (User, error)
	// SetPassword stores the PasswordHash, PasswordVersion and PasswordChangedAt of after, and
	// nothing else of it, if the stored hash and version are still those of before. Errors:
	// ErrPasswordChanged when they are not, ErrUserNotFound.
	SetPassword(ctx context.Context, before, after User) error
	// ProveEmail notes that a person has proven that an address is theirs: it becomes the Email of
	// the user, proven at the given time. Another user who has the address and has not proven it
	// loses it as by FreeEmail. Errors: ErrUserNotFound; ErrEmailProven when another user has proven
	// it. It returns the user as stored, and may be repeated.
	ProveEmail(ctx context.Context, id ID, email string, at time.Time) (User, error)
	// FreeEmail takes an address from the user who has it and has not proven it, so that somebody
	// else can have it: the user gets the address FreedEmail, which nobody can log in with, and their
	// tokens end. Errors: ErrUserNotFound when nobody has it, ErrEmailProven. It returns the user as
	// stored.
	FreeEmail(ctx context.Context, email string, at time.Time) (User, error)
	// Revocations reads the revocations of all users whose PasswordChangedAt is at or after
	// since, and of those who were erased at or after it. It sees every change that was acknowledged before the call. It yields an error at
	// most once, as the last element.
	Revocations(ctx context.Context, since time.Time) iter.Seq2[Revocation, error]
}
