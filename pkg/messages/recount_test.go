package messages

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestARecountNamesAnEventAndNobody(t *testing.T) {
	sound := SeatRequest{Version: Version, Kind: KindRecount, RequestID: "x", EventID: bson.NewObjectID(), RemainingMillis: 1}
	withUser, withEdit := sound, sound
	withUser.UserID = bson.NewObjectID()
	withEdit.Edit = &EventEdit{}
	for _, c := range []struct {
		name string
		req  SeatRequest
		ok   bool
	}{{"sound", sound, true}, {"with a user", withUser, false}, {"with an edit", withEdit, false}} {
		data, err := Encode(c.req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRequest(data)
		if c.ok != (err == nil) || c.ok && got != c.req {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
	}
	for _, o := range []Outcome{OutcomeRecounted, OutcomeOverbooked} {
		data, err := Encode(SeatReply{Version: Version, Outcome: o})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeReply(data); err != nil || got.Outcome != o {
			t.Errorf("%s: got %+v, %v", o, got, err)
		}
	}
}
