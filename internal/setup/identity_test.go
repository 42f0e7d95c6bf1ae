package setup

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/process"
)

var defaults = Identity{TokenLifetime: time.Hour, RateLimits: Auto}

func at(t testing.TB, address string) net.Addr {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func TestModes(t *testing.T) {
	for _, c := range []struct {
		auth, addr string
		mode       gate.Mode
		limits     bool
		warned     bool
	}{
		{Auto, "127.0.0.1:3000", gate.Trusted, false, false},
		{Auto, "127.9.9.9:3000", gate.Trusted, false, false},
		{Auto, "[::1]:3000", gate.Trusted, false, false},
		{Auto, "0.0.0.0:3000", gate.Token, true, false},
		{Auto, "[::]:3000", gate.Token, true, false},
		{Auto, "192.0.2.1:3000", gate.Token, true, false},
		{Token, "127.0.0.1:3000", gate.Token, true, false},
		{Token, "0.0.0.0:3000", gate.Token, true, false},
		{Trusted, "127.0.0.1:3000", gate.Trusted, false, false},
		{Trusted, "0.0.0.0:3000", gate.Trusted, true, true},
		{Trusted, "192.0.2.1:3000", gate.Trusted, true, true},
	} {
		var log bytes.Buffer
		access, err := defaults.Access(c.auth, at(t, c.addr), zerolog.New(&log))
		if err != nil {
			t.Fatal(err)
		}
		warned := strings.Contains(log.String(), `"warn"`) && strings.Contains(log.String(), "act as any user")
		if access.Mode != c.mode || access.RateLimits != c.limits || warned != c.warned {
			t.Errorf("%s at %s: mode %s, limits %t, log %q", c.auth, c.addr, AuthOf(access.Mode), access.RateLimits, log.String())
		}
	}
}

func TestFlags(t *testing.T) {
	for name, change := range map[string]func(*Identity){
		"--auth-keys":       func(f *Identity) { f.AuthKeys = "a:Canary" },
		"--token-lifetime":  func(f *Identity) { f.TokenLifetime = 25 * time.Hour },
		"--trusted-proxies": func(f *Identity) { f.TrustedProxies = []string{"10.0.0.0/8", "everybody"} },
		"--cors-origins":    func(f *Identity) { f.CORSOrigins = []string{"https://app.example.org/"} },
	} {
		f := defaults
		change(&f)
		_, err := f.Access(Token, at(t, "127.0.0.1:1"), zerolog.Nop())
		if err == nil || !strings.HasPrefix(err.Error(), name+": ") || strings.Contains(err.Error(), "Canary") || !errors.Is(err, process.ErrUsage) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	for _, origin := range []string{"*", "app.example.org", "https://", "https://*.example.org", "ftp://a.example", "https://a.example/x", "https://A.example", "https://u@a.example", "null", ""} {
		if u, err := parseOrigin(origin); err == nil {
			t.Errorf("%q was taken for the origin %s", origin, u)
		}
	}
	f := defaults
	f.RateLimits, f.TrustedProxies, f.CORSOrigins = "on", []string{" 10.0.0.0/8", "::1"}, []string{"http://127.0.0.1:8080"}
	access, err := f.Access(Trusted, at(t, "127.0.0.1:1"), zerolog.Nop())
	if err != nil || !access.RateLimits || len(access.TrustedProxies) != 2 || len(access.CORSOrigins) != 1 {
		t.Errorf("got %+v, %v", access, err)
	}
	f.RateLimits = "off"
	if access, err = f.Access(Token, at(t, "0.0.0.0:1"), zerolog.Nop()); err != nil || access.RateLimits {
		t.Errorf("limits are on, %v", err)
	}
}
