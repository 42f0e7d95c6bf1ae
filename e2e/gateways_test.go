//go:build gateways

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/nginx"
)

// gatewayArgs are those of each gateway that runs here.
var gatewayArgs = map[string][]string{
	"nginx":   {"-p", "FOLDER", "-c", "CONFIG", "-e", "stderr"},
	"haproxy": {"-db", "-f", "CONFIG"},
	"caddy":   {"run", "--adapter", "caddyfile", "--config", "CONFIG"},
	"apache2": {"-d", "FOLDER", "-f", "CONFIG", "-D", "FOREGROUND"},
	"envoy":   {"-c", "CONFIG", "--disable-hot-restart", "--concurrency", "2", "-l", "warning"},
	"traefik": {"--configFile=CONFIG"},
}

// gateway is a real one: with what it sends by itself, and with what docs/operations.md tells it to send.
// In a configuration LISTEN is where it listens, BACKEND is an
// Event.io, FOLDER is its own folder and ROOT that of its files.
type gateway struct {
	usual    string // its configuration as it comes
	silent   string // one with which nothing in a request shows it
	told     string // the same, told as docs/operations.md says, with https for a scheme
	refusing string // the setting that a trusting Event.io names when it comes so
}

// gateways are those that send something of their own, or nothing, and are told more. The clients of the tests use the public name
// tickets.example.org, and /tickets/ is a path below which Event.io is served too.
var gateways = map[string]gateway{
	"nginx": {
		usual: nginxAround(`location / { proxy_pass http://BACKEND; }
			location /tickets/ { proxy_pass http://BACKEND/; }`),
		// As nginx comes since 1.29.7.
		silent: strings.Replace(nginxAround(`location / { proxy_pass http://BACKEND; proxy_http_version 1.1; proxy_set_header Connection ""; }`), "user root;", "user nobody nogroup;", 1),
		told: nginxAround(`proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto https;
			proxy_set_header X-Forwarded-Host "";
			proxy_set_header X-Forwarded-Port "";
			proxy_set_header X-Forwarded-Prefix "";
			proxy_set_header Forwarded "";
			proxy_buffering off;
			location / { proxy_pass http://BACKEND; }
			location /tickets/ {
				proxy_pass http://BACKEND/;
				proxy_http_version 1.1;
				proxy_set_header Connection "";
				proxy_set_header Host $http_host;
				proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
				proxy_set_header X-Forwarded-Proto https;
				proxy_set_header X-Forwarded-Host "";
				proxy_set_header X-Forwarded-Port "";
				proxy_set_header X-Forwarded-Prefix /tickets;
				proxy_set_header Forwarded "";
			}`),
		refusing: "EVENTIO_TRUSTED_PROXIES",
	},
	"haproxy": {
		usual:  haproxyAround(`http-request replace-path ^/tickets/(.*) /\1`),
		silent: "global\n\tuser nobody\n" + haproxyAround(`http-request set-header Host 127.0.0.1`),
		told: haproxyAround(`option forwardfor
	http-request del-header Forwarded
	http-request del-header X-Forwarded-Host
	http-request del-header X-Forwarded-Port
	http-request del-header X-Forwarded-Prefix
	http-request set-header X-Forwarded-Proto https
	http-request set-header X-Forwarded-Prefix /tickets if { path_beg /tickets/ }
	http-request replace-path ^/tickets/(.*) /\1`),
		refusing: "EVENTIO_HOSTS", // it says nothing, but hands the Host on
	},
	"caddy": {
		usual: caddyAround(`handle_path /tickets/* {
		reverse_proxy BACKEND
	}
	reverse_proxy BACKEND`),
		told: caddyAround(`handle_path /tickets/* {
		reverse_proxy BACKEND {
			header_up X-Forwarded-Proto https
			header_up -Forwarded
			header_up -X-Forwarded-Port
			header_up X-Forwarded-Prefix /tickets
		}
	}
	reverse_proxy BACKEND {
		header_up X-Forwarded-Proto https
		header_up -Forwarded
		header_up -X-Forwarded-Port
		header_up -X-Forwarded-Prefix
	}`),
		refusing: "EVENTIO_TRUSTED_PROXIES",
	},
	"apache2": {
		usual: apacheAround(`ProxyPass /tickets/ http://BACKEND/
ProxyPass / http://BACKEND/`),
		told: apacheAround(`ProxyPreserveHost On
RequestHeader set X-Forwarded-Proto https
RequestHeader unset Forwarded
RequestHeader unset X-Forwarded-Port
RequestHeader unset X-Forwarded-Prefix
<Location /tickets/>
	RequestHeader set X-Forwarded-Prefix /tickets
	ProxyPass http://BACKEND/
</Location>
ProxyPass / http://BACKEND/`),
		refusing: "EVENTIO_TRUSTED_PROXIES",
	},
}

func nginxAround(server string) string {
	return nginx.Config("server {\nlisten LISTEN;\n" + server + "\n}")
}

func haproxyAround(rules string) string {
	return `
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
listen eventio
	bind LISTEN
	` + rules + `
	server one BACKEND
`
}

