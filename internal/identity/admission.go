package identity

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/eventio/eventio/pkg/store"
)

// An admission is a token of a gateway that stands before the queue, such as a waiting room or a
// captcha: it says that somebody may register for an event now. It is signed by a key that the gateway
// has and that signs nothing else, and checked without a read of the store. An admission may be
// used again until it expires, by the person whom it names or, when it names nobody, by anybody.
//
// An admission is a JWT (RFC 7519) of the header {"alg":"HS256","kid":KID} and the claims iss, eventio;
// aud, eventio/admission; event, the event's id; sub, the person's id, which may be left out; iat and
// exp, at most MaxAdmission apart.
const (
	admissionAudience = "eventio/admission"
	// MaxAdmission is the longest lifetime of an admission that is believed.
	MaxAdmission = 15 * time.Minute
)

// admission is what an admission says.
type admission struct {
	Event string `json:"event"`
	jwt.RegisteredClaims
}

// Admissions checks admissions with some keys. It is safe for concurrent use.
type Admissions struct {
	keys   Keys
	parser *jwt.Parser
}

// NewAdmissions checks with keys, which are not empty, by the clock now.
func NewAdmissions(keys Keys, now func() time.Time) *Admissions {
	return &Admissions{keys, jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithIssuer(issuer), jwt.WithAudience(admissionAudience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway), jwt.WithTimeFunc(now),
	)}
}

// Admits reports whether an admission lets a user register for an event.
func (a *Admissions) Admits(token string, event, user store.ID) bool {
	if token == "" || len(token) > maxToken {
		return false
	}
	var c admission
	_, err := a.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		secret, ours := a.keys.secrets[kid]
		if _, critical := t.Header["crit"]; !ours || critical { // RFC 7515, section 4.1.11
			return nil, ErrInvalid
		}
		return secret, nil
	})
	if err != nil || c.IssuedAt == nil || c.ExpiresAt.Sub(c.IssuedAt.Time) > MaxAdmission {
		return false
	}
	if of, err := store.ParseID(c.Event); err != nil || of != event {
		return false
	}
	if c.Subject == "" {
		return true
	}
	person, err := store.ParseID(c.Subject)
	return err == nil && person == user
}

// MintAdmission signs an admission, as a gateway does: for tests and for gateways in Go. A zero user
// admits anybody.
func (k Keys) MintAdmission(event, user store.ID, now time.Time, lifetime time.Duration) (string, error) {
	if k.Empty() {
		return "", errors.New("sign an admission: there is no key")
	}
	c := admission{Event: event.Hex(), RegisteredClaims: jwt.RegisteredClaims{
		Issuer: issuer, Audience: jwt.ClaimStrings{admissionAudience},
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(lifetime)),
	}}
	if !user.IsZero() {
		c.Subject = user.Hex()
	}
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, c)
	t.Header = headerOf(k.signing)
	return t.SignedString(k.secrets[k.signing])
}
