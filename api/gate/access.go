package gate

import (
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/identity"
)

// Access says who may call a route: who has proven, in a way that is good for it, who they are. In
// trusted mode the proof may be left out. Whom the handler lets act for whom is another question.
//
//	               own token  oidc  header  API key
//	Anybody            -        -      -       -      no proof is looked at
//	Reading           yes      yes    yes    scope read
//	Registering       yes      yes    yes    scope register
//	Organizing        yes      yes    yes    scope organize
//	Accounts          yes      yes    yes      no
//	LogIns            yes       no     no      no
//
// The columns are the scopes that package identity gives to each proof.
type Access int

// Who may call a route. The zero value is none of them.
const (
	_ Access = iota
	// Anybody needs no proof, and one that is sent is not looked at.
	Anybody
	// Reading reads what is somebody's own.
	Reading
	// Registering changes registrations.
	Registering
	// Organizing makes and changes events and webhooks.
	Organizing
	// Accounts is about one's own account as a whole.
	Accounts
	// LogIns is about the password, the address and the log-ins of an account, which only those have
	// who log in here.
	LogIns
)

// needs returns the scope that a route wants.
func (a Access) needs() identity.Scopes {
	switch a {
	case Reading:
		return identity.ScopeRead
	case Registering:
		return identity.ScopeRegister
	case Organizing:
		return identity.ScopeOrganize
	case Accounts:
		return identity.ScopeAccount
	case LogIns:
		return identity.ScopeLogIn
	default: // Anybody is not asked
		return 0
	}
}

// admits returns the problem Forbidden when the proof of a caller is not good for a route.
func (a Access) admits(who Caller) error {
	switch need := a.needs(); {
	case !who.Proven || who.Scopes.Has(need):
		return nil
	case a == LogIns:
		return problem.Newf(problem.Forbidden, "This is for who logs in here with a password. You have proven who you are in another way: change it there.")
	case need.String() == "":
		return problem.Newf(problem.Forbidden, "A key does not do this, whatever its scope: log in.")
	default:
		return problem.Newf(problem.Forbidden, "The key lacks the scope %s.", need)
	}
}
