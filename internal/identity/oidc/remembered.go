package oidc

import (
	"crypto/sha256"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/eventio/eventio/internal/identity"
)

const (
	// rememberedMost is how many tokens are remembered, some 400 bytes each.
	rememberedMost = 1 << 17
	// rememberedLongest is the longest token that is, in bytes: what it says is kept.
	rememberedLongest = 2048
)

// remembered holds whom good tokens have proven, so that a signature is checked once and not with every request: that takes
// about as much time as the rest of a request. It has the hashes of tokens, not the tokens. A token that is remembered goes
// on counting only while its key and its times allow it. It is safe for concurrent use.
type remembered struct {
	tokens *lru.Cache[[sha256.Size]byte, proven]
}

// proven is a token whose signature was good.
type proven struct {
	who    identity.Person
	issuer *issuer
	name   keyName
	key    *publicKey
}

func newRemembered() remembered {
	tokens, err := lru.New[[sha256.Size]byte, proven](rememberedMost)
	if err != nil { // cannot happen: the size is above 0
		panic(err)
	}
	return remembered{tokens}
}

// person returns whom a token has proven, if the issuer still publishes the key that has signed it.
func (r remembered) person(token string, now time.Time) (identity.Person, bool) {
	if len(token) > rememberedLongest {
		return identity.Person{}, false
	}
	p, ok := r.tokens.Get(sha256.Sum256([]byte(token)))
	if !ok || !now.Before(p.who.ExpiresAt.Add(leeway)) || !p.issuer.publishes(p.name, p.key) {
		return identity.Person{}, false // it is checked anew, which says why
	}
	return p.who, true
}

// add remembers a token that is good.
func (r remembered) add(token string, p proven) {
	if len(token) <= rememberedLongest {
		r.tokens.Add(sha256.Sum256([]byte(token)), p)
	}
}
