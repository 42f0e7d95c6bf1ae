package identity

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Person is who has proven to be the sender of a request, whatever the proof was.
type Person struct {
	ID store.ID
	// Proof says how: the zero Proof is a token of ours.
	Proof store.Proof
	// Scopes are what the proof is good for.
	Scopes Scopes
	// PasswordVersion is that of the user when the token was signed; 0 for other proofs.
	PasswordVersion int64
	// SessionID is the id of the token of ours, and of the log-in that it was given for; zero: another
	// proof, or the token was signed by a version that gave none.
	SessionID store.ID
	// KeyID is the id of the API key; zero: it is another proof.
	KeyID store.ID
	// LoginAt is when the password was proven, in whole seconds: when the token was signed, or the
	// first one that it renews. For other proofs it is when their issuer says that the person has
	// logged in; zero: it does not say.
	LoginAt time.Time
	// ExpiresAt is when the proof ends by itself, in whole seconds; zero: it does not.
	ExpiresAt time.Time
	// Profile is what the proof says of them beside that; a token of ours says nothing.
	Profile Profile
}

// Prover believes one kind of proofs that come where our own tokens do. It is safe for concurrent use.
type Prover interface {
	// Owns reports whether a token is of this kind, by its form alone: whether it is good, Check tells.
	Owns(token string) bool
	// Check returns whom a token proves. Its error matches ErrInvalid, or ErrUnsettled when nobody can
	// tell now.
	Check(token string) (Person, error)
}

// ErrUnsettled is matched by the error of a proof of which nobody can tell now whether it is good.
var ErrUnsettled = errors.New("whether the token is good cannot be found out now")

// Scopes are what a proof is good for: a set.
type Scopes uint8

// The scopes. Which one a route needs is said by its row in the table of routes.
const (
	// ScopeRead reads what is a person's or an organizer's.
	ScopeRead Scopes = 1 << iota
	// ScopeRegister changes registrations.
	ScopeRegister
	// ScopeOrganize makes and changes events and webhooks.
	ScopeOrganize
	// ScopeAccount changes, exports and erases an account.
	ScopeAccount
	// ScopeLogIn is about passwords, addresses and log-ins, which only accounts of our own have.
	ScopeLogIn
)

// The scopes of persons. Programs have those of their key.
const (
	// OwnScopes are those of who has logged in here.
	OwnScopes = OtherScopes | ScopeLogIn
	// OtherScopes are those of who was proven by somebody else: an issuer, or a gateway.
	OtherScopes = ScopeRead | ScopeRegister | ScopeOrganize | ScopeAccount
)

// scopeNames has the words of the scopes that a key may have. Nothing changes it.
var scopeNames = []struct {
	name  string
	scope Scopes
}{{"read", ScopeRead}, {"register", ScopeRegister}, {"organize", ScopeOrganize}}

// Has reports whether all scopes of need are in s.
func (s Scopes) Has(need Scopes) bool { return s&need == need }

// String returns the words of s, separated by spaces as OAuth does (RFC 6749, section 3.3).
func (s Scopes) String() string {
	var names []string
	for _, n := range scopeNames {
		if s.Has(n.scope) {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, " ")
}

// ParseScopes reads words separated by spaces or commas, like ScopesOf.
func ParseScopes(text string) (Scopes, error) {
	return ScopesOf(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }))
}

// ScopesOf reads words: read, register and organize. At least one is needed.
func ScopesOf(words []string) (s Scopes, err error) {
	for _, word := range words {
		known := false
		for _, n := range scopeNames {
			if n.name == word {
				s, known = s|n.scope, true
			}
		}
		if !known {
			return 0, fmt.Errorf("%q is no scope: read, register and organize are", word)
		}
	}
	if s == 0 {
		return 0, errors.New("there is no scope: read, register and organize are")
	}
	return s, nil
}
