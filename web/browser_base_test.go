//go:build browser

package web

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// TestBelowAPath: behind a gateway that serves everything below a path, a visitor never leaves it.
func TestBelowAPath(t *testing.T) {
	t.Setenv("EVENTIO_TRUSTED_PROXIES", "127.0.0.1")
	s := startEventio(t)
	target, err := url.Parse(s.base)
	if err != nil {
		t.Fatal(err)
	}
	strayed := make(chan string, 100)
	gateway := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		path, below := strings.CutPrefix(r.In.URL.Path, "/tickets")
		if !below {
			strayed <- r.In.URL.Path
		}
		r.Out.URL.Path, r.Out.URL.RawPath = path, ""
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
		r.Out.Header.Set("X-Forwarded-For", "198.51.100.1")
		r.Out.Header.Set("X-Forwarded-Prefix", "/tickets")
	}})
	defer gateway.Close()
	event := s.person().event(map[string]any{"title": "Below a path"})
	ada := newVisitor(t, startChromium(t), s)
	ada.base = gateway.URL
	ada.open("/tickets/")
	ada.sees("groups", "Below a path")
	ada.click("#groups a")
	ada.at("/tickets/events/" + event)
	ada.click("#guest-signup")
	ada.at("/tickets/signup")
	ada.signUp("Ada", "ada@example.org", "seventeen calm otters")
	ada.at("/tickets/events/" + event)
	ada.click("#register")
	ada.sees("feedback", "You are registered")
	ada.open("/tickets/registrations")
	ada.until(`document.body.textContent.includes('Below a path')`)
	ada.click("#log-out")
	ada.at("/tickets/")
	ada.sees("flash", "You are logged out")
	ada.click("#top-login")
	ada.at("/tickets/login")
	ada.fill(map[string]string{"email": "ada@example.org", "password": "seventeen calm otters"})
	ada.click("form button[type=submit]")
	ada.at("/tickets/")
	ada.sees("flash", "Welcome back, Ada")
	if complaints := ada.complained(); len(complaints) > 0 {
		t.Errorf("the browser complains: %q", complaints)
	}
	select {
	case path := <-strayed:
		t.Errorf("the browser asked for %s", path)
	default:
	}
}
