package fairqueue

import (
	"net/netip"

	"github.com/eventio/eventio/pkg/store"
)

// The lengths of the prefixes that Network cuts addresses to, in bits: the smallest blocks
// that are routed on the internet, so that whoever has many addresses of one block is one
// party.
const (
	ipv4Bits = 24
	ipv6Bits = 48
)

// Network returns the network that an address is counted with: the /24 of an IPv4 address,
// also when it is mapped into IPv6, and the /48 of an IPv6 address. All invalid addresses
// share the zero prefix.
func Network(address netip.Addr) netip.Prefix {
	address = address.Unmap()
	bits := ipv6Bits
	if address.Is4() {
		bits = ipv4Bits
	}
	prefix, err := address.Prefix(bits)
	if err != nil { // only an invalid address has none
		return netip.Prefix{}
	}
	return prefix
}

// Party is who takes turns with others: a network of strangers, or the account of somebody
// who is known. Parties can be compared and be keys of maps. The zero value is the strangers
// whose address is invalid.
type Party struct {
	known   bool
	network netip.Prefix
	account store.ID
}

// Stranger returns the party of a caller who has proven nothing: the network of the address.
func Stranger(address netip.Addr) Party { return Party{network: Network(address)} }

// Known returns the party of a caller who has proven to have logged in to an account before.
func Known(account store.ID) Party { return Party{known: true, account: account} }

// lane returns the index of the party's lane.
func (p Party) lane() int {
	if p.known {
		return 1
	}
	return 0
}
