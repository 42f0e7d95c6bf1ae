package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/forwarded"
)

// TestPagesBelowAPath: behind a gateway that serves us below a path, every page leads below it, and
// is otherwise the same.
func TestPagesBelowAPath(t *testing.T) {
	const base = "/tickets"
	gateways := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's own client
	served := Handler(nil, routes())
	links := regexp.MustCompile(` (?:href|src|action)="([^"]*)"`)
	ours := 0
	for _, address := range append(addresses(), "/nothing") {
		r := httptest.NewRequest(http.MethodGet, address, nil)
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Cookie", "eventio_token=x")
		plain, below := httptest.NewRecorder(), httptest.NewRecorder()
		served.ServeHTTP(plain, r)
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		r.Header.Set("X-Forwarded-Prefix", base)
		served.ServeHTTP(below, r.WithContext(forwarded.NewContext(r.Context(), forwarded.Read(r, gateways))))
		if !strings.HasPrefix(plain.Header().Get("Content-Type"), "text/html") {
			continue
		}
		for _, link := range links.FindAllStringSubmatch(below.Body.String(), -1) {
			if path, ok := strings.CutPrefix(link[1], base); ok && strings.HasPrefix(path, "/") {
				ours++
			} else if strings.HasPrefix(link[1], "/") {
				t.Errorf("%s leads to %s", address, link[1])
			}
		}
		back := strings.ReplaceAll(strings.Replace(below.Body.String(), ` data-base="`+base+`"`, "", 1), `="`+base+`/`, `="/`)
		if !strings.Contains(below.Body.String(), ` data-base="`+base+`"`) || back != plain.Body.String() {
			t.Errorf("%s is another page below a path", address)
		}
	}
	if ours < 100 {
		t.Errorf("only %d links were looked at", ours)
	}
}
