package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
)

// served is an eventio with an event in it.
type served struct {
	*testenv.Program
	url   string
	event string // its path
}

// serve starts cmd/eventio with nothing but where to listen and to keep its data, and further
// environment: NAME=value. Only where that leaves it trusting, it has an event.
func serve(t *testing.T, variables ...string) *served {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, "eventio"), "--addr", "127.0.0.1:0", "--data", t.TempDir())
	cmd.Env = append(os.Environ(), variables...)
	p := testenv.RunProgram(t, cmd)
	url, err := p.Find(t.Context(), "listening on ")
	succeeds(t, err)
	ready(t, strings.TrimPrefix(url, "http://"))
	s := &served{Program: p, url: url}
	if p.Says("auth      token") {
		return s
	}
	if a := said(t, request(t, "POST", url+"/api/events", newEventBody)); a.status == http.StatusCreated {
		s.event = a.header.Get("Location")
	}
	return s
}

const newEventBody = `{"organizer_id":"6b056f1db8a8b20890367b25","title":"Opening","capacity":1,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`

// untouched fails the test when somebody has cancelled the event.
func (s *served) untouched(t *testing.T) {
	t.Helper()
	if a := said(t, request(t, "GET", s.url+s.event, "")); a.status != http.StatusOK || strings.Contains(a.body, "cancelled_at") {
		t.Errorf("the event is %d %s", a.status, a.body)
	}
}

// answer is what somebody is told.
type answer struct {
	status int
	header http.Header
	body   string
}

func request(t *testing.T, method, address, body string, changes ...func(*http.Request)) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	succeeds(t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, change := range changes {
		change(r)
	}
	return r
}

func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func to(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }

// said sends a request.
func said(t *testing.T, r *http.Request) answer {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	succeeds(t, err)
	return read(t, res)
}

func read(t *testing.T, res *http.Response) answer {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	succeeds(t, err)
	return answer{res.StatusCode, res.Header, string(body)}
}

// refused fails the test unless the answer is 403 and says what to set.
func (a answer) refused(t *testing.T, setting string) {
	t.Helper()
	if a.status != http.StatusForbidden || !strings.Contains(a.body, setting) || a.header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("the answer is %d %s, and should be 403 with %s", a.status, a.body, setting)
	}
}

// TestDefaultsOnALaptop: this machine's own people need nothing; a page that is rebound to it, and
// whoever comes through something, gets nothing.
func TestDefaultsOnALaptop(t *testing.T) {
	s := serve(t)
	if s.event == "" {
		t.Fatal("its own people cannot create an event")
	}
	if !s.Says("auth      trusted") {
		t.Error("the start does not say that everybody is believed")
	}
	for _, path := range []string{"/", "/api/events", s.event, s.event + "/registrations", "/readyz", "/docs"} {
		if a := said(t, request(t, "GET", s.url+path, "", with("Origin", s.url), with("Sec-Fetch-Site", "same-origin"))); a.status != http.StatusOK {
			t.Errorf("GET %s: %d %s", path, a.status, a.body)
		}
	}
	for _, path := range []string{"/", "/api/events", s.event + "/registrations", "/readyz"} {
		said(t, request(t, "GET", s.url+path, "", to("evil.example"))).refused(t, "EVENTIO_HOSTS")
	}
	said(t, request(t, "POST", s.url+s.event+"/cancel", "", to("evil.example"), with("Origin", "http://evil.example"), with("Sec-Fetch-Site", "same-origin"))).refused(t, "EVENTIO_HOSTS")
	said(t, request(t, "POST", s.url+s.event+"/cancel", "", with("X-Forwarded-For", "203.0.113.9"))).refused(t, "EVENTIO_TRUSTED_PROXIES")
	s.untouched(t)

	named := serve(t, "EVENTIO_HOSTS=tickets.example.org")
	if a := said(t, request(t, "GET", named.url+"/api/events", "", to("tickets.example.org"))); a.status != http.StatusOK {
		t.Errorf("under a name of EVENTIO_HOSTS: %d %s", a.status, a.body)
	}
	said(t, request(t, "GET", named.url+"/api/events", "", to("evil.example"))).refused(t, "EVENTIO_HOSTS")
}

