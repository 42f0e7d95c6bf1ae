//go:build browser

package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/eventio/eventio/internal/testenv"
)

// startEventio builds cmd/eventio, starts it on a free port with an empty store, and returns its
// base URL. The server is stopped when the test ends.
func startEventio(t testing.TB) string {
	t.Helper()
	if running := os.Getenv("EVENTIO_URL"); running != "" {
		return strings.TrimSuffix(running, "/")
	}
	dir := t.TempDir()
	if err := testenv.Build(t.Context(), dir, "eventio"); err != nil {
		t.Fatal(err)
	}
	server := testenv.RunProgram(t, exec.Command(filepath.Join(dir, "eventio"), "--addr", "127.0.0.1:0", "--data", filepath.Join(dir, "data")))
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	base, err := server.Find(t.Context(), "listening on ")
	if err != nil {
		t.Fatal(err)
	}
	return base
}

func findChromium(t testing.TB) string {
	t.Helper()
	var said bytes.Buffer
	find := exec.Command("sh", "../scripts/chromium.sh")
	find.Stderr = &said
	out, err := find.Output()
	if err != nil {
		t.Fatalf("find Chromium: %v\n%s", err, said.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// startChromium starts a browser with a profile of its own, which ends with the test.
func startChromium(t testing.TB) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
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

func newVisitor(t testing.TB, browser context.Context, base string) *visitor {
	t.Helper()
	v := &visitor{t: t, base: base}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(v.listen))
	t.Cleanup(cancel)
	v.ctx = ctx
	v.do(chromedp.EmulateViewport(1280, 800))
	return v
}

// listen records what the browser complains about. A refusal by the API is
// logged by Chromium as a failed load: that alone is no complaint.
func (v *visitor) listen(ev any) {
	complaint := ""
	switch ev := ev.(type) {
	case *cdplog.EventEntryAdded:
		address, err := url.Parse(ev.Entry.URL)
		refusal := ev.Entry.Source == cdplog.EntrySourceNetwork && err == nil && strings.HasPrefix(address.Path, "/api/")
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
	v.until(fmt.Sprintf(`document.readyState === 'complete' && location.pathname === %s && document.getElementById('account').hasChildNodes()`, quote(path)))
}

func (v *visitor) open(path string) {
	v.t.Helper()
	v.do(chromedp.Navigate(v.base + path))
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

// look judges the page as it is: nothing ran that should not, it fits, every
// control has a name. With SCREENSHOTS set it takes pictures.
func (v *visitor) look(name string) {
	v.t.Helper()
	if fired := must[string](v, `String(window.attacked)`); fired != "undefined" {
		v.t.Errorf("%s: stored script ran from %s", name, fired)
	}
	if n := must[int](v, `document.querySelectorAll('img, script:not([src]), style, [style], iframe').length`); n != 0 {
		v.t.Errorf("%s: %d elements that no page of ours has", name, n)
	}
	if n := must[int](v, `[...document.querySelectorAll('input, textarea')].filter((e) => !e.labels.length).length`); n != 0 {
		v.t.Errorf("%s: %d inputs without a label", name, n)
	}
	if n := must[int](v, `[...document.querySelectorAll('h1')].filter((e) => e.checkVisibility()).length`); n != 1 {
		v.t.Errorf("%s: %d visible h1", name, n)
	}
	if n := must[int](v, `[...document.querySelectorAll('a[href], button')].filter((e) => e.checkVisibility() && !e.textContent.trim()).length`); n != 0 {
		v.t.Errorf("%s: %d links or buttons without a name", name, n)
	}
	directory := os.Getenv("SCREENSHOTS")
	for _, width := range []int64{360, 1280} {
		v.do(chromedp.EmulateViewport(width, 800))
		if wide := must[int64](v, `document.documentElement.scrollWidth`); wide > width {
			v.t.Errorf("%s: %d px wide in a window of %d", name, wide, width)
		}
		for _, scheme := range []string{"dark", "light"} {
			if directory == "" {
				continue
			}
			if _, err := chromedp.Call(v.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			}); err != nil {
				v.t.Fatal(err)
			}
			picture, err := chromedp.Run(v.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				v.t.Fatal(err)
			}
			if err := os.MkdirAll(directory, 0o755); err != nil {
				v.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(directory, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)), picture, 0o644); err != nil {
				v.t.Fatal(err)
			}
		}
	}
}

// quote makes a JavaScript string literal.
func quote(s string) string {
	literal, _ := json.Marshal(s)
	return string(literal)
}

// newEvent fills the form for an event that starts tomorrow and returns the
// path of its page.
func (v *visitor) newEvent(title, description string, capacity int) string {
	v.t.Helper()
	v.open("/events/new")
	start := time.Now().Add(24 * time.Hour)
	v.fill(map[string]string{
		"title": title, "description": description, "capacity": fmt.Sprint(capacity),
		"starts_at": start.Format("2006-01-02T15:04"), "ends_at": start.Add(2 * time.Hour).Format("2006-01-02T15:04"),
	})
	v.click("form button[type=submit]")
	v.sees("flash", "Your event is announced.")
	v.sees("title", title)
	return must[string](v, `location.pathname`)
}

func newEmail() string { return "visitor-" + strings.ToLower(rand.Text()) + "@example.org" }

const password = "seventeen calm otters"
