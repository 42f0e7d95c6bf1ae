// Package forwarded reads what gateways say about the request that they hand on: who the client is,
// and by which URL it came. It believes the gateways that an operator has named, and nobody else.
//
// # What gateways send
//
// By their documents, without configuration where nothing is said:
//
//	nginx       nothing, and Host is the upstream's name. Its guides set X-Real-IP, X-Forwarded-For
//	            (appended, $proxy_add_x_forwarded_for), X-Forwarded-Proto, sometimes -Host and -Port
//	            (ngx_http_proxy_module, proxy_set_header)
//	HAProxy     nothing. "option forwardfor" adds a line X-Forwarded-For after those that are there;
//	            "option forwarded" Forwarded: proto=http;for=127.0.0.1, also with quotes, ports and
//	            _hidden names (Configuration Manual, 4.2; since 2.8)
//	Caddy       X-Forwarded-For, -Proto and -Host, those of clients dropped unless they are
//	            trusted_proxies; Host as it came (reverse_proxy, Defaults)
//	Apache      X-Forwarded-For, -Host and -Server, appended to those of clients; no scheme
//	            (mod_proxy, Reverse Proxy Request Headers)
//	Envoy       X-Forwarded-Proto, and with use_remote_address X-Forwarded-For, appended (HTTP header
//	            manipulation)
//	Traefik     X-Forwarded-For, -Proto (also ws and wss), -Host, -Port, -Server and X-Real-Ip, those of
//	            clients dropped unless they are trustedIPs; StripPrefix adds X-Forwarded-Prefix
//	AWS ALB     X-Forwarded-For, appended, with ports if so set; -Proto and -Port (HTTP headers and
//	            Application Load Balancers)
//	GCP         X-Forwarded-For: what came,CLIENT,LOAD-BALANCER and X-Forwarded-Proto; the balancer's own
//	            address must be trusted too (External Application Load Balancer overview)
//	Azure       Application Gateway: X-Forwarded-For with ports, X-Forwarded-Proto and -Port,
//	            X-Original-Host
//	Cloudflare  X-Forwarded-For, appended, X-Forwarded-Proto, CF-Connecting-IP (HTTP headers)
//
// # Which header counts
//
// A gateway writes one kind of header and hands the other kind on as a client sent it. Nothing in a
// request tells which is which. Hence:
//
// The client's address is looked for from the right, past the addresses of trusted gateways, since each
// has written what is left of its own. X-Forwarded-For and Forwarded are walked together: where both
// speak of a hop, they must agree, and where they contradict each other nobody is believed. So gateways
// behind one another must write the same kind.
// X-Real-IP is read when both are missing: it has no hops, so it says nothing more where one is there.
//
// The scheme, the host and the port are those of the outermost gateway: the first value of a list. A client
// that forges them deceives itself only, while reading the innermost would take the Secure of cookies away
// from everybody behind two gateways. X-Forwarded-Proto, -Host and -Port count before Forwarded.
//
// X-Forwarded-Ssl, X-Forwarded-Scheme, X-Original-Host, CF-Connecting-IP and others of one product are not
// read: each would be one more way in for clients of gateways that do not know it.
//
// # No library
//
// realclientip-go (v1.0.0, 2022) and chi's ClientIPFromXFF read one header that is chosen beforehand,
// and tell neither scheme nor host, nor what they did not understand. The parsers of RFC 7239 that there are
// have had no release for years or none at all.
package forwarded

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	headerFor    = "X-Forwarded-For"
	headerProto  = "X-Forwarded-Proto"
	headerHost   = "X-Forwarded-Host"
	headerPort   = "X-Forwarded-Port"
	headerPrefix = "X-Forwarded-Prefix"
	headerRealIP = "X-Real-Ip"
	standard     = "Forwarded"
)

// Origin is where a request came from, as far as we know.
type Origin struct {
	// Client is the address of who sent the request. It is invalid when a trusted gateway named
	// the client in a way that nobody can read, or contradicted itself. It is unmapped and has no zone.
	Client netip.Addr
	// Via is the innermost address from which the request was handed on without a doubt: of the peer, or
	// of a trusted gateway before it. It is Client when there is no gateway.
	Via netip.Addr
	// Scheme is http or https.
	Scheme string
	// Host is the name, in lower case, or the address by which the client called, an IPv6 address in
	// brackets. It is empty when it cannot be read.
	Host string
	// Called is the Host of the request itself, as Host, where whoever replaces that has noted it: a page can send what a gateway
	// says, but not another Host than its own.
	Called string
	// Port is the port by which the client called.
	Port uint16
	// Prefix is the path below which the gateway serves us, like /tickets, or empty. It has no slash
	// at its end.
	Prefix string
	// Unread is what trusted gateways sent and what was not understood. It is for the log: who counts
	// by Key counts all clients of such a gateway as one.
	Unread []Unread
}

