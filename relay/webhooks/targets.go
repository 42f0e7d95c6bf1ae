package webhooks

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Targets says which addresses may be called. The zero value allows https to public addresses.
type Targets struct {
	// HTTP allows http too, without encryption.
	HTTP bool
	// Allowed are networks that may be called although they are not public.
	Allowed []netip.Prefix
	// Roots are the authorities that are believed about receivers; nil: the system's.
	Roots *x509.CertPool
}

// MaxURL is the longest URL of a webhook, in bytes.
const MaxURL = 2000

// CheckURL returns why a URL cannot be that of a webhook, for its owner, or nil. A name in it may still
// lead to an address that must not be called: that is seen when it is dialled.
func (t Targets) CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > MaxURL:
		return fmt.Errorf("must have at most %d bytes", MaxURL)
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return errors.New("must be a URL like https://example.org/hook")
	case u.Scheme != "https" && !(t.HTTP && u.Scheme == "http"):
		return errors.New("must begin with https://")
	case u.User != nil:
		return errors.New("must not have a user or a password: calls are signed")
	case u.Fragment != "":
		return errors.New("must not have a fragment (#)")
	}
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); err == nil && t.guardian().safe(ip) != nil {
		return errPrivate
	}
	if name := strings.TrimSuffix(strings.ToLower(host), "."); (name == "localhost" || strings.HasSuffix(name, ".localhost")) && len(t.Allowed) == 0 {
		return errPrivate
	}
	return nil
}

// errPrivate is what the owner of a webhook is told, and nothing more exact: an answer must not tell
// what is in the network of the service.
var errPrivate = errors.New("must lead to a public address")

// guard judges addresses.
type guard struct{ *ssrf.Guardian }

// guardian makes the judge of addresses. It is made of the registries of IANA: nothing that is not
// global unicast may be called, so neither what is private, loopback, link-local, shared (CGNAT) or
// multicast, nor IPv4 inside of IPv6.
func (t Targets) guardian() guard {
	var v4, v6 []netip.Prefix
	for _, p := range t.Allowed {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	return guard{ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))}
}

// safe returns why an address must not be called. An IPv4 address that is written as one of IPv6 counts
// as what it is.
func (g guard) safe(ip netip.Addr) error { return g.SafeAddr(ip.Unmap().WithZone("")) }

// control is called with the address that is about to be dialled, after all names are resolved, so that
// a name which changes its address in between does not help.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err == nil && !strings.HasPrefix(network, "tcp") {
		err = net.UnknownNetworkError(network)
	}
	if err == nil {
		err = g.safe(at.Addr())
	}
	if err != nil {
		return errors.Join(errForbidden, err)
	}
	return nil
}

// errForbidden means that an address must not be called.
var errForbidden = errors.New("the address is not public")

const (
	// maxHeader bounds the header of an answer, in bytes.
	maxHeader = 32 << 10
	// keptAnswer is how much of an answer is read, in bytes.
	keptAnswer = 1 << 10
	// idle is how long a connection is kept for the next call.
	idle = 30 * time.Second
)

// client makes the HTTP client of all calls. It follows no redirects, asks no proxy (which would dial in
// its place), and ends every call after limit.
func (t Targets) client(limit time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: limit, Control: t.guardian().control}
	transport := &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: t.Roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns: 256, MaxIdleConnsPerHost: 2, IdleConnTimeout: idle, TLSHandshakeTimeout: limit,
	}
	if !t.HTTP {
		// Also for webhooks from a time when it was allowed: their URLs are checked when they are made only.
		transport.RegisterProtocol("http", refusal{})
	}
	return &http.Client{
		Timeout:       limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     transport,
	}
}

// refusal makes no call.
type refusal struct{}

func (refusal) RoundTrip(*http.Request) (*http.Response, error) { return nil, errPlain }

// errPlain means that a call would not be encrypted.
var errPlain = errors.New("calls that are not encrypted are not allowed")
