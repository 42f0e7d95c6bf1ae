package web

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Settings say how the pages are served. The zero value is the default.
type Settings struct {
	// Sitemap is where people reach the pages, like https://events.example.org, with no slash at the end.
	// /sitemap.xml then lists the pages of coming events there, and /robots.txt names it. "": there
	// is no list.
	Sitemap string
}

// Handler is as the function Handler, by the settings.
func (o Settings) Handler(unknown, api http.Handler) http.Handler {
	s := newSite(unknown, api)
	if o.Sitemap != "" {
		s.sitemap = &sitemap{base: o.Sitemap}
		s.files["/robots.txt"] = newFile([]byte(robots+"\nSitemap: "+o.Sitemap+sitemapPath+"\n"), textType)
	}
	return s
}

const (
	sitemapPath = "/sitemap.xml"
	sitemapType = "application/xml; charset=utf-8"
	// sitemapEvents bounds how many events are listed, the next ones; a list may have 50,000 pages (sitemaps.org).
	sitemapEvents = 10_000
	// sitemapKept is how long a list is served before it is made anew: crawlers come together, and a list is many
	// reads.
	sitemapKept = 5 * time.Minute
)

// sitemap is the list of the pages of coming events. It is safe for concurrent use.
type sitemap struct {
	base string

	mu   sync.Mutex // guards what follows; who holds it makes the list, and others wait for that one
	list []byte
	made time.Time
}

// urlSet is the document of a sitemap (sitemaps.org).
type urlSet struct {
	XMLName xml.Name     `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
	URLs    []sitemapURL `xml:"url"`
}

type sitemapURL struct {
	Location string `xml:"loc"`
}

// serveSitemap sends the list. When the API cannot say what there is, it sends the one before, or 503.
func (s *site) serveSitemap(w http.ResponseWriter, r *http.Request) {
	m := s.sitemap
	m.mu.Lock()
	if now := time.Now(); m.list == nil || now.Sub(m.made) > sitemapKept {
		if list, ok := s.makeSitemap(r, now); ok {
			m.list, m.made = list, now
		}
	}
	list := m.list
	m.mu.Unlock()
	h := w.Header()
	if list == nil {
		h.Set("Retry-After", "60")
		h.Set("Cache-Control", "no-store")
		http.Error(w, "The list of events cannot be made now.", http.StatusServiceUnavailable)
		return
	}
	h.Set("Content-Type", sitemapType)
	h.Set("Cache-Control", "no-cache")
	s.serveBody(w, r, http.StatusOK, list)
}

// makeSitemap asks for the events that have not begun, a page at a time.
func (s *site) makeSitemap(r *http.Request, now time.Time) (list []byte, ok bool) {
	urls := urlSet{URLs: []sitemapURL{{s.sitemap.base + "/"}}}
	path := "/api/events?limit=1000&from=" + url.QueryEscape(now.UTC().Truncate(time.Minute).Format(time.RFC3339))
	for path != "" && len(urls.URLs) <= sitemapEvents {
		a := s.ask(r, path)
		var events []struct {
			ID    string `json:"id"`
			State string `json:"state"`
		}
		if a.status != http.StatusOK || json.Unmarshal(a.body, &events) != nil {
			return nil, false
		}
		for _, e := range events {
			if e.State != "cancelled" {
				urls.URLs = append(urls.URLs, sitemapURL{s.sitemap.base + "/events/" + e.ID})
			}
		}
		path = nextOf(a.header)
	}
	var out bytes.Buffer
	out.WriteString(xml.Header)
	if err := xml.NewEncoder(&out).Encode(urls); err != nil {
		return nil, false
	}
	return out.Bytes(), true
}

// nextOf is the path of the next page of an answer of the API, or "".
func nextOf(h http.Header) string {
	target, rest, found := strings.Cut(strings.TrimPrefix(h.Get("Link"), "<"), ">")
	if !found || !strings.Contains(rest, `rel="next"`) {
		return ""
	}
	return target
}
