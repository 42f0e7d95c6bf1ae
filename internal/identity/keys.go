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
// When a password changes, when somebody logs out everywhere, and when they are locked, the user's
// version grows. Other API processes learn the lowest
// version that counts over NATS at once, and from the store within RefreshEvery when NATS
// loses it. Versions are compared, never times, because clocks differ. A user who was erased has no
// version that counts. A log-out ends one session, which is the tokens that carry its id; the other
// processes learn of it from the store.
package identity

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"github.com/eventio/eventio/pkg/store"
)

const (
	// issuer, audience and tokenType are ours alone: a token that another system signed
	// for another purpose with a key that happens to be shared is foreign.
	issuer    = "eventio"
	audience  = "eventio"
	tokenType = "eventio+jwt" //nolint:gosec // a type of media and no secret

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

// ErrInvalid is matched by the error of every token that is not believed, whatever is wrong with it.
// Clients are told no more.
var ErrInvalid = errors.New("the token is not believed")

// The two errors of tokens that were good once, which match ErrInvalid too: for the log, where they
// are an everyday matter and a forgery is not.
var (
	ErrExpired = fmt.Errorf("%w: it has expired", ErrInvalid)
	ErrEnded   = fmt.Errorf("%w: it was ended before its time", ErrInvalid)
)

// Keys sign and verify tokens. The zero value has none and believes nothing. They are safe
// for concurrent use.
type Keys struct {
	signing string // key id
	secrets map[string][]byte
}

// claims is what a token says (RFC 7519, section 4.1); the times are seconds since 1970.
type claims struct {
	Issuer          string `json:"iss"`
	Audience        string `json:"aud"`
	Subject         string `json:"sub"`
	IssuedAt        int64  `json:"iat"`
	NotBefore       int64  `json:"nbf"`
	ExpiresAt       int64  `json:"exp"`
	PasswordVersion int64  `json:"pv"`
	ID              string `json:"jti,omitzero"` // of the session, as hex digits
	// AuthTime is when the password was proven (OpenID Connect Core 1.0, section 2); 0: at IssuedAt.
	AuthTime int64 `json:"auth_time,omitzero"`
}

// date is a time for the library, which takes nil for one that is missing.
func date(seconds int64) (*jwt.NumericDate, error) {
	if seconds == 0 {
		return nil, nil
	}
	return jwt.NewNumericDate(time.Unix(seconds, 0)), nil
}

// GetExpirationTime and the methods below implement jwt.Claims.
func (c claims) GetExpirationTime() (*jwt.NumericDate, error) { return date(c.ExpiresAt) }
func (c claims) GetIssuedAt() (*jwt.NumericDate, error)       { return date(c.IssuedAt) }
func (c claims) GetNotBefore() (*jwt.NumericDate, error)      { return date(c.NotBefore) }
func (c claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c claims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c claims) GetAudience() (jwt.ClaimStrings, error)       { return jwt.ClaimStrings{c.Audience}, nil }

// headerOf is the header of every token that a key signs.
func headerOf(keyID string) map[string]any {
	return map[string]any{"alg": jwt.SigningMethodHS256.Alg(), "kid": keyID, "typ": tokenType}
}

var keyID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// ParseKeys reads a comma-separated list of kid:secret, each secret in base64url (with or
// without padding). The first key signs, all verify. Its errors name the position
// and quote nothing: kid and secret are easily swapped.
func ParseKeys(list string) (Keys, error) {
	k := Keys{secrets: make(map[string][]byte)}
	for i, entry := range strings.Split(list, ",") {
		id, encoded, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if !ok || !keyID.MatchString(id) {
			return Keys{}, fmt.Errorf("key %d: want kid:secret, with 1 to 64 letters, digits, dots, dashes or underscores as kid", i+1)
		}
		secret, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(encoded, "="))
		if err != nil {
			return Keys{}, fmt.Errorf("key %d: the secret is not base64url", i+1)
		}
		if len(secret) < MinSecret {
			return Keys{}, fmt.Errorf("key %d: the secret has %d bytes, want at least %d", i+1, len(secret), MinSecret)
		}
		if _, twice := k.secrets[id]; twice {
			return Keys{}, fmt.Errorf("key %d has the kid of an earlier one", i+1)
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

// Mint signs a token for p that is valid from now for lifetime, at most MaxLifetime. Without a
// SessionID it gets a new one. The LoginAt of p does not count, and its ExpiresAt neither.
func (k Keys) Mint(p Person, now time.Time, lifetime time.Duration) (token string, expires time.Time, err error) {
	p.LoginAt = time.Time{}
	return k.mint(p, now, lifetime)
}

// mint signs a token that says when the password was proven, if p does.
func (k Keys) mint(p Person, now time.Time, lifetime time.Duration) (token string, expires time.Time, err error) {
	if k.Empty() {
		return "", time.Time{}, errors.New("sign a token: there is no key")
	}
	if lifetime <= 0 || lifetime > MaxLifetime {
		return "", time.Time{}, fmt.Errorf("sign a token: a lifetime of %v is not above 0 and at most %v", lifetime, MaxLifetime)
	}
	now = now.UTC().Truncate(time.Second)
	expires = now.Add(lifetime).Truncate(time.Second)
	if p.SessionID.IsZero() {
		p.SessionID = store.NewID()
	}
	c := claims{
		Issuer: issuer, Audience: audience, Subject: p.ID.Hex(),
		IssuedAt: now.Unix(), NotBefore: now.Unix(), ExpiresAt: expires.Unix(), PasswordVersion: p.PasswordVersion,
		ID: p.SessionID.Hex(),
	}
	if !p.LoginAt.IsZero() {
		c.AuthTime = p.LoginAt.Unix()
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
	t.Header = headerOf(k.signing)
	token, err = t.SignedString(k.secrets[k.signing])
	if err != nil {
		return "", time.Time{}, fmt.Errorf("sign a token: %w", err)
	}
	return token, expires, nil
}

// Verifier verifies tokens with some keys. It is safe for concurrent use.
//
// A header is not parsed but compared: there is one for each key, and a token with any
// other (another alg, typ or kid, jwk, jku, crit) is not ours. Nothing of a token is parsed
// before its signature is found to be right.
type Verifier struct {
	secrets   map[string][]byte // by encoded header
	validator *jwt.Validator
}

// NewVerifier verifies with keys, by the clock now.
func NewVerifier(keys Keys, now func() time.Time) Verifier {
	v := Verifier{
		secrets: make(map[string][]byte, len(keys.secrets)),
		validator: jwt.NewValidator(
			jwt.WithIssuer(issuer), jwt.WithAudience(audience),
			jwt.WithExpirationRequired(), jwt.WithNotBeforeRequired(), jwt.WithIssuedAt(),
			jwt.WithLeeway(leeway), jwt.WithTimeFunc(now),
		),
	}
	for id, secret := range keys.secrets {
		header, err := json.Marshal(headerOf(id), json.Deterministic(true)) // sorted, as the library writes it
		if err != nil {                                                     // cannot happen: three strings
			panic(err)
		}
		v.secrets[base64.RawURLEncoding.EncodeToString(header)] = secret
	}
	return v
}

// Verify returns who the token speaks for, or an error that matches ErrInvalid: ErrExpired when
// nothing else is wrong. It does not know of revocations.
func (v Verifier) Verify(token string) (Person, error) {
	if len(token) > maxToken {
		return Person{}, ErrInvalid
	}
	// Strict, so that a token has one spelling only.
	encoding := base64.RawURLEncoding.Strict()
	header, rest, _ := strings.Cut(token, ".")
	payload, encoded, whole := strings.Cut(rest, ".")
	secret, ours := v.secrets[header]
	signature, err := encoding.DecodeString(encoded)
	if !whole || !ours || err != nil {
		return Person{}, ErrInvalid
	}
	signed := token[:len(header)+1+len(payload)]
	if err := jwt.SigningMethodHS256.Verify(signed, signature, secret); err != nil {
		return Person{}, ErrInvalid
	}
	text, err := encoding.DecodeString(payload)
	if err != nil {
		return Person{}, ErrInvalid
	}
	var c claims
	if json.Unmarshal(text, &c) != nil {
		return Person{}, ErrInvalid
	}
	wrong := v.validator.Validate(c)
	if wrong != nil && !onlyExpired(wrong) {
		return Person{}, ErrInvalid
	}
	id, err := store.ParseID(c.Subject)
	if err != nil || id.IsZero() || c.PasswordVersion < 0 {
		return Person{}, ErrInvalid
	}
	if c.IssuedAt == 0 || time.Duration(c.ExpiresAt-c.IssuedAt) > MaxLifetime/time.Second {
		return Person{}, ErrInvalid
	}
	var session store.ID
	if c.ID != "" {
		if session, err = store.ParseID(c.ID); err != nil {
			return Person{}, ErrInvalid
		}
	}
	proven := cmp.Or(c.AuthTime, c.IssuedAt)
	if proven < 0 || proven > c.IssuedAt {
		return Person{}, ErrInvalid
	}
	if wrong != nil {
		return Person{}, ErrExpired
	}
	return Person{
		ID: id, Scopes: OwnScopes, PasswordVersion: c.PasswordVersion, SessionID: session,
		LoginAt: time.Unix(proven, 0).UTC(), ExpiresAt: time.Unix(c.ExpiresAt, 0).UTC(),
	}, nil
}

// onlyExpired reports whether a token that the library refuses has expired, and nothing else is wrong.
func onlyExpired(err error) bool {
	for _, other := range []error{
		jwt.ErrTokenNotValidYet, jwt.ErrTokenUsedBeforeIssued, jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidAudience, jwt.ErrTokenRequiredClaimMissing,
	} {
		if errors.Is(err, other) {
			return false
		}
	}
	return errors.Is(err, jwt.ErrTokenExpired)
}
