package setup

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

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/messages"
)

// The values of --auth. Auto, of cmd/eventio only, is Trusted on a loopback address and
// Token elsewhere.
const (
	Auto    = "auto"
	Token   = "token"
	Trusted = "trusted"
)

// Keys is the flag that gives the keys.
type Keys struct {
	AuthKeys string `name:"auth-keys" env:"EVENTIO_AUTH_KEYS" placeholder:"KID:SECRET,..." help:"Keys that sign tokens, comma-separated kid:secret, each secret at least 32 bytes in base64url. The first signs, all verify. By default one is made and kept in the store, where all API processes find it. Use the variable: other users of the machine can see flags."`
}

// Parse reads the keys; no keys are an empty result, not an error. Its errors match
// process.ErrUsage and have no secret.
func (k Keys) Parse() (identity.Keys, error) {
	if k.AuthKeys == "" {
		return identity.Keys{}, nil
	}
	keys, err := identity.ParseKeys(k.AuthKeys)
	if err != nil {
		return identity.Keys{}, process.Usage("--auth-keys: %v", err)
	}
	return keys, nil
}

// Identity are the flags that say who may do what, except for --auth, whose default is each
// command's own. The zero value signs tokens of the default lifetime with the key in the
// store.
type Identity struct {
	Keys
	TokenLifetime  time.Duration `env:"EVENTIO_TOKEN_LIFETIME" default:"1h" help:"How long a token is valid, at most 24h."`
	AdmissionKeys  string        `env:"EVENTIO_ADMISSION_KEYS" placeholder:"KID:SECRET,..." help:"Keys of a gateway that admits people before they may register, comma-separated like those of --auth-keys. With them each registration needs an admission in the header Eventio-Admission. Use the variable: other users of the machine can see flags."`
	RateLimits     string        `env:"EVENTIO_RATE_LIMITS" enum:"auto,on,off" default:"auto" help:"on, off or auto: on, but off in trusted mode on a loopback address."`
	TrustedProxies []string      `env:"EVENTIO_TRUSTED_PROXIES" placeholder:"CIDR" help:"Networks of the proxies that are believed when they say in X-Forwarded-For and X-Forwarded-Proto who the client is and how it came. By default nobody is."`
	CORSOrigins    []string      `name:"cors-origins" env:"EVENTIO_CORS_ORIGINS" placeholder:"ORIGIN" help:"Other origins, like https://app.example.org, whose scripts may use the API with tokens. By default none."`
}

// Access checks all flags for a process that serves at addr with this value of --auth, and
// warns of what is dangerous. Its errors match process.ErrUsage. The result has no guard yet:
// OpenGuard makes it.
func (i Identity) Access(auth string, addr net.Addr, log zerolog.Logger) (gate.Config, error) {
	loopback := onLoopback(addr)
	access := gate.Config{Mode: gate.Token}
	if auth == Trusted || auth == Auto && loopback {
		access.Mode = gate.Trusted
	}
	trusted := access.Mode == gate.Trusted
	if trusted && !loopback {
		log.Warn().Str("addr", addr.String()).Msg("EVENTIO_AUTH=trusted on an address that others can reach: whoever can, " +
			"may act as any user and read every list of registrations, without a token. Let nobody but a gateway " +
			"that knows its users reach it, or use EVENTIO_AUTH=token")
	}
	access.RateLimits = i.RateLimits == "on" || i.RateLimits != "off" && !(trusted && loopback)
	if _, err := i.Parse(); err != nil {
		return gate.Config{}, err
	}
	if i.AdmissionKeys != "" {
		keys, err := identity.ParseKeys(i.AdmissionKeys)
		if err != nil {
			return gate.Config{}, process.Usage("--admission-keys: %v", err)
		}
		access.Admissions = identity.NewAdmissions(keys, time.Now)
	}
	if i.TokenLifetime < time.Second || i.TokenLifetime > identity.MaxLifetime {
		return gate.Config{}, process.Usage("--token-lifetime: %v is not from 1s to %v", i.TokenLifetime, identity.MaxLifetime)
	}
	for _, text := range i.TrustedProxies {
		prefix, err := parsePrefix(strings.TrimSpace(text))
		if err != nil {
			return gate.Config{}, process.Usage("--trusted-proxies: %v", err)
		}
		access.TrustedProxies = append(access.TrustedProxies, prefix)
	}
	for _, text := range i.CORSOrigins {
		origin, err := parseOrigin(strings.TrimSpace(text))
		if err != nil {
			return gate.Config{}, process.Usage("--cors-origins: %v", err)
		}
		access.CORSOrigins = append(access.CORSOrigins, origin)
	}
	return access, nil
}

// OpenGuard makes the guard that signs and checks tokens. The caller closes it, before st
// and the link's connection.
func (i Identity) OpenGuard(ctx context.Context, st identity.Store, link messages.Link, log zerolog.Logger) (*identity.Guard, error) {
	keys, err := i.Parse()
	if err != nil {
		return nil, err
	}
	return identity.Open(ctx, st, link, identity.Config{Keys: keys, Lifetime: i.TokenLifetime, Log: log})
}

// AuthOf returns the value of --auth that stands for a mode.
func AuthOf(mode gate.Mode) string {
	if mode == gate.Trusted {
		return Trusted
	}
	return Token
}

func onLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
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

var errOrigin = errors.New("is not an origin like https://app.example.org")

func parseOrigin(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		text != u.Scheme+"://"+u.Host || text != strings.ToLower(text) || strings.Contains(text, "*") {
		return nil, fmt.Errorf("%s %w", process.Quote(text), errOrigin)
	}
	return u, nil
}
