//go:build browser

package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/eventio/eventio/internal/testenv"
)

// TestNewcomer: somebody who knows nothing follows what the pages offer: makes an event, sees two people
// come, one of them wait and move up, and takes the guest list home.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	vera, second, third := newVisitor(t, browser, s), newVisitor(t, browser, s), newVisitor(t, browser, s)
	downloads := t.TempDir()
	if _, err := chromedp.Call(vera.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
		Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(vera.ctx).BrowserContextID, DownloadPath: downloads,
	}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	path := ""
	comes := func(v *visitor, name string) {
		v.t.Helper()
		v.open("/")
		v.click(".card a")
		v.at(path)
		v.click("#guest-signup")
		v.at("/signup")
		v.signUp(name, newEmail(), password)
		v.at(path)
		v.click("#register")
	}
	tell(t, map[string]*visitor{"vera": vera, "second": second, "third": third}, []step{
		{"an_event_is_made_after_signing_up_on_the_way", func(*testing.T) {
			vera.open("/")
			vera.click(`.nav a[href="/events/new"]`)
			vera.at("/events/new")
			vera.look("new-guest")
			vera.click(`#guest a[href^="/signup"]`)
			vera.at("/signup")
			vera.signUp("Vera Rubin", newEmail(), password)
			vera.at("/events/new")
			vera.fill(map[string]string{"title": "Sourdough workshop", "capacity": "1", "starts_at": time.Now().Add(48*time.Hour).Format(time.DateOnly) + "T18:00"})
			vera.do(chromedp.Focus(chromedp.CSS("#starts_at")), chromedp.KeyEvent(kb.Tab+kb.Tab+kb.Tab+kb.Tab+kb.Tab+kb.Tab+kb.Tab))
			vera.until(`document.getElementById('ends_at').value.endsWith('T20:00')`) // suggested
			vera.click("#waitlist")
			vera.look("new")
			vera.click("form button[type=submit]")
			vera.sees("flash", "Your event is announced")
			path = strings.TrimSuffix(must[string](vera, `location.pathname`), "/manage")
		}},
		{"a_second_person_registers_and_a_third_one_waits", func(*testing.T) {
			comes(second, "Nadia Murad")
			second.sees("feedback", "You are registered")
			second.look("newcomer-registered")
			comes(third, "Otto Hahn")
			third.sees("feedback", "You are next in line")
			vera.sees("sold", "1")
			vera.sees("waiting", "1")
			vera.sees("roster", "Otto Hahn")
		}},
		{"who_waits_moves_up_when_the_other_leaves", func(*testing.T) {
			second.click("#leave")
			second.sure()
			third.sees("flash", "You moved up")
			vera.sees("waiting", "0")
			vera.until(`document.querySelectorAll('#roster li').length === 1 && document.querySelector('#roster li').textContent.includes('Otto Hahn')`)
		}},
		{"the_guest_list_is_taken_home", func(t *testing.T) {
			vera.click("#csv")
			text := ""
			testenv.Eventually(t, waitLimit, "the file to come", func() error {
				files, err := filepath.Glob(filepath.Join(downloads, "*.csv"))
				if err != nil || len(files) == 0 {
					return os.ErrNotExist
				}
				data, err := os.ReadFile(files[0])
				text = string(data)
				return err
			})
			if !strings.Contains(text, "Otto Hahn") || strings.Contains(text, "Nadia Murad") || !strings.HasPrefix(text, "\ufeff") {
				t.Errorf("the file is %q", text)
			}
		}},
	})
	if took := time.Since(began); took > 3*time.Minute {
		t.Errorf("it took %v", took)
	}
}
