package webhooks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// TestWhatMayBeDialled: only public addresses, however they are written, unless the operator names them.
func TestWhatMayBeDialled(t *testing.T) {
	g := Targets{}.guardian()
	for _, address := range []string{
		"127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "0.1.2.3", "::", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "100.64.0.1", "100.127.255.255", "224.0.0.1", "239.255.255.250",
		"ff02::1", "ff0e::1", "255.255.255.255", "240.0.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
		"64:ff9b::808:808", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378::1", "2001:db8::1", "fec0::1", "100::1", "192.88.99.1",
	} {
		for _, network := range []string{"tcp4", "tcp6"} {
			if err := g.control(network, net.JoinHostPort(address, "443"), nil); !errors.Is(err, errForbidden) {
				t.Errorf("%s may be dialled: %v", address, err)
			}
		}
	}
	for _, address := range []string{"8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8", "100.63.255.255", "172.32.0.1"} {
		if err := g.control("tcp", net.JoinHostPort(address, "8443"), nil); err != nil {
			t.Errorf("%s may not be dialled: %v", address, err)
		}
	}
	if err := g.control("udp4", "8.8.8.8:443", nil); !errors.Is(err, errForbidden) {
		t.Errorf("another network: %v", err)
	}
	some := Targets{Allowed: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/8")}}.guardian()
	for address, may := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "10.2.0.1": false, "fd00::1": true, "fc00::1": false, "127.0.0.1": false} {
		if err := some.control("tcp", net.JoinHostPort(address, "443"), nil); (err == nil) != may {
			t.Errorf("%s with some allowed: %v", address, err)
		}
	}
}

func TestWhichURLsAreTaken(t *testing.T) {
	private := Targets{HTTP: true, Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	for url, c := range map[string]struct{ public, private bool }{
		"https://example.org/hook":                 {true, true},
		"https://example.org:8443/a?b=c":           {true, true},
		"HTTPS://EXAMPLE.ORG":                      {true, true},
		"http://example.org/":                      {false, true},
		"https://127.0.0.1/":                       {false, true},
		"https://[::1]/":                           {false, false},
		"https://[::ffff:7f00:1]/":                 {false, true},
		"https://localhost/":                       {false, true},
		"https://a.localhost./":                    {false, true},
		"https://169.254.169.254/latest/meta-data": {false, false},
		"ftp://example.org/":                       {false, false},
		"file:///etc/passwd":                       {false, false},
		"https:///nothing":                         {false, false},
		"https:example.org":                        {false, false},
		"example.org":                              {false, false},
		"":                                         {false, false},
		"https://ada:secret@example.org/":          {false, false},
		"https://example.org/#part":                {false, false},
		"https://exa mple.org/":                    {false, false},
		"https://" + strings.Repeat("a", MaxURL):   {false, false},
	} {
		if err := (Targets{}).CheckURL(url); (err == nil) != c.public {
			t.Errorf("%s: %v", url, err)
		}
		if err := private.CheckURL(url); (err == nil) != c.private {
			t.Errorf("%s where it is allowed: %v", url, err)
		}
	}
}

// TestACallIsBounded: nothing of a receiver's answer is waited for or kept without end, no redirect is
// followed, and an address that is not public is not called, also by a name that leads to it.
func TestACallIsBounded(t *testing.T) {
	var called atomic.Bool
	local := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called.Store(true)
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client leaves
		switch r.URL.Path {
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case "/slow":
			<-r.Context().Done()
		case "/drips":
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte{'.'})
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(5 * time.Millisecond):
				}
			}
		case "/header":
			w.Header().Set("A", strings.Repeat("a", 2*maxHeader))
		case "/redirect":
			http.Redirect(w, r, "/other", http.StatusFound)
		case "/other":
			t.Error("a redirect was followed")
		case "/text":
			_, _ = w.Write([]byte("\xff\x00ok"))
		}
	}))
	defer local.Close()
	_, port, _ := net.SplitHostPort(local.Listener.Addr().String())
	allowed := Targets{HTTP: true, Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	const limit = 300 * time.Millisecond
	hook := func(base, path string) store.Webhook {
		return store.Webhook{ID: store.NewID(), URL: base + path, Secrets: []store.WebhookSecret{{Key: []byte("key")}}}
	}
	for path, c := range map[string]struct {
		ok     bool
		status int
		says   string
	}{
		"/":         {true, 200, ""},
		"/text":     {true, 200, ""},
		"/endless":  {true, 200, ""},
		"/slow":     {false, 0, "no answer in time"},
		"/drips":    {false, 200, "no answer in time"},
		"/header":   {false, 0, "failed"},
		"/redirect": {false, 302, "302"},
	} {
		begun := time.Now()
		a := send(context.Background(), allowed.client(limit), hook(local.URL, path), message{id: "msg_1"})
		if took := time.Since(begun); took > 10*limit {
			t.Errorf("%s took %v", path, took)
		}
		if path == "/drips" { // either is right: what it says does not matter
			continue
		}
		if a.ok != c.ok || a.call.Status != c.status || !strings.Contains(a.call.Error, c.says) || len(a.call.Answer) > 3*keptAnswer {
			t.Errorf("%s: %+v", path, a)
		}
	}
	called.Store(false)
	for _, base := range []string{local.URL, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port} {
		a := send(context.Background(), Targets{HTTP: true}.client(limit), hook(base, "/"), message{id: "msg_1"})
		if a.ok || called.Load() || !strings.Contains(a.call.Error, "not public") {
			t.Errorf("%s was called: %+v", base, a)
		}
	}
	// A webhook from a time when http was allowed.
	a := send(context.Background(), Targets{Allowed: allowed.Allowed}.client(limit), hook(local.URL, "/"), message{id: "msg_1"})
	if a.ok || called.Load() || !strings.Contains(a.call.Error, "https:// only") {
		t.Errorf("http was called: %+v", a)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-5": 0, "soon": 0, "99999999999": 0, "1.5": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
}
