// Package passwords holds everything about passwords that HTTP does not decide: which ones
// are allowed, how they are hashed, and how many are hashed at once.
//
// Hashes are argon2id in the PHC string format, of the normal form of a password (package text: the
// OpaqueString profile of RFC 8265), so that ü is ü on every keyboard. Nothing is trimmed, folded or
// cut. Hashes that are older than that are of what was typed; they are accepted and renewed. So are hashes of bcrypt and
// scrypt, which an import has brought.
package passwords

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alexedwards/argon2id"

	"github.com/eventio/eventio/internal/text"
)

// MaxBytes is the largest size of the normal form of any password, in bytes of UTF-8.
const MaxBytes = 256

// Check returns why a text cannot be anybody's password, in words that follow the name of
// its field, or nil. It holds for old passwords too: Policy.Check decides about new ones.
func Check(password string) error {
	switch {
	case strings.TrimSpace(password) == "":
		return errors.New("is required and must not be blank")
	case len(text.PasswordForms(password)[0]) > MaxBytes:
		return fmt.Errorf("must have at most %d bytes", MaxBytes)
	case strings.ContainsRune(password, 0):
		return errors.New("must not contain null bytes")
	}
	return nil
}

// Params returns the argon2id parameters of new hashes: the first choice of OWASP's
// Password Storage Cheat Sheet (19 MiB, two passes, one thread).
func Params() argon2id.Params {
	return argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// Hash makes the PHC string of a password. It takes 19 MiB and tens of milliseconds of a
// core: the caller bounds how many run at once, or uses a Hasher.
func Hash(password string) (string, error) {
	params := Params()
	return argon2id.CreateHash(text.PasswordForms(password)[0], &params)
}

// The bounds of a hash that a log-in can be checked against. Those below are of RFC 9106, section
// 3.1, and of the least that says anything; without them a log-in panics, or any password is right.
// Those above keep one hash from taking all memory or a slot for minutes: they let through the most
// costly parameters that libraries have names for.
const (
	maxHashMemory = 1 << 20 // KiB
	maxHashPasses = 16
	minSalt       = 8  // bytes
	minKey        = 16 // bytes
	maxKey        = 128
)

// IsHash reports whether s is an argon2id hash that a log-in can be checked against, at a cost that a process
// can bear.
func IsHash(s string) bool {
	p, _, _, err := argon2id.DecodeHash(s)
	return err == nil && p.Iterations >= 1 && p.Iterations <= maxHashPasses && p.Parallelism >= 1 &&
		p.Memory >= 8*uint32(p.Parallelism) && p.Memory <= maxHashMemory &&
		p.SaltLength >= minSalt && p.KeyLength >= minKey && p.KeyLength <= maxKey
}
