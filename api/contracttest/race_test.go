package contracttest

import (
	"strings"
	"testing"

	"github.com/eventio/eventio/pkg/store"
)

// TestBadIDsInTheSeatsPath is the path's share of the bad identifiers.
func TestBadIDsInTheSeatsPath(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		roster := s.newEvent("1")
		user := store.NewID().Hex()
		for name, id := range map[string]string{
			"25 digits": user + "0", "padded": "%20" + user[1:], "fullwidth": "%EF%BC%96" + user[1:], "greater": "%3E", "dot": user[:12] + "." + user[13:],
			"null byte": user[:23] + "%00", "dots": "..%2f" + user,
		} {
			for _, method := range []string{"GET", "PUT", "HEAD"} {
				t.Run(name+" "+method, func(t *testing.T) {
					a := s.do(0, method, roster+"/"+id, "")
					if a.status != 400 && a.status != 404 || strings.Contains(name, "digits") && a.status != 400 {
						t.Errorf("status %d: %s", a.status, a.body)
					}
				})
			}
		}
		if list := decode[[]string](t, s.get(roster).body); len(list) != 0 {
			t.Errorf("roster is %v", list)
		}
	})
}
