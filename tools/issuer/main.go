// Command issuer is an OpenID Connect server for tests: zitadel/oidc's, with people, programs and keys of its own. What those
// who ask it see, is that library's: the documents, the pages, the flows, the tokens.
//
// Everybody is a person of it, by any name, with the password that -password gives; their address is NAME@example.org, and
// proven. They log in by the authorization code flow, with the client that -audience names. So is every program a client, with the
// same password for a secret, by the client credentials grant. Access tokens are JWTs. POST /rotate makes a new key, which signs
// from then on: the one before is published until the next time.
//
// It serves on a free port of 127.0.0.1, prints "issuer URL" and goes on until it is ended. It keeps nothing.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	audience := flag.String("audience", "eventio-api", "client of the people, and for whom all tokens are")
	password := flag.String("password", "verysecure", "password of everybody")
	redirect := flag.String("redirect", "http://localhost:9999/callback", "where people are sent with their code")
	flag.Parse()
	if err := run(*audience, *password, *redirect); err != nil {
		log.Fatal(err)
	}
}

func run(audience, password, redirect string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := "http://" + listener.Addr().String()
	storage.RegisterClients(storage.WebClient(audience, password, redirect))
	s := &issuer{Storage: storage.NewStorage(people{password}), audience: audience, password: password}
	if err := s.rotate(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /rotate", func(w http.ResponseWriter, _ *http.Request) {
		if err := s.rotate(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.Handle("/", exampleop.SetupServer(url, s, slog.New(slog.DiscardHandler), false))
	fmt.Println("issuer", url)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(listener)
}

// people is everybody.
type people struct{ password string }

// GetUserByID implements storage.UserStore.
func (p people) GetUserByID(id string) *storage.User { return p.GetUserByUsername(id) }

// GetUserByUsername implements storage.UserStore.
func (p people) GetUserByUsername(name string) *storage.User {
	return &storage.User{
		ID: name, Username: name, Password: p.password, FirstName: strings.ToUpper(name), LastName: "Example",
		Email: name + "@example.org", EmailVerified: true,
	}
}

// ExampleClientID implements storage.UserStore.
func (p people) ExampleClientID() string { return storage.ServiceUserID }

// issuer is the example's storage, with keys that are rotated and with programs. It is safe for concurrent use.
type issuer struct {
	*storage.Storage
	audience, password string

	mu   sync.Mutex
	keys []key // the last one signs; the one before is still published
	made int
}

// rotate signs with a new key from now on, of RSA and of an elliptic curve in turn.
func (s *issuer) rotate() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	k := key{id: fmt.Sprint("key-", s.made)}
	if s.made%2 == 1 {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return err
		}
		k.algorithm, k.private, k.public = jose.RS256, private, private.Public()
	} else {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		k.algorithm, k.private, k.public = jose.ES256, private, private.Public()
	}
	s.keys = append(s.keys[max(0, len(s.keys)-1):], k)
	return nil
}

// SigningKey implements op.Storage.
func (s *issuer) SigningKey(context.Context) (op.SigningKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return signing{s.keys[len(s.keys)-1]}, nil
}

// SignatureAlgorithms implements op.Storage.
func (s *issuer) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256}, nil
}

// KeySet implements op.Storage.
func (s *issuer) KeySet(context.Context) (set []op.Key, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		set = append(set, published{k})
	}
	return set, nil
}

// GetClientByClientID implements op.Storage.
func (s *issuer) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{c}, nil
}

// ClientCredentials implements op.ClientCredentialsStorage: every program is a client.
func (s *issuer) ClientCredentials(_ context.Context, id, secret string) (op.Client, error) {
	if secret != s.password {
		return nil, oidc.ErrInvalidClient()
	}
	return program{client{storage.WebClient(id, secret)}}, nil
}

// ClientCredentialsTokenRequest implements op.ClientCredentialsStorage.
func (s *issuer) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Audience: oidc.Audience{s.audience}, Scopes: scopes}, nil
}

// client is one whose access tokens are JWTs and whose ID tokens say who somebody is.
type client struct{ op.Client }

// AccessTokenType implements op.Client.
func (client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// IDTokenUserinfoClaimsAssertion implements op.Client.
func (client) IDTokenUserinfoClaimsAssertion() bool { return true }

// program is a client that acts for itself.
type program struct{ client }

// GrantTypes implements op.Client.
func (program) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeClientCredentials}
}

// key is a pair of keys.
type key struct {
	id        string
	algorithm jose.SignatureAlgorithm
	private   any
	public    any
}

// signing is a key for who signs.
type signing struct{ key }

// ID implements op.SigningKey.
func (k signing) ID() string { return k.id }

// SignatureAlgorithm implements op.SigningKey.
func (k signing) SignatureAlgorithm() jose.SignatureAlgorithm { return k.algorithm }

// Key implements op.SigningKey.
func (k signing) Key() any { return k.private }

// published is a key for everybody.
type published struct{ key }

// ID implements op.Key.
func (k published) ID() string { return k.id }

// Algorithm implements op.Key.
func (k published) Algorithm() jose.SignatureAlgorithm { return k.algorithm }

// Use implements op.Key.
func (k published) Use() string { return "sig" }

// Key implements op.Key.
func (k published) Key() any { return k.public }
