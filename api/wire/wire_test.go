package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
)

// TestAnEditIsAMergePatch: what is not set is left out, null is sent with the zero value, and both
// encoders, the client's and the API's, write the same.
func TestAnEditIsAMergePatch(t *testing.T) {
	opens := "2027-05-01T18:00:00Z"
	for want, edit := range map[string]wire.EventEdit{
		`{}`: {},
		`{"title":"","waitlist":false,"capacity":0}`: {Title: wire.Set(""), Waitlist: wire.Set(false), Capacity: wire.Set(int64(0))},
		`{"registration_opens_at":"2027-05-01T18:00:00Z","registration_closes_at":null}`: {
			OpensAt: wire.Set(&opens), ClosesAt: wire.Set[*string](nil),
		},
	} {
		one, err := json.Marshal(edit)
		two, err2 := jsonv2.Marshal(edit)
		if err != nil || err2 != nil || string(one) != want || string(two) != want {
			t.Errorf("%s, %v and %s, %v, want %s", one, err, two, err2, want)
		}
		var back wire.EventEdit
		if err := jsonv2.Unmarshal([]byte(want), &back); err != nil {
			t.Fatal(err)
		}
		if again, err := jsonv2.Marshal(back); err != nil || string(again) != want {
			t.Errorf("read and written again it is %s, %v, want %s", again, err, want)
		}
	}
	var null wire.EventEdit
	if err := jsonv2.Unmarshal([]byte(`{"title":null}`), &null); err != nil || !null.Title.Sent || null.Title.Value != "" {
		t.Errorf("null is %+v, %v", null.Title, err)
	}
}

// TestAnEventWithoutMoreIsLikeTheOriginals: what an event does not have is left out, the ETag too.
func TestAnEventWithoutMoreIsLikeTheOriginals(t *testing.T) {
	e := wire.EventAt(store.Event{ID: store.ID{11: 1}, Title: "t", Capacity: 2, TicketsSold: 1}, time.Time{})
	e.ETag = `"1.1"`
	const want = `{"id":"000000000000000000000001","organizer_id":"000000000000000000000000","title":"t","description":"","capacity":2,"tickets_sold":1,` +
		`"starts_at":"0001-01-01T00:00:00Z","ends_at":"0001-01-01T00:00:00Z","created_at":"0001-01-01T00:00:00Z",` +
		`"state":"ended","registration_state":"ended"}`
	if got, err := jsonv2.Marshal(e); err != nil || string(got) != want {
		t.Errorf("it is\n%s, %v, want\n%s", got, err, want)
	}
}