func caddyAround(site string) string {
	return `{
	admin off
	auto_https off
}
http://:PORT {
	bind 127.0.0.1
	` + site + `
}
`
}

func apacheAround(rules string) string {
	return `
LoadModule mpm_event_module ROOT/usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module ROOT/usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module ROOT/usr/lib/apache2/modules/mod_headers.so
LoadModule proxy_module ROOT/usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module ROOT/usr/lib/apache2/modules/mod_proxy_http.so
ServerName localhost
User nobody
Listen LISTEN
PidFile FOLDER/apache.pid
DefaultRuntimeDir FOLDER
Mutex file:FOLDER
ErrorLog /dev/stderr
` + rules + "\n"
}

// start starts the gateway with a configuration before an Event.io, and returns its URL.
func (g gateway) start(t *testing.T, name, config, backend string) (base string, p *testenv.Program) {
	t.Helper()
	return startGateway(t, name, strings.ReplaceAll(config, "BACKEND", strings.TrimPrefix(backend, "http://")), nil)
}

// startGateway starts the gateway of that name with a configuration and other files in its folder, by their names.
func startGateway(t *testing.T, name, config string, files map[string]string) (base string, p *testenv.Program) {
	t.Helper()
	binary, err := testenv.Script(t.Context(), "gateways.sh", name)
	if err != nil {
		t.Fatalf("find %s: %v", name, err)
	}
	root := ""
	if filepath.Base(binary) == "run" { // one that was unpacked
		root = filepath.Dir(binary)
	}
	port, err := testenv.FreePort()
	succeeds(t, err)
	folder := t.TempDir()
	for dir := folder; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		succeeds(t, os.Chmod(dir, 0o755)) // a gateway that was started by root goes on as somebody else
	}
	fill := strings.NewReplacer("LISTEN", "127.0.0.1:"+strconv.Itoa(port), "PORT", strconv.Itoa(port), "FOLDER", folder, "ROOT", root,
		"CONFIG", filepath.Join(folder, "config.yaml"))
	write := func(file, text string) {
		succeeds(t, os.WriteFile(file, []byte(fill.Replace(text)), 0o644))
	}
	write(fill.Replace("CONFIG"), config)
	for file, text := range files {
		write(filepath.Join(folder, file), text)
	}
	args := make([]string, len(gatewayArgs[name]))
	for i, arg := range gatewayArgs[name] {
		args[i] = fill.Replace(arg)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	p = testenv.RunProgram(t, cmd)
	// nginx and Apache have workers, which outlive them when they are killed.
	t.Cleanup(func() {
		if err := p.End(syscall.SIGTERM); err != nil {
			t.Errorf("end %s: %v", name, err)
		}
	})
	base = "http://127.0.0.1:" + strconv.Itoa(port)
	testenv.Eventually(t, limit, name, func() error {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(base, "http://"), time.Second)
		if err != nil {
			return fmt.Errorf("%w; %s", err, p.Tail())
		}
		return conn.Close()
	})
	return base, p
}

// saidFrom sends a request from another loopback address, as another client of the gateway, which itself
// connects from 127.0.0.1.
func saidFrom(t *testing.T, address string, r *http.Request) answer {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}
	res, err := transport.RoundTrip(r)
	succeeds(t, err)
	return read(t, res)
}

