package web

import (
	"fmt"
	"html"
	"io/fs"
	"math"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"
)

// What may be in the pages, the scripts and the style sheets.

var (
	inlineScript = regexp.MustCompile(`(?is)<script\b[^>]*>`)
	inlineStyle  = regexp.MustCompile(`(?i)<style\b|\sstyle\s*=`)
	inlineEvent  = regexp.MustCompile(`(?i)\son[a-z]+\s*=`)
	scriptURL    = regexp.MustCompile(`(?i)(javascript|data|blob|vbscript):`)
	reference    = regexp.MustCompile(`(?i)\s(?:src|href|action|formaction|poster|srcset)\s*=\s*"([^"]*)"`)
	moduleTag    = regexp.MustCompile(`^<script type="module" src="/assets/app-[a-z]+\.[0-9a-f]{16}\.js">$`)
	dataBlock    = regexp.MustCompile(`(?s)<script type="application/[a-z+]*json"[^>]*>.*?</script>`)
)

func TestNothingInline(t *testing.T) {
	for name, text := range documents(t) {
		modules := 0
		for _, script := range inlineScript.FindAllString(text, -1) {
			switch {
			case moduleTag.MatchString(script):
				modules++
			case script != `<script type="application/json" id="state">` && script != `<script type="application/ld+json">`:
				t.Errorf("%s: a script element %q", name, script)
			}
		}
		if modules != 1 || !strings.Contains(text, "></script>") {
			t.Errorf("%s: %d modules, want one without content", name, modules)
		}
		text = dataBlock.ReplaceAllString(text, "")
		text = strings.Replace(text, `href="data:image/svg+xml,`, `href="`, 1)
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
	cssAddress = regexp.MustCompile(`(?i)url\(|@import|image-set\(`)
	anotherOne = regexp.MustCompile(`(?i)\b(?:https?|wss?|ftp):|["'(=]\s*//`)
	svgName    = `xmlns="http://www.w3.org/2000/svg"` // a name, never fetched
	dangerous  = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|parseFromString|createContextualFragment|setHTML|srcdoc|\beval\(|new Function|setTimeout\(\s*['"\x60]|import\(`)
)

func TestEveryReferenceExists(t *testing.T) {
	used := map[string]bool{"/robots.txt": true, "/favicon.ico": true, "/favicon.svg": true}
	for name, text := range documents(t) {
		for _, match := range reference.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(html.UnescapeString(match[1]), "?")
			used[target] = true
			if target == "" || strings.HasPrefix(target, "#") || strings.HasPrefix(target, "data:") || target == "/docs" || strings.HasSuffix(target, "/attendees") {
				continue
			}
			if served.find(target) == nil {
				t.Errorf("%s refers to %q, which is not served", name, target)
			}
		}
		for _, match := range regexp.MustCompile(`(?:\sfor|aria-labelledby|aria-describedby)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			for id := range strings.FieldsSeq(match[1]) {
				if strings.Count(text, ` id="`+id+`"`) != 1 {
					t.Errorf("%s: %s names %q, which is not the id of one element", name, match[0], id)
				}
			}
		}
	}
	for address := range served.files {
		if !used[address] {
			t.Errorf("%s is served but nothing uses it", address)
		}
	}
	for address, text := range assetsOf(".css") {
		if found := cssAddress.FindString(text); found != "" {
			t.Errorf("%s loads something: %q", address, found)
		}
	}
}

// TestModulesFindTheirElements: each id that a module of a page asks for by name is in that page.
// Which pages run it is in main.js; what is not there for everybody is asked for with care.
func TestModulesFindTheirElements(t *testing.T) {
	asked := regexp.MustCompile(`byId\('([^']*)'\)(\?\.)?`)
	pageOf := map[string]string{
		"page-event": "/events/" + someID, "page-events": "/", "page-form": "/events/new", "page-manage": "/events/" + someID + "/manage", "guests": "/events/" + someID + "/manage",
		"page-registrations": "/registrations", "page-login": "/login", "page-account": "/account", "layout": "/", "session": "/",
	}
	for name, text := range modules(t) {
		address, ok := pageOf[strings.TrimSuffix(path.Base(name), ".js")]
		if !ok {
			continue
		}
		for _, cookie := range []string{"", "eventio_token=x"} {
			page := body(t, ask(t, http.MethodGet, address, "Cookie", cookie))
			for _, match := range asked.FindAllStringSubmatch(text, -1) {
				withCare := match[2] != "" || match[1] == "form" || match[1] == "log-out"
				if !withCare && strings.Count(page, ` id="`+match[1]+`"`) != 1 {
					t.Errorf("%s asks for %q, which %s has not", name, match[1], address)
				}
			}
		}
	}
}

func TestNothingFromAnotherOrigin(t *testing.T) {
	for _, address := range addresses() {
		text := dataBlock.ReplaceAllString(body(t, ask(t, http.MethodGet, address)), "")
		text = strings.NewReplacer(svgName, "", strings.ReplaceAll(svgName, `"`, "'"), "").Replace(text)
		if found := anotherOne.FindString(text); found != "" {
			t.Errorf("%s refers to another origin: %q", address, found)
		}
	}
}

func TestModulesNeverParseHTML(t *testing.T) {
	for address, text := range assetsOf(".js") {
		if found := dangerous.FindString(text); found != "" {
			t.Errorf("%s uses %q", address, found)
		}
	}
	for name, text := range modules(t) {
		for n, line := range strings.Split(text, "\n") {
			// The bundle strips the beginnings of lines, which must not be inside a text.
			if strings.Count(line, "`")%2 != 0 {
				t.Errorf("%s:%d: a template literal of several lines", name, n+1)
			}
		}
	}
}

// TestContrast: contrast as WCAG 2 counts it: 4.5 for text, 3 for edges of controls and for gauges.
func TestContrast(t *testing.T) {
	text := string(asset("assets/base.css"))
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

// TestEmbeddedFiles: a file that is embedded by mistake would be public.
func TestEmbeddedFiles(t *testing.T) {
	want := regexp.MustCompile(`^(pages/[a-z]+\.html|assets/[a-z-]+\.(js|css|svg)|text/[a-z]+\.json)$`)
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
