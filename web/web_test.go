package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const someID = "66f0a1b2c3d4e5f600000101"

// unknown stands for the API's answer to an unknown path.
var unknown = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"code":"not_found"}`)
})

// fakeAPI stands for the routes of the API, by path. What is not there is 404.
type fakeAPI map[string]string

func (f fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, ok := f[r.URL.Path]
	if !ok {
		unknown(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/api/session" {
		w.Header().Set("Set-Cookie", "eventio_token=renewed; Path=/; HttpOnly")
	}
	w.Header().Set("Etag", `"1.1.upcoming.open"`)
	_, _ = io.WriteString(w, body)
}

const (
	attack    = `<img src=x onerror="window.attacked=1">`
	someEvent = `{"id":"` + someID + `","organizer_id":"66f0a1b2c3d4e5f600000001","title":"Night </script><script>alert(1)</script> & \u2028 \"quoted\"",` +
		`"description":"A <b>long</b> one.\nSecond line, with; signs","capacity":1200,"tickets_sold":1,"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z",` +
		`"created_at":"2026-11-24T11:03:57.432Z","place":"Hall \u003c3","time_zone":"Europe/Berlin","state":"upcoming","registration_state":"open"}`
)

// routes is the API that the pages of most tests ask.
func routes() fakeAPI {
	return fakeAPI{
		"/api/events/" + someID:                  someEvent,
		"/api/events/" + strings.ToUpper(someID): someEvent,
		"/api/events":                            "[" + someEvent + "]",
		"/api/session":                           `{"id":"66f0a1b2c3d4e5f600000001","name":"Ada \u003ci\u003e","email":"ada@example.org","session_expires_at":"2027-05-01T18:00:00Z"}`,
	}
}

func pages() *site { return Handler(unknown, routes()).(*site) }

var served = pages()

// ask sends one request to a Handler and returns its answer, checked for the
// headers that every answer has.
func ask(t testing.TB, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path, r.URL.RawPath = target, ""
	return send(t, r, header)
}

// askQuery is ask with a query.
func askQuery(t testing.TB, target, query string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.URL.Path, r.URL.RawQuery = target, query
	return send(t, r, header)
}

func send(t testing.TB, r *http.Request, header []string) *http.Response {
	t.Helper()
	method, target := r.Method, r.URL.Path
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	served.ServeHTTP(w, r)
	answer := w.Result()
	for name, want := range map[string]string{
		"Content-Security-Policy":    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
		"X-Content-Type-Options":     "nosniff",
		"Referrer-Policy":            "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s %s: %s = %q, want %q", method, target, name, got, want)
		}
	}
	return answer
}

func body(t testing.TB, answer *http.Response) string {
	t.Helper()
	all, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// addresses is every address a browser can be at, with an id in place of {id}.
func addresses() []string {
	all := slices.Sorted(maps.Keys(served.files))
	all = slices.AppendSeq(all, maps.Keys(fixedPages))
	for part := range eventPages {
		all = append(all, strings.TrimSuffix("/events/"+someID+"/"+part, "/"))
	}
	return all
}

// assetsOf are the assets with this ending, by path.
func assetsOf(ending string) map[string]string {
	found := make(map[string]string)
	for address, f := range served.files {
		if path.Ext(address) == ending {
			found[address] = string(f.plain)
		}
	}
	return found
}

// modules are the scripts as they are written.
func modules(t testing.TB) map[string]string {
	t.Helper()
	found := make(map[string]string)
	names, err := fs.Glob(embedded, "assets/*.js")
	if err != nil || len(names) == 0 {
		t.Fatal("no modules", err)
	}
	for _, name := range names {
		found[name] = string(asset(name))
	}
	return found
}

// documents is every HTML document served, by a name for messages.
func documents(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{"the page for unknown paths": body(t, ask(t, http.MethodGet, "/nothing", "Accept", "text/html"))}
	for _, language := range languages {
		for _, cookie := range []string{"", "eventio_token=x"} {
			for _, address := range addresses() {
				answer := ask(t, http.MethodGet, address, "Accept-Language", language, "Cookie", cookie)
				if answer.Header.Get("Content-Type") == htmlType {
					found[address+" "+language+" "+cookie] = body(t, answer)
				}
			}
		}
	}
	return found
}

func TestPages(t *testing.T) {
	for address, heading := range map[string]string{
		"/":                                  "<h1>What’s on</h1>",
		"/events/" + someID:                  `<h1 id="title"`,
		"/events/" + strings.ToUpper(someID): `<h1 id="title"`,
		"/events/" + someID + "/manage":      `<h1 dir="auto" id="title"`,
		"/events/" + someID + "/edit":        "<h1>Edit the event</h1>",
		"/events/new":                        "<h1>New event</h1>",
		"/registrations":                     "<h1>My registrations</h1>",
		"/account":                           "<h1>Your account</h1>",
		"/login":                             "<h1>Log in</h1>",
		"/signup":                            "<h1>Sign up</h1>",
		"/forgot":                            "<h1>Forgot your password?</h1>",
		"/reset":                             "<h1>A new password</h1>",
		"/prove":                             "<h1>Is this address yours?</h1>",
		"/mail":                              "<h1>Mails about events</h1>",
	} {
		t.Run("served "+address, func(t *testing.T) {
			answer := ask(t, http.MethodGet, address)
			text := body(t, answer)
			if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != htmlType {
				t.Fatalf("status %d, type %q", answer.StatusCode, answer.Header.Get("Content-Type"))
			}
			for _, want := range []string{heading, `<html lang="en">`, `class="skip" href="#main"`, `<main class="wrap" id="main"`, `aria-live="polite"`, `name="viewport"`} {
				if !strings.Contains(text, want) {
					t.Errorf("no %s", want)
				}
			}
		})
	}
}

func TestContentTypes(t *testing.T) {
	want := map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".ico": "image/svg+xml",
		".txt": "text/plain; charset=utf-8", ".ics": "text/calendar; charset=utf-8", "": htmlType,
	}
	for _, address := range addresses() {
		if got := ask(t, http.MethodGet, address).Header.Get("Content-Type"); got != want[path.Ext(address)] {
			t.Errorf("%s: type %q", address, got)
		}
	}
}

func TestCaching(t *testing.T) {
	for _, address := range addresses() {
		first := ask(t, http.MethodGet, address)
		tag, cache := first.Header.Get("ETag"), first.Header.Get("Cache-Control")
		want := "no-cache"
		if strings.HasPrefix(address, "/assets/") {
			want = "public, max-age=31536000, immutable"
		}
		if !regexp.MustCompile(`^"[\w-]{22}"$`).MatchString(tag) || cache != want {
			t.Errorf("%s: ETag %q, Cache-Control %q", address, tag, cache)
		}
		for condition, want := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200} {
			again := ask(t, http.MethodGet, address, "If-None-Match", condition)
			text := body(t, again)
			if again.StatusCode != want || (text == "") != (want == 304) {
				t.Errorf("%s with If-None-Match %s: %d and %d bytes, want %d", address, condition, again.StatusCode, len(text), want)
			}
		}
	}
	t.Run("a page for one person is not kept by others", func(t *testing.T) {
		answer := ask(t, http.MethodGet, "/", "Cookie", "eventio_token=x")
		if got := answer.Header.Get("Cache-Control"); got != "private, no-cache" {
			t.Errorf("Cache-Control %q", got)
		}
		if vary := strings.Join(answer.Header.Values("Vary"), ", "); !strings.Contains(vary, "Cookie") || !strings.Contains(vary, "Accept-Language") {
			t.Errorf("Vary %q", vary)
		}
	})
}

// TestAssetsAreNamedByTheirContent: an asset's name says what is in it, so that it may be kept for
// ever.
func TestAssetsAreNamedByTheirContent(t *testing.T) {
	n := 0
	for address, f := range served.files {
		if !strings.HasPrefix(address, "/assets/") {
			continue
		}
		n++
		sum := sha256.Sum256(f.plain)
		if !strings.Contains(address, fmt.Sprintf(".%x.", sum[:8])) {
			t.Errorf("%s is not named by its content", address)
		}
	}
	if n != 1+len(languages) {
		t.Errorf("%d assets, want a style sheet and a script for each language", n)
	}
}

func TestCompression(t *testing.T) {
	for _, address := range addresses() {
		plain := body(t, ask(t, http.MethodGet, address))
		packed := ask(t, http.MethodGet, address, "Accept-Encoding", "gzip, deflate, br")
		if len(plain) < smallBody {
			continue
		}
		if packed.Header.Get("Content-Encoding") != "gzip" || !slices.Contains(packed.Header.Values("Vary"), "Accept-Encoding") {
			t.Errorf("%s: %v", address, packed.Header)
			continue
		}
		reader, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(reader)
		if err != nil || string(got) != plain {
			t.Errorf("%s: unpacked it is not what it was: %v", address, err)
		}
	}
}

// TestAVisitIsSmall: what a first visit to an event loads, as it is sent: the page, the style
// sheet, the script.
func TestAVisitIsSmall(t *testing.T) {
	const most = 60 << 10
	for _, language := range languages {
		page := body(t, ask(t, http.MethodGet, "/events/"+someID, "Accept-Language", language))
		loaded := reference.FindAllStringSubmatch(page, -1)
		total, files := len(compress([]byte(page))), 0
		for _, match := range loaded {
			if f, ok := served.files[match[1]]; ok && f.forever {
				total += len(f.gzipped)
				files++
			}
		}
		if files != 2 || total > most {
			t.Errorf("%s: %d bytes in %d files and the page, want at most %d in 2", language, total, files, most)
		}
		t.Logf("%s: %d bytes", language, total)
	}
}

func TestMethods(t *testing.T) {
	for _, address := range addresses() {
		full := body(t, ask(t, http.MethodGet, address))
		head := ask(t, http.MethodHead, address)
		if head.StatusCode != 200 || body(t, head) != "" || head.Header.Get("Content-Length") != fmt.Sprint(len(full)) {
			t.Errorf("HEAD %s: %d, Content-Length %s", address, head.StatusCode, head.Header.Get("Content-Length"))
		}
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"} {
			answer := ask(t, method, address)
			if answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d, Allow %q", method, address, answer.StatusCode, answer.Header.Get("Allow"))
			}
			if text := body(t, answer); !strings.Contains(text, `"code":"method_not_allowed"`) {
				t.Errorf("%s %s: %s", method, address, text)
			}
		}
	}
}

func TestUnknownPaths(t *testing.T) {
	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, target := range []string{
		"", "//", "/index.html", "/nothing", "/Login", "/login.html", "/events", "/events/", "/events/{id}", "/login//", "/calendar", "/events/" + someID + "/calendar", "/events/" + someID + "/manage/more",
		"/events/" + someID[1:], "/events/" + someID + "0", "/events/" + someID[1:] + "g",
		"/events/" + strings.Repeat("١", 24), "/assets", "/assets/app.css", "/assets/main.js", "/text/en.json", "/assets/", "/assets/none.js", "/pages/layout.html", "/web.go",
		"/../web.go", "/assets/../web.go", "/assets/../pages/layout.html", "/assets/../../go.mod", "/assets/./app.css", "/assets//app.css",
		"//assets/app.css", `/assets\..\web.go`, "/assets/%2e%2e/web.go", "/assets/app.css\x00", "/assets/app.css%00",
		"/assets/../../../../../../etc/passwd", "/etc/passwd", "/..", "/.", "/.git/config", "/events/../web.go",
	} {
		t.Run(fmt.Sprintf("404 %q", target), func(t *testing.T) {
			for _, accept := range []string{"", "*/*", "application/json", "text/*", "text/htmlx"} {
				answer := ask(t, http.MethodGet, target, "Accept", accept)
				if text := body(t, answer); answer.StatusCode != 404 || text != `{"code":"not_found"}` {
					t.Errorf("Accept %q: %d %.60s, want the answer of unknown", accept, answer.StatusCode, text)
				}
			}
			answer := ask(t, http.MethodGet, target, "Accept", browser)
			if text := body(t, answer); answer.StatusCode != 404 || !strings.Contains(text, "<h1>Nothing here</h1>") {
				t.Errorf("browser: %d %.60s, want the page", answer.StatusCode, text)
			}
			if answer.Header.Get("Vary") != "Accept" || answer.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("browser: Vary %q, Cache-Control %q", answer.Header.Get("Vary"), answer.Header.Get("Cache-Control"))
			}
			if answer := ask(t, http.MethodPost, target, "Accept", browser); answer.StatusCode != 404 || body(t, answer) != `{"code":"not_found"}` {
				t.Errorf("POST: %d, want the answer of unknown", answer.StatusCode)
			}
		})
	}
	t.Run("a slash too many is taken away", func(t *testing.T) {
		for target, want := range map[string]string{
			"/login/": "/login", "/events/new/": "/events/new", "/events/" + someID + "/": "/events/" + someID,
			"/events/" + someID + "/manage/": "/events/" + someID + "/manage", "/robots.txt/": "/robots.txt",
		} {
			if answer := ask(t, http.MethodGet, target); answer.StatusCode != 301 || answer.Header.Get("Location") != want {
				t.Errorf("%s: %d to %q, want %q", target, answer.StatusCode, answer.Header.Get("Location"), want)
			}
		}
	})
	t.Run("the page for all has no link to where it was asked for", func(t *testing.T) {
		if text := body(t, ask(t, http.MethodGet, "//example.org/x", "Accept", browser)); strings.Contains(text, "example.org") {
			t.Error("a stranger's path is in the page")
		}
	})
	t.Run("nil unknown means the page for all", func(t *testing.T) {
		w := httptest.NewRecorder()
		Handler(nil, nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nothing", nil))
		if w.Code != 404 || !bytes.Contains(w.Body.Bytes(), []byte("Nothing here")) {
			t.Errorf("%d %.60s", w.Code, w.Body)
		}
	})
}

// TestTraversalOverTheWire: over a real connection nothing cleans the path before the handler sees
// it.
func TestTraversalOverTheWire(t *testing.T) {
	server := httptest.NewServer(served)
	defer server.Close()
	for _, raw := range []string{"/assets/..%2fweb.go", "/assets/%2e%2e/web.go", "/..%5cweb.go", "/assets/..%252fweb.go", "/assets/%2e%2e%2f%2e%2e%2fgo.mod", "/assets/app.css%00"} {
		answer, err := server.Client().Get(server.URL + raw)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != 404 {
			t.Errorf("%s: %d, want 404", raw, answer.StatusCode)
		}
	}
}

func BenchmarkPage(b *testing.B) {
	h := served
	r := httptest.NewRequest(http.MethodGet, "/events/"+someID, nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
