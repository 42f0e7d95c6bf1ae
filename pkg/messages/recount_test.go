package messages

import (
	"reflect"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/pkg/store"
)

func TestARecountNamesAnEventAndNobody(t *testing.T) {
	sound := SeatRequest{Kind: KindRecount, RequestID: "x", EventID: bson.NewObjectID(), RemainingMillis: 1}
	withUser, withEdit := sound, sound
	withUser.UserID = bson.NewObjectID()
	withEdit.Edit = &store.Edit{}
	for _, c := range []struct {
		name string
		req  SeatRequest
		ok   bool
	}{{"sound", sound, true}, {"with a user", withUser, false}, {"with an edit", withEdit, false}} {
		data, err := Encode(c.req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRequests(data)
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], c.req) || c.ok != (got[0].Check() == nil) {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
	}
	for _, o := range []Outcome{store.Recounted, store.Overbooked} {
		data, err := Encode(SeatReply{Outcome: o})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeReplies(data); err != nil || got[0].Outcome != o {
			t.Errorf("%s: got %+v, %v", o, got, err)
		}
	}
}