// TestGateways: real gateways on the same machine, as they come and as docs/operations.md says.
func TestGateways(t *testing.T) {
	public := to("tickets.example.org")
	forged := []func(*http.Request){
		public, with("X-Forwarded-For", "198.51.100.1"), with("Forwarded", "for=198.51.100.2;proto=http;host=evil.example"),
		with("X-Real-Ip", "198.51.100.3"), with("X-Forwarded-Prefix", "/evil"), with("X-Forwarded-Port", "81"),
	}
	const client, another = "127.0.0.2", "127.0.0.3"
	for name, g := range gateways {
		t.Run(name, func(t *testing.T) {
			t.Run("as it comes, before a trusting one", func(t *testing.T) {
				s := serve(t)
				base, _ := g.start(t, name, g.usual, s.url)
				for _, path := range []string{"/", "/api/events", "/tickets/api/events"} {
					saidFrom(t, client, request(t, "GET", base+path, "", public)).refused(t, g.refusing)
				}
				saidFrom(t, client, request(t, "POST", base+s.event+"/cancel", "", public)).refused(t, g.refusing)
				s.untouched(t)
			})
			if silent := g.silent; silent != "" && os.Getuid() == 0 { // only root's gateways go on as another user
				t.Run("silent", func(t *testing.T) {
					s := serve(t)
					base, _ := g.start(t, name, silent, s.url)
					saidFrom(t, client, request(t, "POST", base+s.event+"/cancel", "")).refused(t, "EVENTIO_AUTH=token")
					s.untouched(t)
				})
			}
			named := []string{"EVENTIO_TRUSTED_PROXIES=127.0.0.1", "EVENTIO_RATE_LIMIT_LOGINS=3/m"}
			t.Run("as it comes, named", func(t *testing.T) {
				s := serve(t, named...)
				base, _ := g.start(t, name, g.usual, s.url)
				for range 4 {
					saidFrom(t, client, request(t, "POST", base+"/api/login", `{}`, public))
				}
				status := saidFrom(t, another, request(t, "POST", base+"/api/login", `{}`, public)).status
				tells := name == "caddy" || name == "apache2"
				if tells && status != http.StatusBadRequest || !tells && !s.Says("does not say who the client is") {
					t.Errorf("another client is told %d", status)
				}
			})
			t.Run("told, named", func(t *testing.T) {
				s := serve(t, named...)
				base, _ := g.start(t, name, g.told, s.url)
				signUp := `{"name":"Ada","email":"ada@example.org","password":"correct horse battery"}`
				a := saidFrom(t, client, request(t, "POST", base+"/api/users", signUp, public, with("Origin", "https://tickets.example.org")))
				cookie := a.header.Get("Set-Cookie")
				if a.status != http.StatusCreated || !strings.HasPrefix(cookie, "__Host-") || a.header.Get("Strict-Transport-Security") == "" {
					t.Fatalf("signing up: %d %s %v", a.status, a.body, a.header)
				}
				withCookie := with("Cookie", strings.Split(cookie, ";")[0])
				a = saidFrom(t, client, request(t, "POST", base+"/tickets/api/events", newEventBodyOfMine, public, withCookie, with("Origin", "https://tickets.example.org")))
				if location := a.header.Get("Location"); a.status != http.StatusCreated || !strings.HasPrefix(location, "/tickets/api/events/") {
					t.Fatalf("an event below a path: %d %s %v", a.status, a.body, a.header)
				}
				if a := saidFrom(t, client, request(t, "GET", base+a.header.Get("Location"), "", public)); a.status != http.StatusOK {
					t.Errorf("what Location says: %d %s", a.status, a.body)
				}
				if a := saidFrom(t, client, request(t, "POST", base+"/api/events", newEventBodyOfMine, public, withCookie, with("Origin", "https://evil.example"))); a.status != http.StatusForbidden {
					t.Errorf("another origin: %d", a.status)
				}
				for n := range 3 { // signing up was the first
					a := saidFrom(t, client, request(t, "POST", base+"/api/login", `{}`, forged...))
					if limited := a.status == http.StatusTooManyRequests; limited != (n == 2) {
						t.Errorf("log-in %d with forged headers: %d", n, a.status)
					}
				}
				if a := saidFrom(t, another, request(t, "POST", base+"/api/login", `{}`, public)); a.status != http.StatusBadRequest {
					t.Errorf("another client: %d", a.status)
				}
				a = saidFrom(t, another, request(t, "POST", base+"/api/events", newEventBodyOfMine, append(forged, withCookie)...))
				if location := a.header.Get("Location"); a.status != http.StatusCreated || !strings.HasPrefix(location, "/api/events/") {
					t.Errorf("a client's own prefix: %d %s %v", a.status, a.body, a.header)
				}
				if s.Says(`"level":"warn"`) && (s.Says("not understood") || s.Says("does not say")) {
					t.Error("what it sends is not understood")
				}
			})
		})
	}
}

// TestLiveThroughGateways: what happens is told through each gateway, as it comes, within a second of it,
// and not when a buffer is full.
func TestLiveThroughGateways(t *testing.T) {
	for name, g := range gateways {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "EVENTIO_TRUSTED_PROXIES=127.0.0.1", "EVENTIO_AUTH=trusted", "EVENTIO_HOSTS=tickets.example.org")
			base, _ := g.start(t, name, g.usual, s.url)
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			r := request(t, "GET", base+s.event+"/live", "", to("tickets.example.org"), with("Accept-Encoding", "gzip")).WithContext(ctx)
			transport := &http.Transport{DisableCompression: true}
			defer transport.CloseIdleConnections()
			res, err := transport.RoundTrip(r)
			succeeds(t, err)
			defer res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Fatalf("status %d", res.StatusCode)
			}
			next := streamed(t, res.Body)
			next(`"tickets_sold":0`)
			time.Sleep(time.Second / 2)
			began := time.Now()
			direct := request(t, "POST", s.url+s.event+"/registrations", `{"user_id":"aaaaaaaaaaaaaaaaaaaaaaaa"}`, with("Content-Type", "application/json"))
			if a := saidFrom(t, "127.0.0.1", direct); a.status != http.StatusCreated {
				t.Fatalf("register: %d %s", a.status, a.body)
			}
			next(`"tickets_sold":1`)
			if took := time.Since(began); took > time.Second {
				t.Errorf("it is told after %v", took)
			}
		})
	}
}

const newEventBodyOfMine = `{"title":"Opening","capacity":1,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`

// streamed returns what reads a stream up to the next line with a part.
func streamed(t *testing.T, stream io.Reader) (next func(part string)) {
	lines := bufio.NewScanner(stream)
	return func(part string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				return
			}
		}
		t.Fatalf("the stream ends before %q: %v", part, lines.Err())
	}
}
