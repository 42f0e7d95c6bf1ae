package gate

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func to(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }

// asNginx is what nginx sends that was told nothing but proxy_pass http://127.0.0.1:3000.
func asNginx(r *http.Request) {
	r.Host, r.Proto, r.ProtoMinor = "127.0.0.1:3000", "HTTP/1.0", 0
	r.Header.Set("Connection", "close")
}

// TestOnlyLocal: in trusted mode on a loopback address only the machine's own people are believed.
func TestOnlyLocal(t *testing.T) {
	app, err := url.Parse("https://app.example.org")
	if err != nil {
		t.Fatal(err)
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")}
	laptop := Config{Local: true}
	named := Config{Local: true, Hosts: []string{"tickets.example.org", "192.0.2.1"}}
	browser := Config{Local: true, CORSOrigins: []*url.URL{app}}
	proxied := Config{Local: true, TrustedProxies: loopback}
	both := Config{Local: true, TrustedProxies: loopback, Hosts: []string{"tickets.example.org"}}
	open, restricted := Config{}, Config{Hosts: []string{"tickets.example.org"}}
	token := Config{Mode: Token, Local: true}
	others := Config{Local: true, AnotherUser: func(context.Context) bool { return true }}
	own := Config{Local: true, AnotherUser: func(context.Context) bool { return false }}
	type change = func(*http.Request)
	local := []change{from("127.0.0.1:4711"), to("127.0.0.1:3000")}
	for name, c := range map[string]struct {
		config  Config
		changes []change
		says    string // of the refusal; "" admitted
	}{
		"an address":               {laptop, nil, ""},
		"another loopback address": {laptop, []change{to("127.9.9.9:3000")}, ""},
		"IPv6":                     {laptop, []change{from("[::1]:4711"), to("[::1]:3000")}, ""},
		"IPv4 in IPv6":             {laptop, []change{from("[::ffff:127.0.0.1]:1"), to("[::ffff:127.0.0.1]:3000")}, ""},
		"localhost":                {laptop, []change{to("localhost:3000")}, ""},
		"localhost at any port":    {laptop, []change{to("LocalHost:8080")}, ""}, // ssh -L
		"localhost of the root":    {laptop, []change{to("localhost.:3000")}, ""},
		"below localhost":          {laptop, []change{to("eventio.localhost:3000")}, ""},
		"our own page":             {laptop, []change{with("Origin", "http://127.0.0.1:3000"), with("Sec-Fetch-Site", "same-origin")}, ""},
		"a page by its name":       {laptop, []change{to("localhost:3000"), with("Origin", "http://localhost:3000")}, ""},
		"ApacheBench":              {laptop, []change{func(r *http.Request) { r.ProtoMinor = 0 }, with("Connection", "Keep-Alive")}, ""},
		"a client that closes":     {laptop, []change{with("Connection", "close")}, ""},
		"traces":                   {laptop, []change{with("Traceparent", "00-0-0-0"), with("X-Request-Id", "1"), with("X-Requested-With", "x")}, ""},

		"a rebound name":               {laptop, []change{to("evil.example:3000"), with("Origin", "http://evil.example:3000"), with("Sec-Fetch-Site", "same-origin")}, "EVENTIO_HOSTS"},
		"a name that begins like ours": {laptop, []change{to("localhost.evil.example")}, "EVENTIO_HOSTS"},
		"a name that ends like ours":   {laptop, []change{to("evillocalhost")}, "EVENTIO_HOSTS"},
		"an address in a name":         {laptop, []change{to("127.0.0.1.evil.example:3000")}, "EVENTIO_HOSTS"},
		"another address":              {laptop, []change{to("192.0.2.1:3000")}, "EVENTIO_HOSTS"},
		"every address":                {laptop, []change{to("0.0.0.0:3000")}, "EVENTIO_HOSTS"},
		"every address of IPv6":        {laptop, []change{to("[::]:3000")}, "EVENTIO_HOSTS"},
		"no name":                      {laptop, []change{to("")}, "EVENTIO_HOSTS"},
		"what is no name":              {laptop, []change{to("127.0.0.1:3000@evil.example")}, "EVENTIO_HOSTS"},
		"the name of an upstream":      {laptop, []change{to("eventio")}, "EVENTIO_HOSTS"}, // nginx, upstream eventio
		"HAProxy":                      {laptop, []change{to("tickets.example.org")}, "EVENTIO_HOSTS"},
		"a page behind a silent proxy": {laptop, []change{with("Origin", "https://tickets.example.org"), with("Sec-Fetch-Site", "same-origin")}, "EVENTIO_HOSTS"},
		"nginx":                        {laptop, []change{asNginx}, "EVENTIO_TRUSTED_PROXIES"},
		"X-Forwarded-For":              {laptop, []change{with("X-Forwarded-For", "203.0.113.9")}, "EVENTIO_TRUSTED_PROXIES"},
		"an empty one":                 {laptop, []change{with("X-Forwarded-For", "")}, "EVENTIO_TRUSTED_PROXIES"},
		"X-Forwarded-Proto":            {laptop, []change{with("X-Forwarded-Proto", "https")}, "EVENTIO_TRUSTED_PROXIES"},
		"X-Forwarded-Host":             {laptop, []change{with("X-Forwarded-Host", "localhost")}, "EVENTIO_TRUSTED_PROXIES"},
		"Forwarded":                    {laptop, []change{with("Forwarded", "for=127.0.0.1")}, "EVENTIO_TRUSTED_PROXIES"},
		"Via":                          {laptop, []change{with("Via", "1.1 x")}, "EVENTIO_TRUSTED_PROXIES"},
		"X-Real-IP":                    {laptop, []change{with("X-Real-IP", "127.0.0.1")}, "EVENTIO_TRUSTED_PROXIES"},
		"a tunnel":                     {laptop, []change{with("Cf-Ray", "1")}, "EVENTIO_TRUSTED_PROXIES"},
		"another network":              {laptop, []change{from("203.0.113.9:1")}, "came from elsewhere"},

		"a name that was added":       {named, []change{to("tickets.example.org:3000"), with("Origin", "http://tickets.example.org:3000")}, ""},
		"an address that was added":   {named, []change{to("192.0.2.1:3000")}, ""},
		"a name that was not":         {named, []change{to("example.org")}, "EVENTIO_HOSTS"},
		"added and forwarded":         {named, []change{to("tickets.example.org"), with("X-Forwarded-For", "203.0.113.9")}, "EVENTIO_TRUSTED_PROXIES"},
		"a configured origin":         {browser, []change{with("Origin", "https://app.example.org"), with("Sec-Fetch-Site", "cross-site")}, ""},
		"an origin beside it":         {browser, []change{with("Origin", "https://app.example.org:8443")}, "EVENTIO_HOSTS"},
		"a named proxy":               {proxied, []change{to("tickets.example.org"), with("X-Forwarded-For", "203.0.113.9")}, ""},
		"a named proxy as nginx is":   {proxied, []change{asNginx}, ""},
		"a named proxy without words": {proxied, []change{to("tickets.example.org")}, "EVENTIO_HOSTS"},
		"past a named proxy":          {proxied, nil, ""},
		"a page past a named proxy":   {proxied, []change{to("evil.example:3000")}, "EVENTIO_HOSTS"},
		"another proxy":               {proxied, []change{from("127.0.0.2:1"), with("X-Forwarded-For", "203.0.113.9")}, "EVENTIO_TRUSTED_PROXIES"},
		"a named proxy, a named host": {both, []change{with("X-Forwarded-For", "203.0.113.9"), with("X-Forwarded-Host", "tickets.example.org")}, ""},
		"a named proxy, another host": {both, []change{to("evil.example"), with("X-Forwarded-For", "203.0.113.9")}, "EVENTIO_HOSTS"},
		"a named proxy forwards it":   {both, []change{with("X-Forwarded-For", "203.0.113.9"), with("X-Forwarded-Host", "evil.example")}, "EVENTIO_HOSTS"},

		"a page that says what a named proxy says":    {both, []change{to("evil.example:3000"), with("X-Forwarded-For", "1.2.3.4"), with("X-Forwarded-Host", "tickets.example.org")}, "EVENTIO_HOSTS"},
		"a page that says so by Forwarded":            {both, []change{to("evil.example:3000"), with("Forwarded", "for=1.2.3.4;host=tickets.example.org")}, "EVENTIO_HOSTS"},
		"a page of another name behind a named proxy": {both, []change{with("X-Forwarded-For", "1.2.3.4"), with("X-Forwarded-Host", "tickets.example.org"), with("Origin", "https://evil.example")}, "EVENTIO_HOSTS"},
		"its own page behind a named proxy":           {both, []change{with("X-Forwarded-For", "1.2.3.4"), with("X-Forwarded-Host", "tickets.example.org"), with("Origin", "https://tickets.example.org")}, ""},
		"a named proxy that hands the named host on":  {both, []change{to("tickets.example.org"), with("X-Forwarded-For", "1.2.3.4")}, ""},
		"a named proxy that calls an upstream's name": {both, []change{to("eventio"), with("X-Forwarded-For", "1.2.3.4"), with("X-Forwarded-Host", "tickets.example.org")}, "EVENTIO_HOSTS"},
		"another user of the machine":                 {others, nil, "EVENTIO_AUTH=trusted"},
		"the own user":                                {own, nil, ""},

		"off loopback":               {open, []change{from("203.0.113.9:1"), to("tickets.example.org"), with("X-Forwarded-For", "x")}, ""},
		"off loopback, a named host": {restricted, []change{from("203.0.113.9:1"), to("tickets.example.org")}, ""},
		"off loopback, handed on":    {restricted, []change{from("203.0.113.9:1"), to("tickets.example.org"), with("X-Forwarded-For", "x")}, ""},
		"off loopback, another user": {Config{Hosts: restricted.Hosts, AnotherUser: others.AnotherUser}, []change{from("203.0.113.9:1"), to("tickets.example.org")}, ""},
		"off loopback, an address":   {restricted, []change{from("203.0.113.9:1"), to("198.51.100.1:3000")}, ""},
		"off loopback, another host": {restricted, []change{from("203.0.113.9:1"), to("evil.example")}, "EVENTIO_HOSTS"},
		"tokens":                     {token, []change{from("203.0.113.9:1"), to("evil.example"), with("X-Forwarded-For", "203.0.113.9")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			reached := 0
			h := New(c.config, zerolog.New(&log)).BrowserRules(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }), nil, refuse)
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				w := httptest.NewRecorder()
				r := request(append(append([]change{}, local...), c.changes...)...)
				r.Method = method
				h.ServeHTTP(w, r)
				if refused := w.Code == http.StatusForbidden; refused != (c.says != "") || !strings.Contains(w.Body.String(), c.says) {
					t.Errorf("%s: %d %s", method, w.Code, w.Body)
				}
			}
			if c.says == "" {
				if reached == 0 || strings.Contains(log.String(), "security") {
					t.Errorf("reached %d times, log %s", reached, &log)
				}
				return
			}
			if n := strings.Count(log.String(), "security: "); reached > 0 || n != 1 || !strings.Contains(log.String(), c.says) {
				t.Errorf("reached %d times, told %d times: %s", reached, n, &log)
			}
		})
	}
}

// TestAPageWithoutAName: what is no page of the web, like an extension of the browser, has no name by
// which it was opened, and may read.
func TestAPageWithoutAName(t *testing.T) {
	for origin, want := range map[string]int{
		"null": http.StatusOK, "chrome-extension://abcdef": http.StatusOK, "file://evil.example": http.StatusOK, "%": http.StatusOK,
		"http://evil.example": http.StatusForbidden, "https://evil.example": http.StatusForbidden,
	} {
		w := httptest.NewRecorder()
		r := request(from("127.0.0.1:4711"), to("127.0.0.1:3000"), with("Origin", origin))
		r.Method = "GET"
		New(Config{Local: true}, zerolog.Nop()).BrowserRules(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil, refuse).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", origin, w.Code, want)
		}
	}
}
