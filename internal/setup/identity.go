package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/peer"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store/apikeys"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// The values of --auth. Auto, of cmd/eventio only, is Trusted on a loopback address before which
// no proxy is named, and Token elsewhere.
const (
	Auto    = "auto"
	Token   = "token"
	Trusted = "trusted"
)

// Keys is the flag that gives the keys.
type Keys struct {
	AuthKeys     string `name:"auth-keys" env:"EVENTIO_AUTH_KEYS" secret:"" placeholder:"KID:SECRET,..." help:"Keys that sign tokens, comma-separated kid:secret, each secret at least 32 bytes in base64url. The first signs, all verify. By default one is made and kept in the store, where all API processes find it. Use the variable: other users of the machine can see flags."`
	AuthKeysFile string `name:"auth-keys-file" env:"EVENTIO_AUTH_KEYS_FILE" placeholder:"FILE" help:"File with these keys."`
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
	TokenLifetime     time.Duration `env:"EVENTIO_TOKEN_LIFETIME" default:"1h" help:"How long a token is valid, at most 24h."`
	AdmissionKeys     string        `env:"EVENTIO_ADMISSION_KEYS" secret:"" placeholder:"KID:SECRET,..." help:"Keys of a gateway that admits people before they may register, comma-separated like those of --auth-keys. With them each registration needs an admission in the header Eventio-Admission. Use the variable: other users of the machine can see flags."`
	AdmissionKeysFile string        `env:"EVENTIO_ADMISSION_KEYS_FILE" placeholder:"FILE" help:"File with these keys."`
	Others
	Limits
	Gateways
	CORSOrigins []string `name:"cors-origins" env:"EVENTIO_CORS_ORIGINS" placeholder:"ORIGIN" help:"Other origins, like https://app.example.org, whose scripts may use the API with tokens. By default none."`
	CORSHeaders []string `name:"cors-headers" env:"EVENTIO_CORS_HEADERS" placeholder:"NAME" help:"Headers that these scripts may send, beside those that the API reads and those of tracing. * means all."`
}

// Access checks all flags for a process that serves at addr with this value of --auth, and
// warns of what is dangerous. Its errors match process.ErrUsage. The result has no guard yet:
// OpenGuard makes it.
func (i Identity) Access(auth string, addr net.Addr, log zerolog.Logger) (gate.Config, error) {
	access, err := i.place(auth, addr, log)
	if err != nil {
		return gate.Config{}, process.Usage("%v", err)
	}
	if err := i.apply(&access); err != nil {
		return gate.Config{}, err
	}
	if err := i.Others.check(&access); err != nil {
		return gate.Config{}, err
	}
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
	for _, text := range i.CORSOrigins {
		origin, err := parseOrigin(strings.TrimSpace(text))
		if err != nil {
			return gate.Config{}, process.Usage("--cors-origins: %v", err)
		}
		access.CORSOrigins = append(access.CORSOrigins, origin)
	}
	for _, text := range i.CORSHeaders {
		name := strings.TrimSpace(text)
		if !headerName.MatchString(name) {
			return gate.Config{}, process.Usage("--cors-headers: %s is not the name of a header, nor *", process.Quote(name))
		}
		access.CORSHeaders = append(access.CORSHeaders, name)
	}
	return access, nil
}

// place says who is believed for where they come from. Its error begins with the name of a flag.
func (i Identity) place(auth string, addr net.Addr, log zerolog.Logger) (access gate.Config, err error) {
	access.Mode = gate.Token
	if access.TrustedProxies, access.Hosts, err = i.Gateways.read(); err != nil {
		return gate.Config{}, err
	}
	alone := onLoopback(addr) && len(access.TrustedProxies) == 0
	if auth == Trusted || auth == Auto && alone {
		access.Mode = gate.Trusted
	}
	trusted := access.Mode == gate.Trusted
	access.Local = trusted && onLoopback(addr)
	if access.Local && auth == Auto {
		access.AnotherUser = peer.IsAnother
	}
	access.RateLimits = i.RateLimits == "on" || i.RateLimits != "off" && !(trusted && alone)
	switch {
	case trusted && !access.Local:
		log.Warn().Str("addr", addr.String()).Msg("EVENTIO_AUTH=trusted on an address that others can reach: whoever can, " +
			"may act as any user and read every list of registrations, without a token. Let nobody but a gateway " +
			"that knows its users reach it, or use EVENTIO_AUTH=token")
	case trusted && !alone:
		log.Warn().Str("addr", addr.String()).Msg("EVENTIO_AUTH=trusted behind EVENTIO_TRUSTED_PROXIES: whoever the proxy lets through " +
			"may act as any user and read every list of registrations, without a token. Let the proxy be a gateway " +
			"that knows its users, and name its hosts in EVENTIO_HOSTS, or use EVENTIO_AUTH=token")
	case auth == Auto && !trusted && onLoopback(addr):
		log.Info().Msg("EVENTIO_AUTH=auto means token here, because EVENTIO_TRUSTED_PROXIES names a proxy")
	}
	return access, nil
}

// Base is what a gate asks. It stays the caller's.
type Base struct {
	Store interface {
		identity.Store
		foreign.Identities
	}
	Link messages.Link
	Log  zerolog.Logger
}

// OpenGuard adds to a configuration the guard that signs and checks tokens, and whatever believes the
// proofs of others. The caller ends it, after the last request, and before the store and the link's connection.
func (i Identity) OpenGuard(ctx context.Context, access *gate.Config, base Base) (end func(), err error) {
	config := identity.Config{Lifetime: i.TokenLifetime, Log: base.Log}
	if config.Keys, err = i.Parse(); err != nil {
		return nil, err
	}
	endOthers, err := i.Others.believe(access, &config, base.Store, base.Log)
	if err != nil {
		return nil, err
	}
	if access.Guard, err = identity.Open(ctx, base.Store, base.Link, config); err != nil {
		endOthers()
		return nil, err
	}
	return func() {
		access.Guard.Close()
		endOthers()
	}, nil
}

// OpenAPIKeys makes what believes keys of programs. The caller closes it, before st.
func (i Identity) OpenAPIKeys(ctx context.Context, st apikeys.Store, log zerolog.Logger) (*identity.APIKeys, error) {
	return identity.OpenAPIKeys(ctx, st, identity.Config{Log: log})
}

// AuthOf returns the value of --auth that stands for a mode.
func AuthOf(mode gate.Mode) string {
	if mode == gate.Trusted {
		return Trusted
	}
	return Token
}

// headerName matches the name of a header (RFC 9110, section 5.6.2), which * is too.
var headerName = regexp.MustCompile("^[-!#$%&'*+.^_`|~0-9A-Za-z]+$")

var errOrigin = errors.New("is not an origin like https://app.example.org")

func parseOrigin(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		text != u.Scheme+"://"+u.Host || text != strings.ToLower(text) || strings.Contains(text, "*") {
		return nil, fmt.Errorf("%s %w", process.Quote(text), errOrigin)
	}
	return u, nil
}
