// Package web holds the pages of Event.io, embedded in the binary.
//
// The pages are one more REST client: plain HTML, CSS and ES modules that call
// the public API with fetch. They hold no data and know no secret, so every
// visitor gets the same bytes.
//
// # Guarantees
//
//   - Nothing is loaded from another origin and nothing runs inline: the
//     content security policy (see [ContentSecurityPolicy]) forbids both.
//   - Only the paths listed by [Routes] exist, plus /events/{id} for 24 hex
//     digits. A path is looked up whole in a table made at start, so no spelling
//     of it reaches anything else.
//   - Every file carries a strong ETag made from its content, and
//     "Cache-Control: no-cache": a browser keeps its copy but asks before it
//     uses it, so a new version is seen at once and an old one costs one 304.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/eventio/eventio/api/problem"
)

// ContentSecurityPolicy is sent with every answer of [Handler].
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

//go:embed pages assets
var embedded embed.FS

// eventPage is the key of the page served for every /events/{id}.
const eventPage = "/events/{id}"

// page is one HTML page: pages/layout.html around pages/<File>.html.
type page struct {
	Path   string
	File   string // also the name of its module, assets/page-<File>.js
	Title  string
	Module string
}

var pages = []page{
	{Path: "/", File: "events", Title: "Events"},
	{Path: eventPage, File: "event", Title: "Event"},
	{Path: "/events/new", File: "new", Title: "New event"},
	{Path: "/login", File: "login", Title: "Log in"},
	{Path: "/signup", File: "signup", Title: "Sign up"},
}

// notFoundPage answers a person (a request that accepts HTML by name).
var notFoundPage = page{File: "missing", Title: "Not found"}

// contentTypes are stated here, not asked of the system's MIME table, which
// differs between machines. An embedded asset with another ending is a mistake
// and stops the program at start.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

const htmlType = "text/html; charset=utf-8"

// file is one thing to serve, complete and immutable.
type file struct {
	body        []byte
	contentType string
	etag        string
}

func newFile(body []byte, contentType string) file {
	sum := sha256.Sum256(body)
	return file{
		body:        body,
		contentType: contentType,
		etag:        `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`,
	}
}

var (
	files    = load()
	notFound = render(notFoundPage)
)

// load makes the table of everything served, by path. What it reads is part of
// the binary, so it fails in every run or in none: it panics.
func load() map[string]file {
	table := make(map[string]file)
	for _, p := range pages {
		table[p.Path] = render(p)
	}
	err := fs.WalkDir(embedded, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		contentType, ok := contentTypes[path.Ext(name)]
		if !ok {
			return fmt.Errorf("no content type for %s", name)
		}
		body, err := embedded.ReadFile(name)
		if err != nil {
			return err
		}
		table["/"+name] = newFile(body, contentType)
		return nil
	})
	if err != nil {
		panic("web: " + err.Error())
	}
	return table
}

func render(p page) file {
	p.Module = "/assets/page-" + p.File + ".js"
	t := template.Must(template.ParseFS(embedded, "pages/layout.html", "pages/"+p.File+".html"))
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, "layout.html", p); err != nil {
		panic("web: " + err.Error())
	}
	return newFile(out.Bytes(), htmlType)
}

// Handler serves the pages and their assets to GET and HEAD. It may be mounted
// for everything that is not the API, and is safe for concurrent use.
//
// An unknown path is a 404: a browser, which asks for text/html by name, gets a
// page; everybody else gets the answer of unknown, which must set the status. A nil
// unknown means the page for all. Another method on a known path is a 405.
//
// The security headers are set before unknown is called, which may change them.
func Handler(unknown http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", ContentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")

		f, ok := find(r.URL.Path)
		readOnly := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case ok && readOnly:
			h.Set("Content-Type", f.contentType)
			h.Set("ETag", f.etag)
			h.Set("Cache-Control", "no-cache")
			// No modification time: the ETag alone decides, it survives a rebuild.
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
		case ok:
			h.Set("Allow", "GET, HEAD")
			problem.Newf(problem.MethodNotAllowed, "This page can only be read: use GET or HEAD.").Write(w)
		default:
			h.Add("Vary", "Accept")
			if unknown != nil && (!readOnly || !acceptsHTML(r)) {
				unknown.ServeHTTP(w, r)
				return
			}
			h.Set("Content-Type", notFound.contentType)
			h.Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write(notFound.body) // net/http drops the body of a HEAD
		}
	})
}

// find looks a path up. The spelling /events/{id} itself is not a path.
func find(urlPath string) (file, bool) {
	if urlPath == eventPage {
		return file{}, false
	}
	if id, ok := strings.CutPrefix(urlPath, "/events/"); ok && isID(id) {
		urlPath = eventPage
	}
	f, ok := files[urlPath]
	return f, ok
}

// isID reports whether s is an id: 24 hex digits. Upper case passes, so that
// what becomes of it is the API's decision alone.
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

// acceptsHTML reports whether the client names text/html, as browsers do when a
// person follows a link and REST clients do not. A wildcard is not enough.
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
