package web

import (
	"bytes"
	"net/http"

	"github.com/eventio/eventio/internal/forwarded"
)

// baseOf returns the path below which a trusted gateway serves us, or "". It is one of ordinary
// segments, which mean nothing in HTML.
func baseOf(r *http.Request) string {
	o, _ := forwarded.FromContext(r.Context())
	return o.Prefix
}

// pathAttributes begin the attributes of pages whose values are paths of ours. No text that anybody
// wrote can look like one: quotes in texts are escaped.
var pathAttributes = [...]string{` href="/`, ` src="/`, ` action="/`}

// below puts the paths in a page below a base, as the scripts do with theirs (assets/base.js).
func below(base string, page []byte) []byte {
	if base == "" {
		return page
	}
	for _, begin := range pathAttributes {
		page = bytes.ReplaceAll(page, []byte(begin), []byte(begin[:len(begin)-1]+base+"/"))
	}
	return page
}
