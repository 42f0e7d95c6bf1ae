package foreign

import (
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// TestIDsAreForEver: nobody's id changes with a version, no two people have one, and none of ours is one.
func TestIDsAreForEver(t *testing.T) {
	if got := ID("https://login.example.org", "ada").Hex(); got != "e9f83b2fa447087c718328d9" {
		t.Errorf("ada is %s", got)
	}
	seen := make(map[store.ID]string)
	for _, who := range [][2]string{
		{"https://a.example", "ada"}, {"https://a.example", "Ada"}, {"https://a.example", "ada "}, {"https://a.example/", "ada"}, {"https://a.examplea", "da"},
		{"", "https://a.exampleada"}, {"https://a.exampleada", ""}, {"", ""}, {Gateway, "ada"}, {"https://a.example", ""},
	} {
		id := ID(who[0], who[1])
		if other, twice := seen[id]; twice {
			t.Errorf("%q has the id of %s", who, other)
		}
		seen[id] = who[0] + " " + who[1]
		if !Is(id) {
			t.Errorf("%q is one of ours", who)
		}
	}
	if id := store.NewID(); Is(id) && time.Now().Year() < 2038 {
		t.Errorf("%s of ours is of another issuer", id.Hex())
	}
}
