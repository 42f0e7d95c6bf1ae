package messages

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestTraceIDs(t *testing.T) {
	valid := []string{"a", "0", "A.b_c-9", strings.Repeat("x", MaxTraceID)}
	wrong := []string{"", strings.Repeat("x", MaxTraceID+1), "a b", "a\r\nb", "ä", `"`, "a/b"}
	encoded := func(trace string) []byte {
		data, err := Encode(SeatRequest{
			Version: Version, Kind: KindRegister, RequestID: "r", EventID: bson.NewObjectID(), UserID: bson.NewObjectID(),
			RemainingMillis: 1, TraceID: trace,
		})
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, id := range valid {
		if got, err := DecodeRequest(encoded(id)); !ValidTraceID(id) || err != nil || got.TraceID != id {
			t.Errorf("%q: %+v, %v", id, got, err)
		}
	}
	for _, id := range wrong {
		if ValidTraceID(id) {
			t.Errorf("%q is valid", id)
		}
		if id == "" {
			continue // none at all: an API process of before
		}
		if _, err := DecodeRequest(encoded(id)); err == nil {
			t.Errorf("a message with %q is read", id)
		}
	}
	if got, err := DecodeRequest(encoded("")); err != nil || got.TraceID != "" {
		t.Errorf("without one: %+v, %v", got, err)
	}
}
