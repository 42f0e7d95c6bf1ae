//go:build browser

package web

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/eventio/eventio/internal/testenv"
)

// TestKeys: somebody makes a key on their account page, sees it once, uses it, and ends it.
func TestKeys(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	ada := newVisitor(t, browser, s)
	key := ""
	status := func() int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/api/session", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	tell(t, map[string]*visitor{"ada": ada}, []step{
		{"there_is_none_yet", func(*testing.T) {
			ada.open("/signup")
			ada.signUp("Ada", newEmail(), password)
			ada.open("/account")
			ada.sees("keys-none", "You have no keys")
			ada.look("account-keys")
		}},
		{"mistakes_are_shown_beside_their_fields", func(*testing.T) {
			ada.click("#read")
			ada.click("#key-form button[type=submit]")
			ada.sees("name-error", "needed")
			ada.sees("read-error", "at least one")
			ada.until(`document.activeElement.id === 'name'`)
			ada.look("account-keys-mistakes")
			ada.click("#read")
		}},
		{"it_is_shown_once", func(t *testing.T) {
			ada.fill(map[string]string{"name": "Box office " + hostile("key")})
			ada.click("#key-form button[type=submit]")
			ada.sees("key-made", "shown this once")
			ada.until(`document.activeElement.id === 'key-made'`)
			ada.sees("key-list", "Box office <img")
			ada.sees("key-list", "Not used yet")
			ada.look("account-key-made")
			if key = must[string](ada, `document.getElementById('key-text').textContent`); !strings.HasPrefix(key, "eventio_") {
				t.Errorf("the key is %q", key)
			}
			if got := status(); got != http.StatusOK {
				t.Errorf("with the key the answer is %d", got)
			}
			ada.open("/account")
			ada.sees("key-list", "Box office")
			if must[string](ada, `document.documentElement.outerHTML.includes('`+key+`') ? 'shown' : ''`) != "" {
				t.Error("the key is shown again")
			}
		}},
		{"it_is_ended", func(t *testing.T) {
			ada.click("#key-list button")
			ada.sees("confirm-title", "End the key Box office")
			ada.do(chromedp.Click("#confirm-yes"))
			ada.sees("keys-none", "You have no keys")
			ada.until(`document.activeElement.id === 'keys-title'`)
			testenv.Eventually(t, waitLimit, "the end of the key", func() error { return unless(status() == http.StatusUnauthorized) })
		}},
	})
}

// unless returns an error unless something is done.
func unless(done bool) error {
	if done {
		return nil
	}
	return errors.New("it is still taken")
}
