//go:build browser

package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/eventio/eventio/internal/testenv"
)

func findChromium(t testing.TB) string {
	t.Helper()
	path, err := testenv.Script(t.Context(), "chromium.sh")
	if err != nil {
		t.Fatalf("find Chromium: %v", err)
	}
	return path
}

// startChromium starts a browser with a profile of its own, which ends with the test.
func startChromium(t testing.TB) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.Flag("lang", "en-GB"),
		chromedp.ExecPath(findChromium(t)),
		chromedp.NoSandbox, // containers and CI run as root
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancelAllocator)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // starts it; the context of this call bounds its life
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// visitor is one person: a window with cookies and storage of its own.
type visitor struct {
	t    testing.TB
	ctx  context.Context
	base string

	mu         sync.Mutex
	complaints []string // console errors, exceptions, CSP reports
}

func newVisitor(t testing.TB, browser context.Context, s *service) *visitor {
	t.Helper()
	v := &visitor{t: t, base: s.base}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(v.listen))
	t.Cleanup(cancel)
	v.ctx = ctx
	v.do(chromedp.EmulateViewport(1280, 800))
	v.zone("Europe/Berlin")
	return v
}

// newTab is another tab of the same browser.
func newTab(of *visitor) *visitor {
	of.t.Helper()
	v := &visitor{t: of.t, base: of.base}
	ctx, cancel := chromedp.NewContext(of.ctx, chromedp.WithListener(v.listen))
	of.t.Cleanup(cancel)
	v.ctx = ctx
	v.do(chromedp.EmulateViewport(1280, 800))
	return v
}

func (v *visitor) clearCookies() {
	v.t.Helper()
	if _, err := chromedp.Call(v.ctx, network.ClearBrowserCookies, cdp.Empty{}); err != nil {
		v.t.Fatal(err)
	}
}

// listen records what the browser complains about. A refusal by the API is
// logged by Chromium as a failed load: that alone is no complaint.
func (v *visitor) listen(ev any) {
	complaint := ""
	switch ev := ev.(type) {
	case *cdplog.EventEntryAdded:
		address, err := url.Parse(ev.Entry.URL)
		// A page that is not there is one too.
		refusal := ev.Entry.Source == cdplog.EntrySourceNetwork && err == nil && (strings.Contains(address.Path, "/api/") || strings.Contains(ev.Entry.Text, "404"))
		if (ev.Entry.Level == cdplog.EntryLevelError || ev.Entry.Level == cdplog.EntryLevelWarning) && !refusal {
			complaint = fmt.Sprintf("%s: %s (%s)", ev.Entry.Source, ev.Entry.Text, ev.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		complaint = "exception: " + ev.ExceptionDetails.Text
		if ev.ExceptionDetails.Exception != nil {
			complaint += " " + ev.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		complaint = fmt.Sprintf("console.%s", ev.Type)
		for _, arg := range ev.Args {
			complaint += " " + string(arg.Value) + arg.Description
		}
	}
	if complaint != "" {
		v.mu.Lock()
		v.complaints = append(v.complaints, complaint)
		v.mu.Unlock()
	}
}

func (v *visitor) complained() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.complaints)
}

func (v *visitor) do(steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.ctx, waitLimit)
	defer cancel()
	if ctx.Err() == nil && chromedp.FromContext(v.ctx).Target == nil {
		ctx = v.ctx // the first call opens the window and bounds its life
	}
	if err := chromedp.Do(ctx, steps...); err != nil {
		v.t.Fatalf("%v\n%s", err, v.describe())
	}
}