// Unread is a header that was not understood.
type Unread struct {
	Header string
	// Value is what was sent, at most 200 bytes of it; empty when it is missing.
	Value string
}

// originKey is the key of an Origin in a context.
type originKey struct{}

// NewContext returns a context that knows where its request came from.
func NewContext(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// FromContext returns where a request came from, if its context knows that.
func FromContext(ctx context.Context) (o Origin, ok bool) {
	o, ok = ctx.Value(originKey{}).(Origin)
	return o, ok
}

// Key returns what limits count a client by: its IPv4 address, or the /64 of its IPv6 address, of which
// a client has all. Clients that nobody can tell apart share the key "unknown via GATEWAY". It is not the
// gateway's own, so that they are seen in logs, and do not use up what the gateway's own requests
// may. It is not the unread text either: a gateway may make up another one for each request (RFC 7239,
// section 6.3), which would be no limit at all.
func (o Origin) Key() string {
	switch {
	case !o.Client.IsValid():
		return "unknown via " + o.Via.String()
	case o.Client.Is4():
		return o.Client.String()
	}
	return netip.PrefixFrom(o.Client, 64).Masked().String()
}

// Authority returns host and port as browsers write them into Origin and Host: without the port that
// is the scheme's own.
func (o Origin) Authority() string {
	if o.Port == defaultPort(o.Scheme) {
		return o.Host
	}
	return o.Host + ":" + strconv.Itoa(int(o.Port))
}

// Any reports whether a request shows that it was handed on: by a header that gateways, tunnels and
// content delivery networks add, or as nginx does that has not been told to add any. A gateway can show
// nothing at all.
func Any(r *http.Request) bool { return Sign(r) != "" }

// Sign returns what shows that a request was handed on, or nothing.
func Sign(r *http.Request) string {
	for name, values := range r.Header {
		if len(values) > 0 && (signs[name] || slices.ContainsFunc(signPrefixes, func(p string) bool { return strings.HasPrefix(name, p) })) {
			return name
		}
	}
	// nginx speaks HTTP/1.0 up to version 1.29.6, unless told otherwise (proxy_http_version), and says that
	// it closes. Without a gateway nobody says so, because in 1.0 it goes without saying (RFC 9112, section 9.3).
	if r.ProtoMajor == 1 && r.ProtoMinor == 0 && strings.EqualFold(r.Header.Get("Connection"), "close") {
		return "HTTP/1.0 with Connection: close, as nginx speaks it"
	}
	return ""
}

// The headers of gateways, and how the names of others begin. Nothing changes them.
var (
	signs = map[string]bool{
		standard: true, "Via": true, "X-Client-Ip": true, "X-Cluster-Client-Ip": true, "True-Client-Ip": true, "Client-Ip": true,
		"X-Azure-Clientip": true, "X-Azure-Fdid": true, "X-Arr-Log-Id": true, "X-Arr-Ssl": true, "X-Appengine-User-Ip": true,
		"X-Scheme": true, "X-Url-Scheme": true, "Front-End-Https": true, "Cdn-Loop": true, "Incap-Client-Ip": true,
		"Proxy-Connection": true, "Proxy-Client-Ip": true, "Wl-Proxy-Client-Ip": true,
	}
	signPrefixes = []string{"X-Forwarded", "X-Original-", "X-Envoy-", "X-Real-", "X-Proxy", "Cf-", "Fastly-", "Fly-", "Tailscale-", "Ngrok-"}
)

// Trusts reports whether an address, with or without its port, is in one of the trusted networks.
func Trusts(trusted []netip.Prefix, address string) bool {
	peer, ok := parseNode(address)
	return ok && contains(trusted, peer)
}

// HostOf returns the host of HOST or HOST:PORT, in lower case, an IPv6 address in brackets. It is not ok,
// and empty, when the text is not that.
func HostOf(authority string) (host string, ok bool) {
	host, _, ok = splitAuthority(authority)
	return host, ok
}

// Read returns where a request came from. It looks at headers other than Host only if the peer is in one
// of the trusted networks, which are those of the gateways. It never fails, is pure, and is safe for
// concurrent use.
func Read(r *http.Request, trusted []netip.Prefix) Origin {
	o := Origin{Scheme: "http"}
	if r.TLS != nil {
		o.Scheme = "https"
	}
	o.Host, o.Port, _ = splitAuthority(r.Host)
	peer, known := parseNode(r.RemoteAddr)
	o.Client, o.Via = peer, peer
	if known && contains(trusted, peer) {
		elements := parseForwarded(r.Header[standard])
		element := elements.at(o.walk(r.Header, elements, trusted))
		o.readScheme(r.Header, element)
		o.readHost(r.Header, element)
		o.readPrefix(r.Header)
	}
	if o.Port == 0 {
		o.Port = defaultPort(o.Scheme)
	}
	return o
}

// Direct returns of Read, without a trusted network, what it says of the client: Client and Via.
func Direct(r *http.Request) Origin {
	peer, _ := parseNode(r.RemoteAddr)
	return Origin{Client: peer, Via: peer}
}

// readScheme sets the scheme.
func (o *Origin) readScheme(h http.Header, e element) {
	read := func(header, value string) string {
		switch strings.ToLower(value) {
		case "https", "wss":
			return "https"
		case "http", "ws":
			return "http"
		}
		o.unread(header, value)
		return ""
	}
	said := ""
	if value, ok := first(h[headerProto]); ok {
		said = read(headerProto, value)
	}
	if value, ok := e.get("proto"); ok {
		switch scheme := read(standard, value); {
		case said == "":
			said = scheme
		case scheme != "" && scheme != said:
			o.unread(standard, "proto="+value)
		}
	}
	if said != "" {
		o.Scheme = said
	}
}

// readHost sets host and port.
func (o *Origin) readHost(h http.Header, e element) {
	said := false
	if value, ok := first(h[headerHost]); ok {
		said = o.setHost(headerHost, value)
	}
	if value, ok := e.get("host"); ok {
		if !said {
			o.setHost(standard, value)
		} else if host, port, _ := splitAuthority(value); host != o.Host || port != o.Port {
			o.unread(standard, "host="+value)
		}
	}
	value, ok := first(h[headerPort])
	if !ok {
		return
	}
	switch port, err := strconv.ParseUint(value, 10, 16); {
	case err != nil || port == 0:
		o.unread(headerPort, value)
	case o.Port != 0: // the client wrote one into Host, which says it better
	case o.Scheme == "https" && port == 80 || o.Scheme == "http" && port == 443:
		// The port of another gateway than the one that told the scheme, behind which TLS had ended.
		o.unread(headerPort, value)
	default:
		o.Port = uint16(port)
	}
}

func (o *Origin) setHost(header, value string) bool {
	host, port, ok := splitAuthority(value)
	if !ok {
		o.unread(header, value)
		return false
	}
	o.Host, o.Port = host, port
	return true
}

// readPrefix sets the prefix. Gateways that each serve the next one below a path add one value each,
// the outermost first.
func (o *Origin) readPrefix(h http.Header) {
	var prefix strings.Builder
	for value := range values(h[headerPrefix]) {
		path := strings.TrimRight(value, "/")
		if path != "" && !isPath(path) {
			o.unread(headerPrefix, value)
			return
		}
		prefix.WriteString(path)
	}
	o.Prefix = prefix.String()
}

// isPath reports whether a text is a path of ordinary segments. It becomes part of headers and pages:
// //evil.example, ../ and quotes must not.
func isPath(text string) bool {
	rest, ok := strings.CutPrefix(text, "/")
	for segment := range strings.SplitSeq(rest, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, func(r rune) bool {
			return !isAlphanumeric(r) && !strings.ContainsRune("-._~", r)
		}) {
			return false
		}
	}
	return ok
}

