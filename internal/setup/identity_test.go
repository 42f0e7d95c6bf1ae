package setup

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/process"
)

var defaults = Identity{TokenLifetime: time.Hour, Limits: Limits{
	RateLimits: Auto, RateLimitLogins: "60/m", RateLimitAccountLogins: "10/m", RateLimitRegistrations: "120/m", RateLimitRequests: "6000/m",
	RateLimitNetworksFactor: 20,
}}

func at(t testing.TB, address string) net.Addr {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// TestModes: whom a process believes, and what it warns of, follows from --auth, where it listens, and
// which proxies are named.
func TestModes(t *testing.T) {
	const reached, behind = "on an address that others can reach", "EVENTIO_HOSTS"
	for _, c := range []struct {
		auth, addr    string
		proxies       []string
		mode          gate.Mode
		local, limits bool
		warns         string
	}{
		{Auto, "127.0.0.1:3000", nil, gate.Trusted, true, false, ""},
		{Auto, "127.9.9.9:3000", nil, gate.Trusted, true, false, ""},
		{Auto, "[::1]:3000", nil, gate.Trusted, true, false, ""},
		{Auto, "127.0.0.1:3000", []string{"127.0.0.1"}, gate.Token, false, true, ""},
		{Auto, "127.0.0.1:3000", []string{"10.0.0.0/8"}, gate.Token, false, true, ""},
		{Auto, "0.0.0.0:3000", nil, gate.Token, false, true, ""},
		{Auto, "[::]:3000", nil, gate.Token, false, true, ""},
		{Auto, "192.0.2.1:3000", nil, gate.Token, false, true, ""},
		{Token, "127.0.0.1:3000", nil, gate.Token, false, true, ""},
		{Token, "127.0.0.1:3000", []string{"127.0.0.1"}, gate.Token, false, true, ""},
		{Token, "0.0.0.0:3000", nil, gate.Token, false, true, ""},
		{Trusted, "127.0.0.1:3000", nil, gate.Trusted, true, false, ""},
		{Trusted, "127.0.0.1:3000", []string{"127.0.0.1"}, gate.Trusted, true, true, behind},
		{Trusted, "0.0.0.0:3000", nil, gate.Trusted, false, true, reached},
		{Trusted, "192.0.2.1:3000", []string{"10.0.0.0/8"}, gate.Trusted, false, true, reached},
	} {
		var log bytes.Buffer
		f := defaults
		f.TrustedProxies = c.proxies
		access, err := f.Access(c.auth, at(t, c.addr), zerolog.New(&log))
		if err != nil {
			t.Fatal(err)
		}
		warned := strings.Contains(log.String(), `"warn"`)
		if access.Mode != c.mode || access.Local != c.local || (access.AnotherUser != nil) != (c.local && c.auth == Auto) || access.RateLimits != c.limits || warned != (c.warns != "") || !strings.Contains(log.String(), c.warns) {
			t.Errorf("%s at %s behind %v: mode %s, local %t, limits %t, log %q", c.auth, c.addr, c.proxies, AuthOf(access.Mode), access.Local, access.RateLimits, log.String())
		}
	}
}

// TestRates: what is a rate, what is none, and what becomes of them.
func TestRates(t *testing.T) {
	for text, want := range map[string]gate.Rate{
		"60/m": {Most: 60, Window: time.Minute}, "1/s": {Most: 1, Window: time.Second}, " 5 / H ": {Most: 5, Window: time.Hour},
		"10000/d": {Most: 10000, Window: 24 * time.Hour}, "off": {}, "OFF": {},
	} {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "60", "/m", "60/", "0/m", "-1/m", "1.5/s", "60/min", "60/w", "60 m", "1e3/m", "9999999999999999999/m", "300000000/m", "on", "none"} {
		if got, err := parseRate(text); err == nil {
			t.Errorf("%q was taken for %+v", text, got)
		}
	}
	f := defaults
	f.RateLimitLogins, f.RateLimitAccountLogins, f.RateLimitRegistrations, f.RateLimitRequests = "90/m", "5/h", "7/s", "off"
	f.RateLimitNetworks, f.RateLimitNetworksFactor = []string{"198.51.100.0/24", " 2001:db8::1"}, 3
	access, err := f.Access(Token, at(t, "127.0.0.1:1"), zerolog.Nop())
	want := gate.Rates{Passwords: gate.Rate{Most: 90, Window: time.Minute}, PasswordsPerAccount: gate.Rate{Most: 5, Window: time.Hour}, Registrations: gate.Rate{Most: 7, Window: time.Second}}
	if err != nil || access.Rates != want || len(access.Crowds.Networks) != 2 || access.Crowds.Factor != 3 || !access.RateLimits {
		t.Errorf("%+v, %v", access, err)
	}
	f.RateLimitLogins, f.RateLimitAccountLogins, f.RateLimitRegistrations = "off", "off", "off"
	if access, err = f.Access(Token, at(t, "127.0.0.1:1"), zerolog.Nop()); err != nil || access.RateLimits {
		t.Errorf("with all of them off: %+v, %v", access, err)
	}
	f = defaults
	if access, err = f.Access(Token, at(t, "127.0.0.1:1"), zerolog.Nop()); err != nil || access.Rates != gate.DefaultRates() {
		t.Errorf("the defaults of the flags are %+v, %v", access.Rates, err)
	}
}

func TestFlags(t *testing.T) {
	for name, change := range map[string]func(*Identity){
		"--auth-keys":       func(f *Identity) { f.AuthKeys = "a:Canary" },
		"--token-lifetime":  func(f *Identity) { f.TokenLifetime = 25 * time.Hour },
		"--trusted-proxies": func(f *Identity) { f.TrustedProxies = []string{"10.0.0.0/8", "everybody"} },
		"--cors-origins":    func(f *Identity) { f.CORSOrigins = []string{"https://app.example.org/"} },
		"--cors-headers":    func(f *Identity) { f.CORSHeaders = []string{"X-Ok", "X Y"} },
		"--hosts":           func(f *Identity) { f.Hosts = []string{"tickets.example.org", "https://tickets.example.org"} },

		"--rate-limit-logins":          func(f *Identity) { f.RateLimitLogins = "many" },
		"--rate-limit-account-logins":  func(f *Identity) { f.RateLimitAccountLogins = "0/m" },
		"--rate-limit-registrations":   func(f *Identity) { f.RateLimitRegistrations = "10" },
		"--rate-limit-requests":        func(f *Identity) { f.RateLimitRequests = "-1/m" },
		"--rate-limit-networks":        func(f *Identity) { f.RateLimitNetworks = []string{"school"} },
		"--rate-limit-networks-factor": func(f *Identity) { f.RateLimitNetworksFactor = 0 },
	} {
		f := defaults
		change(&f)
		_, err := f.Access(Token, at(t, "127.0.0.1:1"), zerolog.Nop())
		if err == nil || !strings.HasPrefix(err.Error(), name) || strings.Contains(err.Error(), "Canary") || !errors.Is(err, process.ErrUsage) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	for _, origin := range []string{"*", "app.example.org", "https://", "https://*.example.org", "ftp://a.example", "https://a.example/x", "https://A.example", "https://u@a.example", "null", ""} {
		if u, err := parseOrigin(origin); err == nil {
			t.Errorf("%q was taken for the origin %s", origin, u)
		}
	}
	for text, want := range map[string]string{
		"tickets.example.org": "tickets.example.org", "Tickets.Example.ORG.": "tickets.example.org", "192.0.2.1": "192.0.2.1", "::1": "[::1]", "[2001:DB8::1]": "[2001:db8::1]",
	} {
		if got, err := parseHost(text); err != nil || got != want {
			t.Errorf("the host %q is %q, %v", text, got, err)
		}
	}
	for _, host := range []string{"", "*", "*.example.org", "example.org:80", "http://example.org", "a b", "[::1", "[::1]:80", "bücher.example", "u@example.org", "a/b"} {
		if got, err := parseHost(host); err == nil {
			t.Errorf("%q was taken for the host %s", host, got)
		}
	}
	f := defaults
	f.CORSHeaders, f.Hosts = []string{" X-Tenant", "*"}, []string{" a.example", "B.example"}
	f.RateLimits, f.TrustedProxies, f.CORSOrigins = "on", []string{" 10.0.0.0/8", "::1"}, []string{"http://127.0.0.1:8080"}
	access, err := f.Access(Trusted, at(t, "127.0.0.1:1"), zerolog.Nop())
	if err != nil || !access.RateLimits || len(access.TrustedProxies) != 2 || len(access.CORSOrigins) != 1 || len(access.CORSHeaders) != 2 || !slices.Equal(access.Hosts, []string{"a.example", "b.example"}) {
		t.Errorf("got %+v, %v", access, err)
	}
	f.RateLimits = "off"
	if access, err = f.Access(Token, at(t, "0.0.0.0:1"), zerolog.Nop()); err != nil || access.RateLimits {
		t.Errorf("limits are on, %v", err)
	}
}
