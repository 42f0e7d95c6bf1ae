// Package access is what the processes that serve the API are told about who may do what:
// flags, their meaning, and the warnings at the start.
package access

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// The values of --auth. Auto is that of cmd/eventio only.
const (
	Auto    = "auto"
	Token   = "token"
	Trusted = "trusted"
)

// Keys is the part of a command line that has the keys.
type Keys struct {
	AuthKeys string `name:"auth-keys" env:"EVENTIO_AUTH_KEYS" placeholder:"KID:SECRET,..." help:"Keys that sign tokens, comma-separated kid:secret, each secret at least 32 bytes in base64url. The first signs, all verify. By default one is made and kept in the store, where all API processes find it. Use the variable: other users of the machine can see flags."`
}

// Parse reads the keys. None is no error, and an empty result.
func (k Keys) Parse() (identity.Keys, error) {
	if k.AuthKeys == "" {
		return identity.Keys{}, nil
	}
	keys, err := identity.ParseKeys(k.AuthKeys)
	if err != nil {
		return identity.Keys{}, fmt.Errorf("EVENTIO_AUTH_KEYS: %w", err)
	}
	return keys, nil
}

// Flags is the part of a command line that says who may do what, but for --auth, whose
// default is each program's own.
type Flags struct {
	Keys
	TokenLifetime  time.Duration `env:"EVENTIO_TOKEN_LIFETIME" default:"1h" help:"How long a token is valid, at most 24h."`
	RateLimits     string        `env:"EVENTIO_RATE_LIMITS" enum:"auto,on,off" default:"auto" help:"on, off or auto: on, but off in trusted mode on a loopback address."`
	TrustedProxies []string      `env:"EVENTIO_TRUSTED_PROXIES" placeholder:"CIDR" help:"Networks of the proxies that are believed when they say in X-Forwarded-For and X-Forwarded-Proto who the client is and how it came. By default nobody is."`
	CORSOrigins    []string      `name:"cors-origins" env:"EVENTIO_CORS_ORIGINS" placeholder:"ORIGIN" help:"Other origins, like https://app.example.org, whose scripts may use the API with tokens. By default none."`
}

// Settings is what Flags and --auth mean at one address.
type Settings struct {
	access api.Access
	config identity.Config
}

// Resolve checks the flags for a process that serves at addr, and warns of what is
// dangerous.
func (f Flags) Resolve(auth string, addr net.Addr, log zerolog.Logger) (Settings, error) {
	var s Settings
	loopback := onLoopback(addr)
	switch {
	case auth == Trusted, auth == Auto && loopback:
		s.access.Mode = api.Trusted
	default:
		s.access.Mode = api.Token
	}
	trusted := s.access.Mode == api.Trusted
	if trusted && !loopback {
		log.Warn().Str("addr", addr.String()).Msg("EVENTIO_AUTH=trusted on an address that others can reach: whoever can, " +
			"may act as any user and read every list of registrations, without a token. Let nobody but a gateway " +
			"that knows its users reach it, or use EVENTIO_AUTH=token")
	}
	s.access.RateLimits = f.RateLimits == "on" || f.RateLimits != "off" && !(trusted && loopback)
	keys, err := f.Parse()
	if err != nil {
		return Settings{}, err
	}
	if f.TokenLifetime < time.Second || f.TokenLifetime > identity.MaxLifetime {
		return Settings{}, fmt.Errorf("EVENTIO_TOKEN_LIFETIME: %v is not from 1s to %v", f.TokenLifetime, identity.MaxLifetime)
	}
	for _, text := range f.TrustedProxies {
		prefix, err := parsePrefix(strings.TrimSpace(text))
		if err != nil {
			return Settings{}, fmt.Errorf("EVENTIO_TRUSTED_PROXIES: %w", err)
		}
		s.access.TrustedProxies = append(s.access.TrustedProxies, prefix)
	}
	for _, text := range f.CORSOrigins {
		origin, err := parseOrigin(strings.TrimSpace(text))
		if err != nil {
			return Settings{}, fmt.Errorf("EVENTIO_CORS_ORIGINS: %w", err)
		}
		s.access.CORSOrigins = append(s.access.CORSOrigins, origin)
	}
	s.config = identity.Config{Keys: keys, Lifetime: f.TokenLifetime, Log: log}
	return s, nil
}

// TrustedSettings is trusted mode without limits, for a process on a loopback address that
// nobody has told anything.
func TrustedSettings(log zerolog.Logger) Settings {
	return Settings{access: api.Access{Mode: api.Trusted}, config: identity.Config{Log: log}}
}

// Open makes the guard, which the caller closes.
func (s Settings) Open(ctx context.Context, st store.Identity, link messages.Link) (api.Access, error) {
	guard, err := identity.Open(ctx, st, link, s.config)
	if err != nil {
		return api.Access{}, err
	}
	access := s.access
	access.Guard = guard
	return access, nil
}

// Mode is the mode in words.
func (s Settings) Mode() string {
	if s.access.Mode == api.Trusted {
		return Trusted
	}
	return Token
}

func onLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// parsePrefix reads a network, or one address.
func parsePrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network like 10.0.0.0/8", text)
	}
	return prefix.Masked(), nil
}

var errOrigin = errors.New("is not an origin like https://app.example.org")

func parseOrigin(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		text != u.Scheme+"://"+u.Host || text != strings.ToLower(text) || strings.Contains(text, "*") {
		return nil, fmt.Errorf("%q %w", text, errOrigin)
	}
	return u, nil
}
