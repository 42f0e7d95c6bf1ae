// Package oidc believes tokens of other issuers: OpenID Connect ID tokens, and access tokens that are
// JWTs (RFC 9068). It implements identity.Prover.
//
// # Guarantees
//
// A token is believed only if one of the configured issuers has signed it, with a public key that the
// issuer publishes now and by one of the algorithms of the list below, for one of the configured
// audiences, and if its times allow it, give or take the leeway. Every other one gets an error that
// matches identity.ErrInvalid: nobody learns how a forgery failed. A person's id is foreign.ID of the issuer and the
// subject, so no request reads anything to know who somebody is. The signature of a token is checked when it is first seen;
// all else with each request.
//
// # Keys
//
// Keys are fetched at the start, every RefreshEvery, and when a token names one that is not known: at
// most once a MinGap for an issuer, however many tokens come, which wait for it together. When an issuer is
// away its last keys go on; as long as there were none, and for a token with an unknown key, nobody can
// tell, and the error matches identity.ErrUnsettled.
package oidc

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
)

const (
	// leeway is how far the clocks of an issuer and of this process may be apart.
	leeway = 30 * time.Second
	// maxToken is the longest token that is looked at, in bytes: issuers put groups and roles into them.
	maxToken = 8192
	// maxSubject is the longest subject, in bytes (OpenID Connect Core 1.0, section 2).
	maxSubject = 255
)

// algorithms returns the only ones that count (RFC 7518, RFC 8037). None is symmetric: a public key is no
// secret.
func algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// Config says whose tokens are believed.
type Config struct {
	// Issuers are URLs as they stand in tokens.
	Issuers []string
	// Audiences are the names of this service at the issuers: a token must be for one of them.
	Audiences []string
	// RefreshEvery is the pause between two looks at an issuer's keys. Default 5 min. A key that an
	// issuer has withdrawn counts for as long.
	RefreshEvery time.Duration
	// MinGap is the least time between two of them. Default 1 s.
	MinGap time.Duration
	Log    zerolog.Logger
}

// Prover believes tokens of some issuers. It is safe for concurrent use.
type Prover struct {
	issuers map[string]*issuer
	parser  *jwt.Parser
	known   remembered
	end     context.CancelFunc
	done    sync.WaitGroup
}

// Check returns what is wrong with the settings, or nil.
func Check(config Config) error {
	if len(config.Issuers) == 0 || len(config.Audiences) == 0 || slices.Contains(config.Audiences, "") {
		return errors.New("issuers and audiences come together")
	}
	for _, text := range config.Issuers {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || !secure(u) {
			return errors.New("an issuer is an https URL without a query, as it stands in iss; http only of this machine")
		}
	}
	return nil
}

// New begins to fetch the keys of the issuers, and goes on until Close. It waits for none: an issuer that is
// away keeps no process from starting. Its error names a wrong setting.
func New(config Config) (*Prover, error) {
	if err := Check(config); err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	p := &Prover{issuers: make(map[string]*issuer), known: newRemembered(), end: end, parser: jwt.NewParser(
		jwt.WithValidMethods(algorithms()), jwt.WithStrictDecoding(),
		jwt.WithAudience(config.Audiences...), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
	)}
	for _, text := range config.Issuers {
		p.issuers[text] = newIssuer(ctx, text, config)
	}
	for _, i := range p.issuers {
		p.done.Go(i.run)
	}
	return p, nil
}

// Close ends the fetching, and returns when nothing of it runs. It may come twice. The last keys go on.
func (p *Prover) Close() {
	p.end()
	p.done.Wait()
}

// Owns implements identity.Prover: a JWT by an algorithm of the list, which our own tokens never have.
func (p *Prover) Owns(token string) bool {
	header, rest, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxToken || strings.Count(rest, ".") != 1 {
		return false
	}
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return false
	}
	var h struct {
		Algorithm string `json:"alg"`
	}
	return json.Unmarshal(text, &h) == nil && slices.Contains(algorithms(), h.Algorithm)
}

// claims is what is read of a token.
type claims struct {
	jwt.RegisteredClaims
	AuthTime *jwt.NumericDate `json:"auth_time"`
	Name     string           `json:"name"`
	Username string           `json:"preferred_username"`
	Email    string           `json:"email"`
	// EmailVerified is true; some issuers write it as a text.
	EmailVerified any `json:"email_verified"`
}

// types returns those of tokens about a person: an ID token often has none. Others, such as those of
// log-outs, are signed with the same keys for something else (RFC 8725, section 3.11).
func types() []string { return []string{"jwt", "at+jwt", "application/at+jwt"} }

// Check implements identity.Prover.
func (p *Prover) Check(token string) (identity.Person, error) {
	if len(token) > maxToken {
		return identity.Person{}, identity.ErrInvalid
	}
	if who, ok := p.known.person(token, time.Now()); ok {
		return who, nil
	}
	var c claims
	var by proven
	_, err := p.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		var err error
		if by, err = p.key(t, &c); err != nil {
			return nil, err
		}
		return by.key.PublicKey, nil
	})
	switch {
	case errors.Is(err, identity.ErrUnsettled):
		return identity.Person{}, err
	case err != nil && errors.Is(err, jwt.ErrTokenExpired):
		return identity.Person{}, identity.ErrExpired
	case err != nil:
		return identity.Person{}, identity.ErrInvalid
	}
	if c.Subject == "" || len(c.Subject) > maxSubject || !utf8.ValidString(c.Subject) {
		return identity.Person{}, identity.ErrInvalid
	}
	who := identity.Person{
		ID: foreign.ID(c.Issuer, c.Subject), Proof: store.ProofOIDC, Scopes: identity.OtherScopes,
		ExpiresAt: c.ExpiresAt.UTC(), Profile: identity.Profile{Name: c.Name},
	}
	if who.Profile.Name == "" {
		who.Profile.Name = c.Username
	}
	if c.EmailVerified == true || c.EmailVerified == "true" {
		who.Profile.Email = c.Email
	}
	// A token may say when its person has proven who they are; it is no proof that this was just now.
	if c.AuthTime != nil && c.AuthTime.Before(time.Now().Add(leeway)) {
		who.LoginAt = c.AuthTime.UTC()
	}
	by.who = who
	p.known.add(token, by)
	return who, nil
}

// key returns the key that must have signed a token, of which nothing is proven yet.
func (p *Prover) key(t *jwt.Token, c *claims) (by proven, err error) {
	if _, critical := t.Header["crit"]; critical { // RFC 7515, section 4.1.11
		return by, identity.ErrInvalid
	}
	if typ, sent := t.Header["typ"]; sent {
		text, ok := typ.(string)
		if !ok || !slices.Contains(types(), strings.ToLower(text)) {
			return by, identity.ErrInvalid
		}
	}
	id := ""
	if kid, sent := t.Header["kid"]; sent {
		var ok bool
		if id, ok = kid.(string); !ok {
			return by, identity.ErrInvalid
		}
	}
	i, known := p.issuers[c.Issuer]
	if !known {
		return by, identity.ErrInvalid
	}
	by.issuer, by.name = i, keyName{id, t.Method.Alg()}
	by.key, err = i.key(by.name)
	return by, err
}
