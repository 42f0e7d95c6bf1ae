package web

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// pagesOf makes pages over an API whose list of events has these pages; one that is "" fails.
func pagesOf(o Settings, pages ...string) (handler http.Handler, asked *[]string) {
	asked = new([]string)
	routes := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := len(*asked)
		*asked = append(*asked, r.URL.String())
		if n >= len(pages) || pages[n] == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if n+1 < len(pages) {
			w.Header().Set("Link", fmt.Sprintf(`<%s/api/events?limit=1000&cursor=%d>; rel="next"`, "", n+1))
		}
		_, _ = w.Write([]byte(pages[n]))
	})
	return o.Handler(nil, routes), asked
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestSitemap(t *testing.T) {
	const base = "https://events.example.org/tickets"
	one := `[{"id":"6b056f1db8a8b20890367b26","state":"upcoming"},{"id":"6b056f1db8a8b20890367b27","state":"cancelled"}]`
	two := `[{"id":"6b056f1db8a8b20890367b28","state":"upcoming"}]`

	t.Run("off", func(t *testing.T) {
		h, _ := pagesOf(Settings{}, one)
		if w := get(h, sitemapPath); w.Code != http.StatusNotFound || strings.Contains(get(h, "/robots.txt").Body.String(), "Sitemap") {
			t.Errorf("it is %d", w.Code)
		}
	})
	t.Run("all_pages_of_coming_events_are_listed_and_kept", func(t *testing.T) {
		h, asked := pagesOf(Settings{base}, one, two)
		for range 2 {
			w := get(h, sitemapPath)
			var list urlSet
			if err := xml.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK || w.Header().Get("Content-Type") != sitemapType {
				t.Fatalf("%d %v %v", w.Code, w.Header(), err)
			}
			want := fmt.Sprint([]sitemapURL{{base + "/"}, {base + "/events/6b056f1db8a8b20890367b26"}, {base + "/events/6b056f1db8a8b20890367b28"}})
			if got := fmt.Sprint(list.URLs); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if len(*asked) != 2 || !strings.Contains((*asked)[0], "from=20") || !strings.Contains((*asked)[1], "cursor=1") {
			t.Errorf("asked %q", *asked)
		}
		if text := get(h, "/robots.txt").Body.String(); !strings.HasSuffix(text, "\nSitemap: "+base+"/sitemap.xml\n") {
			t.Errorf("robots.txt is %s", text)
		}
	})
	t.Run("what_cannot_be_made_is_asked_for_again", func(t *testing.T) {
		h, asked := pagesOf(Settings{base}, one, "", one, two)
		if w := get(h, sitemapPath); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("it is %d %v", w.Code, w.Header())
		}
		if w := get(h, sitemapPath); w.Code != http.StatusOK || len(*asked) != 4 {
			t.Errorf("it is %d after %d questions", w.Code, len(*asked))
		}
	})
}
