package gate

import (
	"net/http"
	"net/netip"
	"time"
)

// Rates are the rate limits. One of them that is zero limits nothing.
type Rates struct {
	// Requests bounds everything without a limit of its own, by address or person. It is
	// generous: a whole campus may come from one address.
	Requests Rate
	// Registrations bounds changes of registrations by one person: far above what a person does
	// and far below a bot.
	Registrations Rate
	// Passwords bounds log-ins, sign-ups and changes of passwords together, by address.
	Passwords Rate
	// PasswordsPerAccount bounds them for one account from one address. It counts the two
	// together so that a stranger locks nobody out but themself.
	PasswordsPerAccount Rate
}

// DefaultRates returns the limits that docs/operations.md lists.
func DefaultRates() Rates {
	return Rates{
		Requests: Rate{6000, time.Minute}, Registrations: Rate{120, time.Minute},
		Passwords: Rate{60, time.Minute}, PasswordsPerAccount: Rate{10, time.Minute},
	}
}

// Crowds are networks of which it is known that many people share an address: a school, a company, an
// operator of mobile phones.
type Crowds struct {
	Networks []netip.Prefix
	// Factor is how many times as many requests as others may come from one of their addresses.
	// What counts for a person or for an account stays. Below 1 means 1.
	Factor int
}

// limits has a counter for each of Rates.
type limits struct {
	requests, registrations, passwords, account *counter
	crowds                                      Crowds
}

func newLimits(r Rates, crowds Crowds) *limits {
	return &limits{
		requests: newCounter("requests", r.Requests), registrations: newCounter("registrations", r.Registrations),
		passwords: newCounter("logins", r.Passwords), account: newCounter("account", r.PasswordsPerAccount),
		crowds: crowds,
	}
}

// Limit says what the requests of a route count against.
type Limit int

// The limits that a route can have. The zero value is none of them.
const (
	_ Limit = iota
	// Unlimited is for probes, which are answered whatever else goes on.
	Unlimited
	// RequestsPerAddress counts by the client's address.
	RequestsPerAddress
	// RequestsPerPerson counts by the person whom a token proves, since everybody on a campus
	// behind one address may look up their own registration at once; anybody else by address.
	RequestsPerPerson
	// RegistrationsPerPerson counts changes of registrations by the person whom a token proves, far
	// below what one may read. Anybody else counts by address, like all their other requests.
	RegistrationsPerPerson
	// PasswordsPerAddress counts uses of passwords by address. The handler also counts the
	// account, which only the body tells, with Gate.CountAccount.
	PasswordsPerAddress
)

// Charge counts a request that was admitted as so many more requests, because of what it costs. A
// limit below that is used up by it. It fails with the problem RateLimited.
func (g *Gate) Charge(w http.ResponseWriter, r *http.Request, l Limit, who Caller, more int) error {
	if more <= 0 {
		return nil
	}
	return g.count(w, r, l, who, more)
}

// CountAsReads counts a change of a registration that was admitted as so many reads instead: it came before it could change
// anything. It fails with the problem RateLimited when these are used up; then it counts as the change, too, so that the next ones
// are not even admitted.
func (g *Gate) CountAsReads(w http.ResponseWriter, r *http.Request, l Limit, who Caller, cost int) error {
	if g.limits == nil || l != RegistrationsPerPerson || !who.Proven {
		return nil // it is among them
	}
	if err := g.count(w, r, RequestsPerPerson, who, cost); err != nil {
		return err
	}
	g.limits.registrations.giveBack(w, person(who))
	return nil
}

// person returns what limits count somebody by who was proven.
func person(who Caller) string { return "person " + string(who.ID[:]) }

// count counts n requests, and fails when the limit is used up.
func (g *Gate) count(w http.ResponseWriter, r *http.Request, l Limit, who Caller, n int) error {
	if g.limits == nil || l == Unlimited {
		return nil
	}
	byPerson := who.Proven && (l == RequestsPerPerson || l == RegistrationsPerPerson)
	if byPerson {
		limiter := g.limits.requests
		if l == RegistrationsPerPerson {
			limiter = g.limits.registrations
		}
		return limiter.pass(w, person(who), n, 1)
	}
	limiter := g.limits.requests
	if l == PasswordsPerAddress {
		limiter = g.limits.passwords
	}
	return limiter.pass(w, g.clientAddress(r), n, g.crowd(r))
}

// CountAccount counts a use of a password for an account from the client's address. It fails with
// the problem RateLimited.
func (g *Gate) CountAccount(w http.ResponseWriter, r *http.Request, account string) error {
	if g.limits == nil {
		return nil
	}
	return g.limits.account.pass(w, g.clientAddress(r)+" "+account, 1, 1)
}

// Factor returns how many times as much as another client a request's client may have of what is bounded
// for each address; 0: nothing is bounded for an address.
func (g *Gate) Factor(r *http.Request) int {
	if g.limits == nil {
		return 0
	}
	return g.crowd(r)
}

// crowd returns how many times as many requests as from another address may come from a client's.
func (g *Gate) crowd(r *http.Request) int {
	client := g.client(r).Client
	for _, network := range g.limits.crowds.Networks {
		if network.Contains(client) {
			return g.limits.crowds.Factor
		}
	}
	return 1
}

// Address returns what limits count a request's client by, for the log.
func (g *Gate) Address(r *http.Request) string { return g.clientAddress(r) }

// clientAddress returns what limits count by: an IPv4 address, or the /64 of an IPv6 address,
// since a client has all of that. Where a trusted proxy names nobody, that is said with the
// proxy's address.
func (g *Gate) clientAddress(r *http.Request) string {
	o := g.client(r)
	switch {
	case o.Client.Is6():
		return netip.PrefixFrom(o.Client, 64).Masked().Addr().String()
	case !o.Client.IsValid() && !o.Via.IsValid(): // the connection has no address
		return r.RemoteAddr
	}
	return o.Key()
}
