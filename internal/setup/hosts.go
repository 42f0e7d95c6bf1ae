package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/forwarded"
	"github.com/eventio/eventio/internal/peer"
	"github.com/eventio/eventio/internal/process"
)

// Gateways are the flags about what stands before a process, and by which names it is called.
type Gateways struct {
	TrustedProxies []string `env:"EVENTIO_TRUSTED_PROXIES" placeholder:"CIDR" help:"Networks of the proxies that are believed when they say who the client is and by which URL it came: in X-Forwarded-For, -Proto, -Host, -Port, -Prefix, X-Real-IP or Forwarded. By default nobody is."`
	Hosts          []string `env:"EVENTIO_HOSTS" placeholder:"NAME" help:"Names beside localhost by which a process in trusted mode is called. On a loopback address it answers to no others; elsewhere it answers to all until one is given here."`
}

// read reads the flags. Its error begins with the name of the flag.
func (g Gateways) read() (proxies []netip.Prefix, hosts []string, err error) {
	for _, text := range g.TrustedProxies {
		prefix, err := parsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, nil, fmt.Errorf("--trusted-proxies: %w", err)
		}
		proxies = append(proxies, prefix)
	}
	for _, text := range g.Hosts {
		host, err := parseHost(strings.TrimSpace(text))
		if err != nil {
			return nil, nil, fmt.Errorf("--hosts: %w", err)
		}
		hosts = append(hosts, host)
	}
	return proxies, hosts, nil
}

// parsePrefix reads a network like 10.0.0.0/8, or one address.
func parsePrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%s is not a network like 10.0.0.0/8", process.Quote(text))
	}
	return prefix.Masked(), nil
}

var errHost = errors.New("is not the name of a host like tickets.example.org, without a scheme, a port or a *")

// parseHost reads the name of a host, or an address.
func parseHost(text string) (string, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		text = address.Unmap().String()
		if address.Unmap().Is6() {
			text = "[" + text + "]"
		}
	}
	host, ok := forwarded.HostOf(text)
	if _, _, err := net.SplitHostPort(text); !ok || err == nil {
		return "", fmt.Errorf("%s %w", process.Quote(text), errHost)
	}
	return strings.TrimSuffix(host, "."), nil
}

// ConnContext returns what a server asks about each connection for a gate with this configuration, or
// nil: nothing.
func ConnContext(access gate.Config, log zerolog.Logger) func(context.Context, net.Conn) context.Context {
	if access.AnotherUser == nil {
		return nil
	}
	if !peer.Works() {
		log.Debug().Msg("this system does not tell which user a connection is of: all users of the machine are believed")
		return nil
	}
	return peer.Context
}

func onLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
