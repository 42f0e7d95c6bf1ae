package web

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
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

// ask sends one request to a Handler and returns its answer, checked for the
// headers that every answer has.
func ask(t testing.TB, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path, r.URL.RawPath = target, ""
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler(unknown).ServeHTTP(w, r)
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

// served is every address a browser can be at, with an id in place of {id}.
func served() []string {
	var addresses []string
	for _, route := range slices.Sorted(maps.Keys(files)) {
		addresses = append(addresses, strings.ReplaceAll(route, "{id}", someID))
	}
	return addresses
}

// documents is every HTML document served, by a name for messages.
func documents(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{"the page for unknown paths": string(notFound.body)}
	for _, address := range served() {
		answer := ask(t, http.MethodGet, address)
		if answer.Header.Get("Content-Type") == htmlType {
			found[address] = body(t, answer)
		}
	}
	return found
}

func TestPages(t *testing.T) {
	for address, heading := range map[string]string{
		"/":                                  "<h1>Events</h1>",
		"/events/" + someID:                  `<h1 id="title"`,
		"/events/" + strings.ToUpper(someID): `<h1 id="title"`,
		"/events/new":                        "<h1>New event</h1>",
		"/login":                             "<h1>Log in</h1>",
		"/signup":                            "<h1>Sign up</h1>",
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
	for ending, want := range map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", "": htmlType,
	} {
		n := 0
		for _, address := range served() {
			if path.Ext(address) != ending {
				continue
			}
			n++
			if got := ask(t, http.MethodGet, address).Header.Get("Content-Type"); got != want {
				t.Errorf("%s: type %q, want %q", address, got, want)
			}
		}
		if n == 0 {
			t.Errorf("nothing served ends in %q", ending)
		}
	}
}

func TestCaching(t *testing.T) {
	tags := map[string]string{}
	for _, address := range served() {
		first := ask(t, http.MethodGet, address)
		tag := first.Header.Get("ETag")
		if !regexp.MustCompile(`^"[\w-]{22}"$`).MatchString(tag) || first.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: ETag %q, Cache-Control %q", address, tag, first.Header.Get("Cache-Control"))
		}
		if other := tags[tag]; other != "" {
			t.Errorf("%s and %s have the same ETag", address, other)
		}
		tags[tag] = address

		for condition, want := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200} {
			again := ask(t, http.MethodGet, address, "If-None-Match", condition)
			text := body(t, again)
			if again.StatusCode != want || (text == "") != (want == 304) {
				t.Errorf("%s with If-None-Match %s: %d and %d bytes, want %d", address, condition, again.StatusCode, len(text), want)
			}
		}
	}
}

