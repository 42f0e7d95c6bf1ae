// Package web holds the pages of Event.io, embedded in the binary.
//
// The pages are one more REST client: HTML, CSS and ES modules that call the public API with
// fetch. What a page already says when it arrives comes from the same API, asked in this process
// in the name of the visitor, with the visitor's cookie: no page knows more than its reader may.
//
// # Guarantees
//
//   - Nothing is loaded from another origin and nothing runs inline: the content security policy
//     (see [ContentSecurityPolicy]) forbids both. What is inline is data.
//   - Only the paths of the table pages exist, and the assets. A path is looked up whole, so no
//     spelling of it reaches anything else.
//   - Assets have a name made from their content and are kept for a year. Pages are asked for
//     each time, with an ETag where they are the same for everybody.
//   - All of it can be read without scripts: what an event is, when, where, and whether there are
//     places left.
package web

import (
	"bytes"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/eventio/eventio/api/problem"
)

// ContentSecurityPolicy is sent with every answer of [Handler].
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

const (
	htmlType     = "text/html; charset=utf-8"
	textType     = "text/plain; charset=utf-8"
	calendarType = "text/calendar; charset=utf-8"
)

// robots keeps crawlers to what is for everybody.
const robots = `User-agent: *
Disallow: /api/
Disallow: /login
Disallow: /signup
Disallow: /account
Disallow: /forgot
Disallow: /reset
Disallow: /prove
Disallow: /mail
Disallow: /registrations
Disallow: /events/new
`

// site is all that is served. It is safe for concurrent use.
type site struct {
	files   map[string]file // by path
	texts   map[string]texts
	pages   map[string]map[string]*page // by language and name
	unknown http.Handler
	api     http.Handler
	sitemap *sitemap  // nil: none
	packers sync.Pool // of *gzip.Writer
}

// Handler serves the pages and their assets to GET and HEAD. It may be mounted for everything
// that is not the API, and is safe for concurrent use. It asks api, which serves the routes of
// the API, for what a page says.
//
// An unknown path is a 404: a browser, which asks for text/html by name, gets a page; everybody
// else gets the answer of unknown, which must set the status. A nil unknown means the page for
// all. Another method on a known path is a 405.
//
// The security headers are set before unknown is called, which may change them.
func Handler(unknown, api http.Handler) http.Handler { return Settings{}.Handler(unknown, api) }

func newSite(unknown, api http.Handler) *site {
	texts := loadTexts()
	files := loadFiles(texts)
	return &site{files: files, texts: texts, pages: loadPages(texts, files), unknown: unknown, api: api}
}

// ServeHTTP implements http.Handler.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", ContentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")

	serve := s.find(r.URL.Path)
	readOnly := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case serve != nil && readOnly:
		serve(w, r)
	case serve != nil:
		h.Set("Allow", "GET, HEAD")
		problem.Newf(problem.MethodNotAllowed, "This page can only be read: use GET or HEAD.").Write(w)
	case readOnly && s.withoutSlash(r.URL.Path) != "":
		target := s.withoutSlash(r.URL.Path)
		if r.URL.RawQuery != "" {
			target += "?" + r.URL.RawQuery
		}
		h.Set("Cache-Control", "no-cache")
		http.Redirect(w, r, target, http.StatusMovedPermanently) //nolint:gosec // target is a path that we serve
	default:
		h.Add("Vary", "Accept")
		if s.unknown != nil && (!readOnly || !acceptsHTML(r)) {
			s.unknown.ServeHTTP(w, r)
			return
		}
		s.servePage(w, r, visit{page: pageMissing, status: http.StatusNotFound})
	}
}

// withoutSlash is the page or file that a path with a slash too many means, or "". Only a path that
// is known becomes one, so it leads nowhere else.
func (s *site) withoutSlash(path string) string {
	target, ok := strings.CutSuffix(path, "/")
	if !ok || target == "" || target == "/" || s.find(target) == nil {
		return ""
	}
	return target
}

// find looks up what serves a path; nil: nothing does.
func (s *site) find(path string) http.HandlerFunc {
	if f, ok := s.files[path]; ok {
		return f.serve
	}
	if name, ok := fixedPages[path]; ok {
		return func(w http.ResponseWriter, r *http.Request) {
			s.servePage(w, r, visit{page: name, status: http.StatusOK})
		}
	}
	if path == sitemapPath && s.sitemap != nil {
		return s.serveSitemap
	}
	rest, ok := strings.CutPrefix(path, "/events/")
	if !ok {
		return nil
	}
	id, part, _ := strings.Cut(rest, "/")
	name, ok := eventPages[part]
	if !ok || !isID(id) || strings.HasSuffix(path, "/") {
		return nil
	}
	if name == pageCalendar {
		return func(w http.ResponseWriter, r *http.Request) { s.serveCalendar(w, r, id) }
	}
	return func(w http.ResponseWriter, r *http.Request) {
		s.servePage(w, r, visit{page: name, status: http.StatusOK, eventID: id})
	}
}

// isID reports whether s is an id: 24 hex digits. Upper case passes, so that what becomes of it
// is the API's decision alone.
func isID(s string) bool {
	if len(s) != 24 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// acceptsHTML reports whether the client names text/html, as browsers do when a person follows a
// link and REST clients do not. A wildcard is not enough.
func acceptsHTML(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			mediaType, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(mediaType), "text/html") {
				return true
			}
		}
	}
	return false
}

// serveBody sends a body that was made for this request, with an ETag of its content.
func (s *site) serveBody(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	tag := tagOf(body)
	encoded := body
	h.Add("Vary", "Accept-Encoding")
	if len(body) > smallBody && acceptsGzip(r) {
		encoded = s.compressPage(body)
		h.Set("Content-Encoding", "gzip")
		tag = "W/" + tag
	}
	if status != http.StatusOK {
		w.WriteHeader(status)
		_, _ = w.Write(encoded) // net/http drops the body of a HEAD
		return
	}
	h.Set("ETag", tag)
	// No modification time: the ETag alone decides.
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(encoded))
}
