package setup

import (
	"net/http"
	"slices"
	"strings"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/identity/oidc"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// Others are the flags about who else than Event.io says who somebody is.
type Others struct {
	OIDCIssuer   []string `name:"oidc-issuer" env:"EVENTIO_OIDC_ISSUER" placeholder:"URL" help:"Issuers whose tokens (OpenID Connect, or access tokens that are JWTs) are believed beside those of Event.io: their URLs as they stand in iss. By default none."`
	OIDCAudience []string `name:"oidc-audience" env:"EVENTIO_OIDC_AUDIENCE" placeholder:"NAME" help:"The names of this service at the issuers: a token must have one of them in aud. Required with --oidc-issuer."`

	IdentityHeader      string `env:"EVENTIO_IDENTITY_HEADER" placeholder:"NAME" help:"The header, like Eventio-User, in which the proxies of --trusted-proxies say who sends a request. They must take it from what their clients send. By default none."`
	IdentityEmailHeader string `env:"EVENTIO_IDENTITY_EMAIL_HEADER" placeholder:"NAME" help:"The header in which they tell that person's e-mail address, which they know to be theirs. By default none."`
	IdentityNameHeader  string `env:"EVENTIO_IDENTITY_NAME_HEADER" placeholder:"NAME" help:"The header in which they tell that person's name. By default none."`
}

// any reports whether somebody else is believed.
func (o Others) any() bool { return len(o.OIDCIssuer) > 0 || o.IdentityHeader != "" }

// believe adds to a gate's configuration who else is believed, and to a guard's what it must know for that. people
// is where they are noted. What it starts ends by the result, after the last request. Its
// errors match process.ErrUsage.
func (o Others) believe(access *gate.Config, guard *identity.Config, people foreign.Identities, log zerolog.Logger) (end func(), err error) {
	if !o.any() {
		return func() {}, nil
	}
	endProver := func() {}
	if len(o.OIDCIssuer) > 0 {
		prover, err := oidc.New(oidc.Config{Issuers: trimmed(o.OIDCIssuer), Audiences: trimmed(o.OIDCAudience), Log: log})
		if err != nil {
			return nil, process.Usage("--oidc-issuer: %v", err)
		}
		access.Provers = append(access.Provers, prover)
		endProver = prover.Close
	}
	noter := identity.NewNoter(people, log)
	guard.Others, guard.Noter = people, noter
	return func() {
		endProver()
		noter.Close()
	}, nil
}

// check looks at the flags before anything is opened, and adds the headers to a gate's configuration.
func (o Others) check(access *gate.Config) error {
	if len(o.OIDCIssuer) > 0 {
		if len(o.OIDCAudience) == 0 {
			return process.Usage("--oidc-issuer: it needs --oidc-audience, or tokens for other services would count here")
		}
		if err := oidc.Check(oidc.Config{Issuers: trimmed(o.OIDCIssuer), Audiences: trimmed(o.OIDCAudience)}); err != nil {
			return process.Usage("--oidc-issuer: %v", err)
		}
	} else if len(o.OIDCAudience) > 0 {
		return process.Usage("--oidc-audience: it needs --oidc-issuer")
	}
	return o.checkHeaders(access)
}

func (o Others) checkHeaders(access *gate.Config) error {
	given := make(map[string]bool)
	for _, h := range []struct {
		flag, name string
		to         *string
	}{
		{"--identity-header", o.IdentityHeader, &access.Identity.ID},
		{"--identity-email-header", o.IdentityEmailHeader, &access.Identity.Email},
		{"--identity-name-header", o.IdentityNameHeader, &access.Identity.Name},
	} {
		if h.name == "" {
			continue
		}
		name := http.CanonicalHeaderKey(strings.TrimSpace(h.name))
		switch {
		case !headerName.MatchString(name) || name == "*":
			return process.Usage("%s: %s is not the name of a header", h.flag, process.Quote(name))
		case slices.Contains(taken(), name) || strings.HasPrefix(name, "X-Forwarded-F") || strings.HasPrefix(name, "Sec-") || strings.HasPrefix(name, "Access-Control-"):
			return process.Usage("%s: %s says something else already; take a name like Eventio-User", h.flag, process.Quote(name))
		case given[name]:
			return process.Usage("%s: %s is named twice", h.flag, process.Quote(name))
		case access.Identity.ID == "" && h.to != &access.Identity.ID:
			return process.Usage("%s: it needs --identity-header", h.flag)
		}
		given[name], *h.to = true, name
	}
	if access.Identity.ID == "" {
		return nil
	}
	for _, network := range access.TrustedProxies {
		if network.Bits() == 0 {
			return process.Usage("--identity-header: --trusted-proxies names the whole internet, so anybody could be anybody; name the gateway's own network")
		}
	}
	switch {
	case len(access.TrustedProxies) == 0:
		return process.Usage("--identity-header: it needs --trusted-proxies, the network of the gateway that sends it; nobody else is believed")
	case access.Mode == gate.Trusted:
		return process.Usage("--identity-header: it needs --auth=token, or whoever comes without it is believed whatever they say")
	}
	return nil
}

// taken returns headers that mean something else.
func taken() []string {
	return []string{
		"Authorization", "Cookie", "Host", "Origin", "Referer", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Accept",
		"Accept-Encoding", "Accept-Language", "User-Agent", "Forwarded", "X-Real-Ip", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix",
		"Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-Id", "Prefer", "Range", "X-Request-Id", gate.HeaderAdmission,
	}
}

func trimmed(texts []string) (all []string) {
	for _, text := range texts {
		all = append(all, strings.TrimSpace(text))
	}
	return all
}
