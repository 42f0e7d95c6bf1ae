// Package issuer has an issuer of tokens for tests: it publishes the keys that it signs with.
package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// Audience is for whom its tokens are.
const Audience = "eventio-api"

// Issuer signs tokens. It is safe for concurrent use.
type Issuer struct {
	// URL is the issuer as it stands in tokens.
	URL string

	server *httptest.Server
	mu     sync.Mutex
	keys   []signing // the last one signs; the one before is still published
	made   int
}

type signing struct {
	id  string
	key *ecdsa.PrivateKey
}

// Start starts an issuer, which ends with the test.
func Start(t testing.TB) *Issuer {
	t.Helper()
	i, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

// New starts an issuer, until Close.
func New() (*Issuer, error) {
	i := &Issuer{}
	if err := i.Rotate(); err != nil {
		return nil, err
	}
	// The URL, which ServeHTTP reads, is known before anybody can ask.
	i.server = httptest.NewUnstartedServer(i)
	i.URL = "http://" + i.server.Listener.Addr().String()
	i.server.Start()
	return i, nil
}

// Close ends the issuer.
func (i *Issuer) Close() { i.server.Close() }

// Rotate signs with a new key from now on. The one before counts until the next Rotate.
func (i *Issuer) Rotate() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.made++
	i.keys = append(i.keys[max(0, len(i.keys)-1):], signing{fmt.Sprint("key ", i.made), key})
	return nil
}

// Token signs a token for a subject, with more claims.
func (i *Issuer) Token(subject string, more map[string]any) (string, error) {
	now := time.Now()
	c := jwt.MapClaims{"iss": i.URL, "aud": Audience, "sub": subject, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(c, more)
	i.mu.Lock()
	with := i.keys[len(i.keys)-1]
	i.mu.Unlock()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, c)
	token.Header["kid"] = with.id
	return token.SignedString(with.key)
}

// ServeHTTP answers the discovery document and the keys.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer any = map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"}
	if r.URL.Path == "/keys" {
		var set jose.JSONWebKeySet
		i.mu.Lock()
		for _, k := range i.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{KeyID: k.id, Key: k.key.Public(), Use: "sig", Algorithm: "ES256"})
		}
		i.mu.Unlock()
		answer = set
	}
	_ = json.NewEncoder(w).Encode(answer) // who has left does not read it
}