// startProxy starts a proxy before a server on the same machine. The header X-Came-From, which it
// takes away, stands for the address from which a client has connected.
func startProxy(t *testing.T, before, scheme string) string {
	t.Helper()
	target, err := url.Parse(before)
	succeeds(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		r.Out.Header["X-Forwarded-For"] = append(r.In.Header["X-Forwarded-For"], r.In.Header.Get("X-Came-From"))
		r.Out.Header.Set("X-Forwarded-Proto", scheme)
		r.Out.Header.Del("X-Came-From")
	}})
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// TestDefaultsBehindAProxyOnTheSameMachine: as it comes, nobody gets through; with the proxy named,
// people must log in, and count each for themself.
func TestDefaultsBehindAProxyOnTheSameMachine(t *testing.T) {
	s := serve(t)
	proxy := startProxy(t, s.url, "https")
	public := to("tickets.example.org")
	said(t, request(t, "POST", proxy+s.event+"/cancel", "", public, with("X-Came-From", "203.0.113.9"))).refused(t, "EVENTIO_TRUSTED_PROXIES")
	said(t, request(t, "GET", proxy+"/", "", public, with("X-Came-From", "203.0.113.9"))).refused(t, "EVENTIO_TRUSTED_PROXIES")
	// nginx that has been told nothing but proxy_pass.
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	succeeds(t, err)
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s/cancel HTTP/1.0\r\nHost: %s\r\nConnection: close\r\nContent-Length: 0\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n", s.event, conn.RemoteAddr())
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	succeeds(t, err)
	read(t, res).refused(t, "EVENTIO_TRUSTED_PROXIES")
	s.untouched(t)
	if !s.Says("EVENTIO_TRUSTED_PROXIES") {
		t.Error("the log does not say what to set")
	}

	s = serve(t, "EVENTIO_TRUSTED_PROXIES=127.0.0.1", "EVENTIO_RATE_LIMIT_LOGINS=3/m")
	if !s.Says("auth      token") {
		t.Fatal("with a proxy named, somebody is believed without a token")
	}
	proxy = startProxy(t, s.url, "https")
	from := func(address string) func(*http.Request) { return with("X-Came-From", address) }
	if a := said(t, request(t, "POST", proxy+"/api/events", newEventBody, public, from("203.0.113.9"))); a.status != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", a.status, a.body)
	}
	signUp := `{"name":"Ada","email":"ada@example.org","password":"correct horse battery"}`
	a := said(t, request(t, "POST", proxy+"/api/users", signUp, public, from("203.0.113.9"), with("Origin", "https://tickets.example.org")))
	if cookie := a.header.Get("Set-Cookie"); a.status != http.StatusCreated || !strings.HasPrefix(cookie, "__Host-") || !strings.Contains(cookie, "; Secure") {
		t.Errorf("signing up: %d %s %v", a.status, a.body, a.header)
	}
	for n := range 3 {
		a := said(t, request(t, "POST", proxy+"/api/login", `{}`, public, from("203.0.113.9"), with("X-Forwarded-For", fmt.Sprintf("198.51.100.%d", n))))
		if limited := a.status == http.StatusTooManyRequests; limited != (n == 2) {
			t.Errorf("log-in %d: %d", n, a.status)
		}
	}
	if a := said(t, request(t, "POST", proxy+"/api/login", `{}`, public, from("203.0.113.10"))); a.status != http.StatusBadRequest {
		t.Errorf("another client of the proxy: %d", a.status)
	}
}

// TestDefaultsInProduction: cmd/api believes nobody without a token, whatever they say of where they
// come from, and limits everybody.
func TestDefaultsInProduction(t *testing.T) {
	c := newCluster(t).with("EVENTIO_AUTH=", "EVENTIO_ADDR=0.0.0.0:0")
	c.start(t, "worker")
	_, port, err := net.SplitHostPort(c.start(t, "api").addr)
	succeeds(t, err)
	base := "http://127.0.0.1:" + port
	ready(t, "127.0.0.1:"+port)
	for name, changes := range map[string][]func(*http.Request){
		"anybody":        nil,
		"a proxy":        {with("X-Forwarded-For", "127.0.0.1"), with("X-Real-Ip", "127.0.0.1"), with("Forwarded", "for=127.0.0.1")},
		"a local name":   {to("localhost")},
		"another scheme": {with("Authorization", "Basic YTpi")},
	} {
		for _, call := range [][2]string{{"/api/events", newEventBody}, {"/api/events/6b056f1db8a8b20890367b25/cancel", ""}, {"/api/events/6b056f1db8a8b20890367b25/registrations", `{"user_id":"6b056f1db8a8b20890367b25"}`}} {
			a := said(t, request(t, "POST", base+call[0], call[1], changes...))
			if a.status != http.StatusUnauthorized || a.header.Get("RateLimit") == "" {
				t.Errorf("%s, %s: %d %v %s", name, call[0], a.status, a.header, a.body)
			}
		}
	}
	a := said(t, request(t, "POST", base+"/api/users", `{"name":"Ada","email":"ada@example.org","password":"correct horse battery"}`, with("X-Forwarded-Proto", "https")))
	if a.status != http.StatusCreated || strings.Contains(a.header.Get("Set-Cookie"), "Secure") {
		t.Errorf("a stranger's scheme is believed: %d %v", a.status, a.header)
	}
}
