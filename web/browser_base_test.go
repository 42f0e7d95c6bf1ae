//go:build browser

package web

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// gateway starts one before the service and returns its address. rewrite adds what it says.
func (s *service) gateway(rewrite func(r *httputil.ProxyRequest)) string {
	s.t.Helper()
	target, err := url.Parse(s.base)
	if err != nil {
		s.t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		rewrite(r)
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.SetXForwarded()
		r.Out.Header.Set("X-Forwarded-For", "198.51.100.1")
	}})
	s.t.Cleanup(server.Close)
	return server.URL
}

// TestBelowAPath: behind a gateway that serves everything below a path, a visitor never leaves it.
func TestBelowAPath(t *testing.T) {
	t.Setenv("EVENTIO_TRUSTED_PROXIES", "127.0.0.1")
	s := startEventio(t)
	strayed := make(chan string, 100)
	gateway := s.gateway(func(r *httputil.ProxyRequest) {
		path, below := strings.CutPrefix(r.In.URL.Path, "/tickets")
		if !below {
			strayed <- r.In.URL.Path
		}
		r.Out.URL.Path, r.Out.URL.RawPath = path, ""
		r.Out.Header.Set("X-Forwarded-Prefix", "/tickets")
	})
	event := s.person().event(map[string]any{"title": "Below a path"})
	ada := newVisitor(t, startChromium(t), s)
	ada.base = gateway
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

// TestGatewaysWord: whom a gateway names, by its header or by a token that it adds, is somebody on the pages
// too, and cannot log out here.
func TestGatewaysWord(t *testing.T) {
	t.Parallel()
	s := startEventio(t, "EVENTIO_TRUSTED_PROXIES=127.0.0.1", "EVENTIO_IDENTITY_HEADER=X-Remote-User", "EVENTIO_IDENTITY_NAME_HEADER=X-Remote-Name")
	browser := startChromium(t)
	event := s.person().event(nil)
	grace := s.named("Grace", newEmail())
	for name, word := range map[string]func(h http.Header){
		"Ada":          func(h http.Header) { h.Set("X-Remote-User", "ada"); h.Set("X-Remote-Name", "Ada") },
		"Your account": func(h http.Header) { h.Set("X-Remote-User", "eve") },
		"Grace":        func(h http.Header) { h.Set("Authorization", "Bearer "+grace.token) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVisitor(t, browser, s)
			v.base = s.gateway(func(r *httputil.ProxyRequest) { word(r.Out.Header) })
			for range 2 { // the first time they are noted
				v.open("/events/" + event)
				v.sees("account", name)
				v.sees("register", "Register")
			}
			v.until(`document.getElementById('log-out') === null`)
			v.look("gateway")
			v.click("#register")
			v.sees("feedback", "You are registered")
			v.open("/registrations")
			v.sees("upcoming", "Chamber music")
		})
	}
}