// eval evaluates an expression of the type T in the page.
func eval[T any](v *visitor, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(v.ctx, waitLimit)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

func must[T any](v *visitor, expression string) T {
	v.t.Helper()
	value, err := eval[T](v, expression)
	if err != nil {
		v.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits for an expression to become true, across navigations.
func (v *visitor) until(expression string) {
	v.t.Helper()
	deadline := time.Now().Add(waitLimit)
	for {
		ok, err := eval[bool](v, "Boolean("+expression+")")
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			v.t.Fatalf("never true: %s (%v)\n%s", expression, err, v.describe())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// sees waits until the element with this id is shown with this text in it.
func (v *visitor) sees(id, text string) {
	v.t.Helper()
	v.until(fmt.Sprintf(`document.getElementById(%q)?.checkVisibility() && document.getElementById(%[1]q).textContent.includes(%s)`, id, quote(text)))
}

// at waits until the page at this path is there and has run.
func (v *visitor) at(path string) {
	v.t.Helper()
	v.until(fmt.Sprintf(`document.readyState === 'complete' && location.pathname === %s && document.documentElement.dataset.ready !== undefined`, quote(path)))
}

func (v *visitor) open(path string) {
	v.t.Helper()
	v.do(chromedp.Navigate(v.base + path))
	path, _, _ = strings.Cut(path, "?")
	v.at(path)
}

func (v *visitor) fill(values map[string]string) {
	v.t.Helper()
	for id, value := range values {
		typed := !strings.HasSuffix(id, "_at") // how a date is typed depends on the locale
		start := value
		if typed {
			start = ""
		}
		v.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.getElementById(%q).value = %s`, id, quote(start))))
		if typed {
			v.do(chromedp.SendKeys(chromedp.CSS("#"+id), value))
		}
	}
}

func (v *visitor) click(selector string) {
	v.t.Helper()
	v.do(chromedp.Click(chromedp.CSS(selector)))
}

func (v *visitor) signUp(name, email, password string) {
	v.t.Helper()
	v.fill(map[string]string{"name": name, "email": email, "password": password})
	v.click("form button[type=submit]")
	v.sees("flash", "Welcome, "+name)
	v.sees("account", name)
}

func (v *visitor) describe() string {
	text, err := eval[string](v, `location.href + "\n" + document.body.innerText`)
	return fmt.Sprintf("page (%v): %s\ncomplaints: %q", err, text, v.complained())
}

// look judges the page as it is: nothing ran that should not, and axe finds nothing.
func (v *visitor) look(name string) {
	v.t.Helper()
	if fired := must[string](v, `String(window.attacked)`); fired != "undefined" {
		v.t.Errorf("%s: stored script ran from %s", name, fired)
	}
	if n := must[int](v, `document.querySelectorAll('img, script:not([src]):not([type$=json]), style, [style], iframe').length`); n != 0 {
		v.t.Errorf("%s: %d elements that no page of ours has", name, n)
	}
	if n := must[int](v, `[...document.querySelectorAll('h1')].filter((e) => e.checkVisibility()).length`); n != 1 {
		v.t.Errorf("%s: %d visible h1", name, n)
	}
	if n := must[int](v, `[...document.querySelectorAll('a[href], button')].filter((e) => e.checkVisibility() && !e.textContent.trim()).length`); n != 0 {
		v.t.Errorf("%s: %d links or buttons without a name", name, n)
	}
	v.judge(name)
}

// mode is what people set their browsers to.
type mode struct {
	name     string
	features []*emulation.MediaFeature
	axe      []int64 // widths at which axe looks: another scheme changes colours only
}

func modes() []mode {
	return []mode{
		{"dark", []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}, []int64{390}},
		{"forced", []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}, {Name: "prefers-reduced-motion", Value: "reduce"}}, []int64{390}},
		{"light", []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "light"}}, []int64{390, 1280}},
	}
}

// judge has axe look at the page in each mode, on a phone and on a desk, and keeps a picture of each.
func (v *visitor) judge(name string) {
	v.t.Helper()
	pictures := os.Getenv("SCREENSHOTS")
	if pictures == "" {
		pictures = v.t.ArtifactDir()
	}
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		v.t.Fatal(err)
	}
	if there := must[bool](v, `'axe' in window`); !there {
		v.do(chromedp.Evaluate[chromedp.Void](axeCore(v.t)))
	}
	for _, mode := range modes() {
		if _, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: mode.features}); err != nil {
			v.t.Fatal(err)
		}
		for _, width := range []int64{320, 390, 1280} {
			v.do(chromedp.EmulateViewport(width, 800))
			if wide := must[int64](v, `document.documentElement.scrollWidth`); wide > width {
				v.t.Errorf("%s: %d px wide in a window of %d", name, wide, width)
			}
			if n := must[int](v, `(() => {
				const boxes = [...document.querySelectorAll('.top a, .top button')].filter((e) => e.checkVisibility()).map((e) => e.getBoundingClientRect());
				return boxes.filter((a, i) => boxes.slice(i + 1).some((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)).length;
			})()`); n != 0 {
				v.t.Errorf("%s: at %d px %d things of the header lie over others", name, width, n)
			}
			if width == 320 {
				continue
			}
			v.picture(filepath.Join(pictures, fmt.Sprintf("%s-%d-%s.png", name, width, mode.name)))
			if !slices.Contains(mode.axe, width) {
				continue
			}
			// Contrast in forced colours is the visitor's own choice.
			ctx, cancel := context.WithTimeout(v.ctx, waitLimit)
			found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`axe.run(document, {
				runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
				rules: {'color-contrast': {enabled: `+fmt.Sprint(mode.name != "forced")+`}},
			}).then(({violations}) => violations.map((each) => each.id + ': ' + each.nodes.map((node) => node.html + ' ' + node.failureSummary).join(' | ')))`, chromedp.EvalAwaitPromise))
			cancel()
			if err != nil {
				v.t.Fatalf("%s: axe: %v", name, err)
			}
			for _, each := range found {
				v.t.Errorf("%s, %s, %d px: %s", name, mode.name, width, each)
			}
		}
	}
	if _, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{}); err != nil {
		v.t.Fatal(err)
	}
}

// picture stores how the page looks from its top down. Chromium draws no page that is longer than 16,384 pixels,
// and the description of the API on a phone is.
func (v *visitor) picture(file string) {
	v.t.Helper()
	const longest = 16000
	size, err := chromedp.Run(v.ctx, chromedp.Evaluate[[]float64](
		`[document.documentElement.clientWidth, document.documentElement.scrollHeight]`))
	if err != nil {
		v.t.Fatal(err)
	}
	beyond := true
	picture, err := chromedp.Call(v.ctx, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{
		CaptureBeyondViewport: &beyond,
		Clip:                  &cdppage.Viewport{Width: size[0], Height: min(size[1], longest), Scale: 1},
	})
	if err != nil {
		v.t.Fatal(err)
	}
	if err := os.WriteFile(file, picture.Data, 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// axeCore is the source of axe.
func axeCore(t testing.TB) string {
	t.Helper()
	path, err := testenv.Script(t.Context(), "axe.sh")
	if err != nil {
		t.Fatalf("find axe: %v", err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// zone says where the visitor is.
func (v *visitor) zone(name string) {
	v.t.Helper()
	if _, err := chromedp.Call(v.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name}); err != nil {
		v.t.Fatal(err)
	}
}

// quote makes a JavaScript string literal.
func quote(s string) string {
	literal, _ := json.Marshal(s)
	return string(literal)
}

// signedUp makes an account for a visitor, in the page that they are at.
func (v *visitor) signedUp(name string) {
	v.t.Helper()
	v.open("/signup")
	v.signUp(name, newEmail(), password)
}

// newEvent fills the form for an event that starts tomorrow and returns the path of its page.
func (v *visitor) newEvent(values map[string]string) string {
	v.t.Helper()
	v.open("/events/new")
	start := time.Now().Add(24 * time.Hour)
	all := map[string]string{
		"title": "Observatory night", "capacity": "1",
		"starts_at": start.Format("2006-01-02T15:04"), "ends_at": start.Add(2 * time.Hour).Format("2006-01-02T15:04"),
	}
	maps.Copy(all, values)
	v.fill(all)
	v.click("form button[type=submit]")
	v.sees("flash", "Your event is announced.")
	v.sees("title", all["title"])
	return strings.TrimSuffix(must[string](v, `location.pathname`), "/manage")
}

// sure answers the question that the page asks before it does something for good.
func (v *visitor) sure() {
	v.t.Helper()
	v.until(`document.getElementById('confirm').open`)
	v.click("#confirm-yes")
}

func newEmail() string { return "visitor-" + strings.ToLower(rand.Text()) + "@example.org" }

const password = "seventeen calm otters"
