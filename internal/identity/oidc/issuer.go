package oidc

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/identity"
)

const (
	defaultRefresh = 5 * time.Minute
	defaultGap     = time.Second
	// fetchLimit bounds one look at an issuer, for which tokens with unknown keys wait.
	fetchLimit = 3 * time.Second
	// retryFirst and retryMost are the pauses after looks that failed, which grow.
	retryFirst, retryMost = time.Second, 30 * time.Second
	// maxDocument is the longest document of an issuer that is read, in bytes, and maxKeys how many keys.
	maxDocument, maxKeys = 1 << 20, 100
	// minRSA is the shortest RSA key, in bits (RFC 7518, section 3.3).
	minRSA = 2048
)

// keyName tells keys apart. An issuer may use one kid for keys of different algorithms; an id of "" means the only key for an
// algorithm.
type keyName struct{ id, algorithm string }

// publicKey is a key of an issuer: the same one for as long as the issuer publishes it.
type publicKey struct{ crypto.PublicKey }

// issuer knows the keys of one issuer. It is safe for concurrent use.
type issuer struct {
	url     string
	refresh time.Duration
	gap     time.Duration
	log     zerolog.Logger
	client  *http.Client
	ctx     context.Context
	wanted  chan struct{} // gets a value when somebody waits for a look

	mu     sync.Mutex
	keys   map[keyName]*publicKey // nil: never fetched
	next   chan struct{}          // closed when the next look has ended
	failed error                  // of the last look
	begun  int                    // how many looks have
	ended  int                    // the number of the last look that has
}

// newIssuer makes an issuer whose looks end with ctx.
func newIssuer(ctx context.Context, text string, config Config) *issuer {
	return &issuer{
		url: text, refresh: cmp.Or(config.RefreshEvery, defaultRefresh), gap: cmp.Or(config.MinGap, defaultGap), log: config.Log,
		client: &http.Client{Timeout: fetchLimit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		ctx:    ctx, wanted: make(chan struct{}, 1), next: make(chan struct{}),
	}
}

// secure reports whether nobody on the way can change what a URL answers.
func secure(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}

// key returns a key. For one that it does not know it waits for a look that begins from now on.
func (i *issuer) key(name keyName) (*publicKey, error) {
	limit := time.NewTimer(i.gap + 2*fetchLimit)
	defer limit.Stop()
	i.mu.Lock()
	defer i.mu.Unlock()
	for before := i.begun; ; {
		key, next := i.find(name), i.next
		switch {
		case key != nil:
			return key, nil
		case i.ended <= before:
		case i.keys == nil || i.failed != nil:
			return nil, errAway
		default:
			return nil, identity.ErrInvalid
		}
		i.mu.Unlock()
		gaveUp := i.await(next, limit.C)
		i.mu.Lock()
		if gaveUp {
			return nil, errAway
		}
	}
}

// errAway is the error of a token whose issuer cannot be asked.
var errAway = fmt.Errorf("%w: the issuer cannot be asked", identity.ErrUnsettled)

// await has the issuer looked at, and waits for the next look to end. It reports whether that takes too long.
func (i *issuer) await(next <-chan struct{}, limit <-chan time.Time) (gaveUp bool) {
	select {
	case i.wanted <- struct{}{}:
	default: // it will be looked at
	}
	select {
	case <-next:
		return false
	case <-limit:
	case <-i.ctx.Done():
	}
	return true
}

// publishes reports whether a key is still the one of that name.
func (i *issuer) publishes(name keyName, key *publicKey) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.find(name) == key
}

// find returns a key, or nil. The caller holds mu.
func (i *issuer) find(wanted keyName) (found *publicKey) {
	if wanted.id != "" {
		return i.keys[wanted]
	}
	for name, key := range i.keys {
		if name.algorithm != wanted.algorithm {
			continue
		}
		if found != nil { // it is not clear which one counts
			return nil
		}
		found = key
	}
	return found
}

// run looks at the issuer until its context ends.
func (i *issuer) run() {
	pause := time.Duration(0)
	failing := false
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-i.ctx.Done():
			return
		case <-timer.C:
		case <-i.wanted:
		}
		i.mu.Lock()
		i.begun++
		i.mu.Unlock()
		keys, err := i.fetch()
		if i.ctx.Err() != nil {
			return
		}
		i.learn(keys, err)
		switch {
		case err == nil && (failing || pause == 0):
			i.log.Info().Str("issuer", i.url).Int("keys", len(keys)).Msg("the keys of an issuer are there")
		case err != nil && !failing:
			i.log.Error().Err(err).Str("issuer", i.url).Msg("an issuer cannot be asked for its keys: those that are known go on, and its people with others are told to come again (503)")
		}
		if failing = err != nil; failing {
			pause = min(max(retryFirst, 2*pause), retryMost)
		} else {
			pause = i.refresh
		}
		timer.Reset(pause)
		if !i.rest() {
			return
		}
	}
}

// rest waits until the issuer may be looked at again. It reports whether it goes on.
func (i *issuer) rest() bool {
	rest := time.NewTimer(i.gap)
	defer rest.Stop()
	select {
	case <-rest.C:
		return true
	case <-i.ctx.Done():
		return false
	}
}

// learn takes in what a look has found, and tells who waits for it.
func (i *issuer) learn(keys map[keyName]*publicKey, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.failed = err; err == nil {
		for name, old := range i.keys {
			if old.same(keys[name]) {
				keys[name] = old
			}
		}
		i.keys = keys
	}
	i.ended = i.begun
	close(i.next)
	i.next = make(chan struct{})
}

// fetch asks the issuer for its keys (OpenID Connect Discovery 1.0, section 4).
func (i *issuer) fetch() (map[keyName]*publicKey, error) {
	ctx, cancel := context.WithTimeout(i.ctx, fetchLimit)
	defer cancel()
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := i.get(ctx, strings.TrimSuffix(i.url, "/")+"/.well-known/openid-configuration", &about); err != nil {
		return nil, err
	}
	if about.Issuer != i.url {
		return nil, fmt.Errorf("it calls itself %.200q", about.Issuer)
	}
	if u, err := url.Parse(about.Keys); err != nil || !secure(u) {
		return nil, errors.New("its jwks_uri is no https URL")
	}
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := i.get(ctx, about.Keys, &set); err != nil {
		return nil, err
	}
	keys := make(map[keyName]*publicKey)
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || !k.IsPublic() || k.Use != "" && k.Use != "sig" {
			continue // of a kind that signs nothing for us
		}
		for _, algorithm := range algorithmsOf(k) {
			keys[keyName{k.KeyID, algorithm}] = &publicKey{k.Key}
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("it has no key that is good for signing")
	}
	return keys, nil
}

// get reads a JSON document.
func (i *issuer) get(ctx context.Context, from string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	answer, err := i.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", from, answer.Status)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("GET %s: %w", from, err)
	}
	return nil
}

// same reports whether another key is there and equal. The keys of the standard library can tell.
func (k *publicKey) same(other *publicKey) bool {
	comparable, ok := k.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && other != nil && comparable.Equal(other.PublicKey)
}

// algorithmsOf returns the algorithms by which a key may sign: the one that it names, or all that fit it.
func algorithmsOf(k jose.JSONWebKey) (fit []string) {
	var all []string
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() >= minRSA {
			all = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case *ecdsa.PublicKey:
		all = []string{map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[key.Curve.Params().BitSize]}
	case ed25519.PublicKey:
		all = []string{"EdDSA"}
	}
	for _, algorithm := range all {
		if k.Algorithm == "" || k.Algorithm == algorithm {
			fit = append(fit, algorithm)
		}
	}
	return fit
}
