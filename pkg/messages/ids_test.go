package messages

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestTraceIDs(t *testing.T) {
	valid := []string{"a", "z", "A", "Z", "0", "9", ".", "_", "-", "A.b_c-9", strings.Repeat("x", MaxTraceID)}
	wrong := []string{"", strings.Repeat("x", MaxTraceID+1), "a b", "a\r\nb", "ä", `"`, "a/b", "`", "{", "@", "[", ":"}
	with := func(trace string) SeatRequest {
		data, err := Encode(SeatRequest{
			Kind: KindRegister, RequestID: "r", EventID: bson.NewObjectID(), UserID: bson.NewObjectID(),
			RemainingMillis: 1, TraceID: trace,
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRequests(data)
		if err != nil || len(got) != 1 || got[0].TraceID != trace {
			t.Fatalf("%q: %+v, %v", trace, got, err)
		}
		return got[0]
	}
	for _, id := range valid {
		if err := with(id).Check(); !ValidTraceID(id) || err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range wrong {
		if ValidTraceID(id) {
			t.Errorf("%q is valid", id)
		}
		if id == "" {
			continue // no trace id, which is allowed
		}
		if with(id).Check() == nil {
			t.Errorf("a request with %q passes", id)
		}
	}
	if err := with("").Check(); err != nil {
		t.Errorf("without one: %v", err)
	}
}
