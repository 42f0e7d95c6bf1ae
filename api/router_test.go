package api

import (
	"net/http"
	"testing"
)

// TestARowThatIsNotWholeIsNotServed: nothing is open or unlimited because somebody forgot.
func TestARowThatIsNotWholeIsNotServed(t *testing.T) {
	whole := (&API{}).table()[0]
	for name, forget := range map[string]func(*route){
		"access": func(r *route) { r.access = 0 }, "limit": func(r *route) { r.limit = 0 },
		"body": func(r *route) { r.body = 0 }, "lifetime": func(r *route) { r.lifetime = 0 },
	} {
		if row := whole; row.whole() {
			if forget(&row); row.whole() {
				t.Errorf("a row without %s is served", name)
			}
		}
	}
	for _, rt := range (&API{}).table() {
		if !rt.whole() {
			t.Errorf("%s %s is not whole", rt.method, rt.pattern)
		}
		if (rt.body == jsonBody) != (rt.operation.Body != nil) {
			t.Errorf("%s %s: the row and the documentation differ about the body", rt.method, rt.pattern)
		}
		if (rt.method == http.MethodGet) && (rt.body != ignoredBody || rt.lifetime != whileClientWaits && rt.lifetime != whileClientListens) {
			t.Errorf("%s %s is no read", rt.method, rt.pattern)
		}
	}
}
