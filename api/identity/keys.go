// Package identity says who somebody is: it signs and verifies tokens, and knows which of
// them have ended before their time.
//
// # Guarantees
//
// Verifying costs no access to the store. A token is believed only if it is signed with
// HS256 by one of the keys that this process was given, has not expired, and carries a
// version of its user's password that still counts. Every other one gets the same error:
// nobody learns how a forgery failed.
//
// # Revocation
//
// When a password changes, the user's version grows. Other API processes learn the lowest
// version that counts over NATS at once, and from the store within RefreshEvery when NATS
// loses it. Versions are compared, never times, because clocks differ.
package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/eventio/eventio/pkg/store"
)

const (
	// issuer, audience and tokenType are ours alone: a token that another system signed
	// for another purpose with a key that happens to be shared is foreign.
	issuer    = "eventio"
	audience  = "eventio"
	tokenType = "eventio+jwt"

	// MinSecret is the shortest secret of a key, in bytes: the size of the hash (RFC 7518,
	// section 3.2).
	MinSecret = 32
	// MaxLifetime is the longest lifetime of a token. A revocation is kept for as long, so
	// a token with more is refused.
	MaxLifetime = 24 * time.Hour
	// DefaultLifetime is that of the tokens which a log-in answers.
	DefaultLifetime = time.Hour
	// leeway is how far the clocks of two API processes may be apart.
	leeway = 30 * time.Second
	// maxToken is the longest token that is looked at, in bytes; ours have about 300.
	maxToken = 2048
)

// ErrInvalid is the error of every token that is not believed, whatever is wrong with it.
var ErrInvalid = errors.New("invalid token")

// Person is who a token speaks for.
type Person struct {
	ID              store.ID
	PasswordVersion int64
}

// Keys sign and verify tokens. The zero value has none and believes nothing. They are safe
// for concurrent use.
type Keys struct {
	signing string // key id
	secrets map[string][]byte
}

// claims is what a token says.
type claims struct {
	jwt.RegisteredClaims
	PasswordVersion int64 `json:"pv"`
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ParseKeys reads a comma-separated list of kid:secret, each secret in base64url (with or
// without padding). The first key signs, all verify. Its errors name the kid or position
// and never a secret.
func ParseKeys(list string) (Keys, error) {
	k := Keys{secrets: make(map[string][]byte)}
	for i, entry := range strings.Split(list, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if !ok || !keyID.MatchString(id) {
			return Keys{}, fmt.Errorf("key %d: want kid:secret, with 1 to 64 letters, digits, dots, dashes or underscores as kid", i+1)
		}
		secret, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(encoded, "="))
		if err != nil {
			return Keys{}, fmt.Errorf("key %s: the secret is not base64url", id)
		}
		if len(secret) < MinSecret {
			return Keys{}, fmt.Errorf("key %s: the secret has %d bytes, want at least %d", id, len(secret), MinSecret)
		}
		if _, twice := k.secrets[id]; twice {
			return Keys{}, fmt.Errorf("key %s is there twice", id)
		}
		if k.signing == "" {
			k.signing = id
		}
		k.secrets[id] = secret
	}
	return k, nil
}

// newKey makes a random key. Its id is taken from the secret, so that keys made by two
// processes differ in it.
func newKey() store.SigningKey {
	secret := make([]byte, MinSecret)
	_, _ = rand.Read(secret) // never fails
	sum := sha256.Sum256(append([]byte("eventio key id "), secret...))
	return store.SigningKey{
		ID: base64.RawURLEncoding.EncodeToString(sum[:9]), Secret: secret,
		CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
	}
}

func keysOf(key store.SigningKey) (Keys, error) {
	if !keyID.MatchString(key.ID) || len(key.Secret) < MinSecret {
		return Keys{}, errors.New("the signing key in the store is damaged")
	}
	return Keys{signing: key.ID, secrets: map[string][]byte{key.ID: key.Secret}}, nil
}

// Empty reports whether there is no key.
func (k Keys) Empty() bool { return len(k.secrets) == 0 }

// Mint signs a token for p that is valid from now for lifetime, at most MaxLifetime.
func (k Keys) Mint(p Person, now time.Time, lifetime time.Duration) (token string, expires time.Time, err error) {
	if k.Empty() {
		return "", time.Time{}, errors.New("sign a token: there is no key")
	}
	if lifetime <= 0 || lifetime > MaxLifetime {
		return "", time.Time{}, fmt.Errorf("sign a token: a lifetime of %v is not above 0 and at most %v", lifetime, MaxLifetime)
	}
	now = now.UTC().Truncate(time.Second)
	expires = now.Add(lifetime).Truncate(time.Second)
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: p.ID.Hex(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		},
		PasswordVersion: p.PasswordVersion,
	})
	t.Header["kid"], t.Header["typ"] = k.signing, tokenType
	token, err = t.SignedString(k.secrets[k.signing])
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign a token: %w", err)
	}
	return token, expires, nil
}

// Verifier verifies tokens with some keys. It is safe for concurrent use.
type Verifier struct {
	keys   Keys
	parser *jwt.Parser
}

// NewVerifier verifies with keys, by the clock now.
func NewVerifier(keys Keys, now func() time.Time) Verifier {
	return Verifier{keys, jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
		jwt.WithStrictDecoding(), jwt.WithTimeFunc(now),
	)}
}

// Verify returns who the token speaks for, or ErrInvalid. It does not know of revocations.
func (v Verifier) Verify(token string) (Person, error) {
	if len(token) > maxToken {
		return Person{}, ErrInvalid
	}
	var c claims
	if _, err := v.parser.ParseWithClaims(token, &c, v.key); err != nil {
		return Person{}, ErrInvalid
	}
	id, err := store.ParseID(c.Subject)
	if err != nil || id.IsZero() || c.PasswordVersion < 0 {
		return Person{}, ErrInvalid
	}
	if c.IssuedAt == nil || c.ExpiresAt.Sub(c.IssuedAt.Time) > MaxLifetime {
		return Person{}, ErrInvalid
	}
	return Person{ID: id, PasswordVersion: c.PasswordVersion}, nil
}

// key finds the secret that a token's header names: in our own list and nowhere else. A
// header with anything but alg, typ and kid (jwk, jku, x5u, crit) is not one of ours.
func (v Verifier) key(t *jwt.Token) (any, error) {
	id, _ := t.Header["kid"].(string)
	secret, known := v.keys.secrets[id]
	if !known || len(t.Header) != 3 || t.Header["typ"] != tokenType {
		return nil, ErrInvalid
	}
	return secret, nil
}