// splitAuthority reads HOST or HOST:PORT. Without a port, the port is 0.
func splitAuthority(text string) (host string, port uint16, ok bool) {
	host = text
	if colon := strings.LastIndexByte(text, ':'); colon >= 0 && !strings.HasSuffix(text, "]") {
		number, err := strconv.ParseUint(text[colon+1:], 10, 16)
		if text[colon+1:] != "" && (err != nil || number == 0) {
			return "", 0, false
		}
		host, port = text[:colon], uint16(number)
	}
	if inside, ok := strings.CutPrefix(host, "["); ok {
		address, err := netip.ParseAddr(strings.TrimSuffix(inside, "]"))
		if err != nil || !address.Is6() || address.Zone() != "" || !strings.HasSuffix(inside, "]") {
			return "", 0, false
		}
		return "[" + address.String() + "]", port, true
	}
	const longest = 253 // RFC 1035, section 2.3.4, without the root's dot
	if host == "" || len(host) > longest || strings.ContainsFunc(host, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune("-._", r)
	}) {
		return "", 0, false
	}
	return strings.ToLower(host), port, true
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func defaultPort(scheme string) uint16 {
	if scheme == "https" {
		return 443
	}
	return 80
}

// unread notes what was not understood.
func (o *Origin) unread(header, value string) {
	const longest = 200
	if len(value) > longest {
		value = value[:longest]
		for !utf8.ValidString(value) && len(value) > longest-utf8.UTFMax {
			value = value[:len(value)-1]
		}
	}
	o.Unread = append(o.Unread, Unread{header, value})
}
