package forwarded

import (
	"iter"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// hop is what one header says of one hop.
type hop struct {
	header, text string
	address      netip.Addr
	ok           bool // it is an address
}

// walk sets the client. It returns how many hops from the right the client was named: 0 is the hop that
// the peer named.
func (o *Origin) walk(h http.Header, elements elements, trusted []netip.Prefix) int {
	chains := [][]hop{addresses(h), elements.hops()}
	if chains[0] == nil && chains[1] == nil {
		chains[0] = realIP(h)
	}
	for i := 0; ; i++ {
		var said []hop
		for _, chain := range chains {
			if i < len(chain) {
				said = append(said, chain[i])
			}
		}
		if len(said) == 0 {
			if i == 0 {
				o.unread(headerFor, "")
			}
			o.Client = o.Via // all are gateways: who uses one from among them is the last
			return i
		}
		if slices.ContainsFunc(said, func(h hop) bool { return !h.ok || h.address != said[0].address }) {
			for _, h := range said {
				if !h.ok || len(said) > 1 {
					o.unread(h.header, h.text)
				}
			}
			o.Client = netip.Addr{}
			return i
		}
		o.Client = said[0].address
		if !contains(trusted, o.Client) {
			return i
		}
		o.Via = o.Client
	}
}

// addresses returns the hops of X-Forwarded-For from the right.
func addresses(h http.Header) []hop {
	var hops []hop
	for text := range values(h[headerFor]) {
		address, ok := parseNode(strings.Trim(text, `"`))
		hops = append(hops, hop{headerFor, text, address, ok})
	}
	slices.Reverse(hops)
	return hops
}

// realIP returns the only hop of X-Real-IP: of its last line, since the nearest gateway adds that.
func realIP(h http.Header) []hop {
	lines := h[headerRealIP]
	if len(lines) == 0 {
		return nil
	}
	text := strings.TrimSpace(lines[len(lines)-1])
	address, ok := parseNode(text)
	return []hop{{headerRealIP, text, address, ok}}
}

// values returns the elements of a list header, in order, over all its lines. Empty ones do not
// count (RFC 9110, section 5.6.1).
func values(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for value := range strings.SplitSeq(line, ",") {
				if value = strings.TrimSpace(value); value != "" && !yield(value) {
					return
				}
			}
		}
	}
}

// first returns the first element of a list header.
func first(lines []string) (value string, ok bool) {
	for value := range values(lines) {
		return value, true
	}
	return "", false
}

// parseNode reads an address as gateways write it: alone or with a port, an IPv6 address with or without
// brackets, a port that is hidden (RFC 7239, section 6). Nobody's address, 0.0.0.0, is none.
func parseNode(text string) (netip.Addr, bool) {
	if colon := strings.LastIndex(text, ":_"); colon > 0 {
		text = text[:colon]
	}
	var address netip.Addr
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		address = withPort.Addr()
	} else {
		inside, bracket := strings.CutPrefix(text, "[")
		if bracket {
			if inside, bracket = strings.CutSuffix(inside, "]"); !bracket {
				return netip.Addr{}, false
			}
		}
		if address, err = netip.ParseAddr(inside); err != nil || bracket && address.Is4() {
			return netip.Addr{}, false
		}
	}
	address = address.WithZone("").Unmap()
	return address, !address.IsUnspecified()
}

func contains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(address) })
}
