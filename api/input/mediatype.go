package input

import (
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/eventio/eventio/api/problem"
)

// kind is what a request says of its body.
type kind int

const (
	declaredJSON kind = iota // JSON, or nothing said, which clients of the original do
	undeclared               // a type that tools send unless they are told another: it may be JSON
)

// bodyKind finds out what a request says of its body. It fails with the problem UnsupportedMediaType
// when that is something else than JSON.
//
// The original does not look at the type, so its clients send whatever their tool sends by default.
// A page of another site can make a browser send those types too, without asking the API first (the
// simple requests of the Fetch standard). So they are taken for JSON only from what is no browser;
// package gate refuses such pages by their origin, and this holds where a browser tells none.
func bodyKind(r *http.Request) (kind, error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return 0, problem.Newf(problem.UnsupportedMediaType, "Send the body without a Content-Encoding.")
	}
	t := r.Header.Get("Content-Type")
	if t == "" || t == "application/json" {
		return declaredJSON, nil
	}
	media, _, err := mime.ParseMediaType(t)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return 0, problem.New(problem.UnsupportedMediaType)
	}
	switch media {
	case "application/json", "text/json", "application/x-json":
		return declaredJSON, nil
	case "application/json-patch+json", "application/json-seq", "application/x-ndjson":
		// Not one object: a list of changes (RFC 6902) must not be taken for a merge patch.
		return 0, problem.New(problem.UnsupportedMediaType)
	case "application/x-www-form-urlencoded", // curl, wget, axios, PowerShell, urllib
		"text/plain",               // fetch, aiohttp, ApacheBench
		"text/html",                // hey
		"application/octet-stream": // clients of byte streams
		if fromBrowser(r) {
			return 0, problem.New(problem.UnsupportedMediaType)
		}
		return undeclared, nil
	}
	if strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json") { // RFC 6839, section 3.1
		return declaredJSON, nil
	}
	return 0, problem.New(problem.UnsupportedMediaType)
}

// fromBrowser reports whether a request may come from a page in a browser. Browsers have sent Origin or
// Sec-Fetch-Site with all changes since 2020, and older ones a name that begins like Netscape's. No
// page can make a browser leave that name out. Where it is missing a cookie is as suspicious.
func fromBrowser(r *http.Request) bool {
	for _, name := range []string{"Origin", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Referer", "Upgrade-Insecure-Requests"} {
		if r.Header[name] != nil {
			return true
		}
	}
	agent := r.UserAgent()
	if strings.Contains(agent, "PowerShell/") { // which calls itself Mozilla/5.0, too
		return false
	}
	return strings.HasPrefix(agent, "Mozilla/") || strings.HasPrefix(agent, "Opera/") || agent == "" && r.Header["Cookie"] != nil
}