func TestMethods(t *testing.T) {
	for _, address := range served() {
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
		"", "//", "/index.html", "/nothing", "/Login", "/login/", "/login.html", "/events", "/events/", "/events/{id}",
		"/events/" + someID + "/", "/events/" + someID[1:], "/events/" + someID + "0", "/events/" + someID[1:] + "g",
		"/events/" + strings.Repeat("١", 24), "/events/new/", "/assets", "/assets/", "/assets/none.js", "/pages/layout.html", "/web.go",
		"/../web.go", "/assets/../web.go", "/assets/../pages/layout.html", "/assets/../../go.mod", "/assets/./app.css", "/assets//app.css",
		"//assets/app.css", `/assets\..\web.go`, "/assets/%2e%2e/web.go", "/assets/app.css/", "/assets/app.css\x00", "/assets/app.css%00",
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
	t.Run("nil unknown means the page for all", func(t *testing.T) {
		w := httptest.NewRecorder()
		Handler(nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nothing", nil))
		if w.Code != 404 || !bytes.Contains(w.Body.Bytes(), []byte("Nothing here")) {
			t.Errorf("%d %.60s", w.Code, w.Body)
		}
	})
}

// Over a real connection nothing cleans the path before the handler sees it.
func TestTraversalOverTheWire(t *testing.T) {
	server := httptest.NewServer(Handler(unknown))
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

var (
	inlineScript = regexp.MustCompile(`(?is)<script\b[^>]*>`)
	inlineStyle  = regexp.MustCompile(`(?i)<style\b|\sstyle\s*=`)
	inlineEvent  = regexp.MustCompile(`(?i)\son[a-z]+\s*=`)
	scriptURL    = regexp.MustCompile(`(?i)(javascript|data|blob|vbscript):`)
	reference    = regexp.MustCompile(`(?i)\s(?:src|href|action|formaction|poster|srcset)\s*=\s*"([^"]*)"`)
	moduleTag    = regexp.MustCompile(`^<script type="module" src="/assets/[\w-]+\.js">$`)
)

func TestNothingInline(t *testing.T) {
	for name, text := range documents(t) {
		scripts := inlineScript.FindAllString(text, -1)
		if len(scripts) != 1 || !moduleTag.MatchString(scripts[0]) {
			t.Errorf("%s: scripts %q, want one module", name, scripts)
		}
		if !strings.Contains(text, "></script>") {
			t.Errorf("%s: the script element has content", name)
		}
		for _, forbidden := range []*regexp.Regexp{inlineStyle, inlineEvent, scriptURL} {
			if found := forbidden.FindString(text); found != "" {
				t.Errorf("%s: inline %q", name, found)
			}
		}
		if strings.Contains(text, "ZgotmplZ") {
			t.Errorf("%s: the template engine refused a value", name)
		}
	}
}

var (
	imported   = regexp.MustCompile(`(?m)(?:\bfrom|^import)\s+'([^']*)'`)
	cssAddress = regexp.MustCompile(`(?i)url\(|@import|image-set\(`)
	anotherOne = regexp.MustCompile(`(?i)\b(?:https?|wss?|ftp):|["'(=]\s*//`)
	svgName    = `xmlns="http://www.w3.org/2000/svg"` // a name, never fetched
	dangerous  = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|parseFromString|createContextualFragment|setHTML|srcdoc|\beval\(|new Function|setTimeout\(\s*['"\x60]|import\(`)
)

func TestEveryReferenceExists(t *testing.T) {
	used := map[string]bool{}
	need := func(from, target string) {
		t.Helper()
		target, _, _ = strings.Cut(target, "?")
		if strings.HasPrefix(target, "#") {
			return
		}
		if _, ok := find(target); !ok {
			t.Errorf("%s refers to %q, which is not served", from, target)
		}
		used[target] = true
	}
	for name, text := range documents(t) {
		for _, match := range reference.FindAllStringSubmatch(text, -1) {
			need(name, match[1])
		}
		for _, match := range regexp.MustCompile(`(?:\sfor|aria-labelledby|aria-describedby)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			for id := range strings.FieldsSeq(match[1]) {
				if strings.Count(text, ` id="`+id+`"`) != 1 {
					t.Errorf("%s: %s names %q, which is not the id of one element", name, match[0], id)
				}
			}
		}
	}
	for _, address := range served() {
		switch path.Ext(address) {
		case ".js":
			text := body(t, ask(t, http.MethodGet, address))
			for _, match := range imported.FindAllStringSubmatch(text, -1) {
				need(address, path.Join(path.Dir(address), match[1]))
			}
		case ".css":
			if found := cssAddress.FindString(body(t, ask(t, http.MethodGet, address))); found != "" {
				t.Errorf("%s loads something: %q", address, found)
			}
		}
	}
	for _, address := range served() {
		if strings.HasPrefix(address, "/assets/") && !used[address] {
			t.Errorf("%s is served but nothing uses it", address)
		}
	}
}

// Each id that a module asks for by name is in each page that loads the module.
func TestModulesFindTheirElements(t *testing.T) {
	asked := regexp.MustCompile(`byId\('([^']*)'\)`)
	for name, text := range documents(t) {
		queue := []string{regexp.MustCompile(`src="([^"]*)"`).FindStringSubmatch(text)[1]}
		for i := 0; i < len(queue); i++ {
			module := body(t, ask(t, http.MethodGet, queue[i]))
			for _, match := range asked.FindAllStringSubmatch(module, -1) {
				if strings.Count(text, ` id="`+match[1]+`"`) != 1 {
					t.Errorf("%s: %s asks for %q", name, queue[i], match[1])
				}
			}
			for _, match := range imported.FindAllStringSubmatch(module, -1) {
				if next := path.Join("/assets", match[1]); !slices.Contains(queue, next) {
					queue = append(queue, next)
				}
			}
		}
	}
}

func TestNothingFromAnotherOrigin(t *testing.T) {
	for _, address := range served() {
		text := strings.ReplaceAll(body(t, ask(t, http.MethodGet, address)), svgName, "")
		if found := anotherOne.FindString(text); found != "" {
			t.Errorf("%s refers to another origin: %q", address, found)
		}
	}
}

func TestModulesNeverParseHTML(t *testing.T) {
	for _, address := range served() {
		if path.Ext(address) != ".js" {
			continue
		}
		if found := dangerous.FindString(body(t, ask(t, http.MethodGet, address))); found != "" {
			t.Errorf("%s uses %q", address, found)
		}
	}
}

// Contrast as WCAG 2 counts it: 4.5 for text, 3 for edges of controls and for gauges.
func TestContrast(t *testing.T) {
	text := body(t, ask(t, http.MethodGet, "/assets/app.css"))
	light, dark, ok := strings.Cut(text, "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark scheme")
	}
	dark, _, _ = strings.Cut(dark, "/* ---- ground ---- */")
	colour := regexp.MustCompile(`--([\w-]+): (#[0-9a-f]{6});`)
	for scheme, rules := range map[string]string{"light": light, "dark": dark} {
		luminance := map[string]float64{}
		for _, match := range colour.FindAllStringSubmatch(rules, -1) {
			luminance[match[1]] = relativeLuminance(t, match[2])
		}
		for _, pair := range []struct {
			front, grounds string
			want           float64
		}{
			{"ink", "paper card", 4.5}, {"soft", "paper card", 4.5}, {"accent", "paper card", 4.5}, {"accent-strong", "paper card", 4.5},
			{"on-accent", "accent accent-strong", 4.5}, {"on-stub", "stub", 4.5},
			{"good", "good-ground", 4.5}, {"warn", "warn-ground", 4.5}, {"bad", "bad-ground card", 4.5},
			{"edge", "paper card", 3}, {"gauge", "gauge-ground", 3}, {"gauge-mid", "gauge-ground", 3}, {"gauge-full", "gauge-ground", 3},
		} {
			for ground := range strings.FieldsSeq(pair.grounds) {
				a, okA := luminance[pair.front]
				b, okB := luminance[ground]
				if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); !okA || !okB || got < pair.want {
					t.Errorf("%s: %s on %s has %.2f, want %.1f", scheme, pair.front, ground, got, pair.want)
				}
			}
		}
	}
}

func relativeLuminance(t testing.TB, hex string) float64 {
	t.Helper()
	var channels [3]uint8
	if _, err := fmt.Sscanf(hex, "#%2x%2x%2x", &channels[0], &channels[1], &channels[2]); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		linear := float64(channels[i]) / 255
		if linear <= 0.04045 {
			linear /= 12.92
		} else {
			linear = math.Pow((linear+0.055)/1.055, 2.4)
		}
		sum += weight * linear
	}
	return sum
}

// A file that is embedded by mistake would be public.
func TestEmbeddedFiles(t *testing.T) {
	want := regexp.MustCompile(`^(pages/[a-z]+\.html|assets/[a-z-]+\.(js|css|svg))$`)
	err := fs.WalkDir(embedded, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !want.MatchString(name) {
			t.Errorf("%s is embedded", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkPage(b *testing.B) {
	h := Handler(unknown)
	r := httptest.NewRequest(http.MethodGet, "/events/"+someID, nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
