package messages_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func request() messages.SeatRequest {
	return messages.SeatRequest{
		Version: messages.Version, Kind: messages.KindRegister, RequestID: "wish 1",
		EventID: bson.NewObjectID(), UserID: bson.NewObjectID(), RemainingMillis: 2000,
	}
}

func encode[M messages.SeatRequest | messages.SeatReply](t testing.TB, m M) []byte {
	t.Helper()
	data, err := messages.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRequestsThatAreRead(t *testing.T) {
	capacity, title, nothing, none, off := int64(3), "New \u00fc \"title\"", "", time.Time{}, false
	edit := request()
	edit.Kind, edit.UserID = messages.KindEditEvent, bson.ObjectID{}
	edit.Edit = &messages.EventEdit{Version: 4, Title: &title, Capacity: &capacity, ClosesAt: &none, Place: &nothing, Waitlist: &off}
	cancel := request()
	cancel.Kind = messages.KindCancel
	longest := request()
	longest.RequestID = strings.Repeat("~", messages.MaxRequestID)
	for name, want := range map[string]messages.SeatRequest{
		"register": request(), "cancel": cancel, "edit": edit, "longest id": longest,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := messages.DecodeRequest(encode(t, want))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	good := string(encode(t, request()))
	with := func(change func(*messages.SeatRequest)) string {
		r := request()
		change(&r)
		return string(encode(t, r))
	}
	for name, data := range map[string]string{
		"empty": "", "garbage": "\x00\xff", "null": "null", "an array": "[]", "truncated": good[:len(good)-1], "two": good + good,
		"a key twice":         strings.Replace(good, `"v":1`, `"v":1,"v":1`, 1),
		"invalid UTF-8":       strings.Replace(good, "wish", "w\xff", 1),
		"another version":     with(func(r *messages.SeatRequest) { r.Version = 8 }),
		"unknown kind":        with(func(r *messages.SeatRequest) { r.Kind = "steal" }),
		"no event":            with(func(r *messages.SeatRequest) { r.EventID = bson.ObjectID{} }),
		"no user":             with(func(r *messages.SeatRequest) { r.UserID = bson.ObjectID{} }),
		"an edit without one": with(func(r *messages.SeatRequest) { r.Kind = messages.KindEditEvent }),
		"a seat with an edit": with(func(r *messages.SeatRequest) { r.Edit = &messages.EventEdit{} }),
		"no request id":       with(func(r *messages.SeatRequest) { r.RequestID = "" }),
		"id too long":         with(func(r *messages.SeatRequest) { r.RequestID = strings.Repeat("x", 256) }),
		"id with a line end":  with(func(r *messages.SeatRequest) { r.RequestID = "a\nb" }),
		"id beyond ASCII":     with(func(r *messages.SeatRequest) { r.RequestID = "\u00fc" }),
		"no time left":        with(func(r *messages.SeatRequest) { r.RemainingMillis = 0 }),
		"time in the past":    with(func(r *messages.SeatRequest) { r.RemainingMillis = -1 }),
		"time without end":    with(func(r *messages.SeatRequest) { r.RemainingMillis = 1 << 40 }),
		"too large":           good + strings.Repeat(" ", messages.MaxMessage),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := messages.DecodeRequest([]byte(data)); err == nil {
				t.Fatalf("read as %+v", got)
			}
		})
	}
}

func TestFieldsOfANewerVersionAreLeftAlone(t *testing.T) {
	data := strings.Replace(string(encode(t, request())), `"v":1`, `"v":1,"later":{"a":[1]}`, 1)
	if _, err := messages.DecodeRequest([]byte(data)); err != nil {
		t.Fatal(err)
	}
}

func TestReplies(t *testing.T) {
	want := messages.SeatReply{Version: messages.Version, Outcome: messages.OutcomeWaitlisted, Number: 7, Position: 2,
		RegisteredAt: time.Date(2026, 11, 24, 10, 0, 0, 123_000_000, time.UTC)}
	if got, err := messages.DecodeReply(encode(t, want)); err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
	for name, data := range map[string]string{
		"empty": "", "unknown outcome": `{"v":1,"outcome":"lost"}`, "another version": `{"v":2,"outcome":"registered"}`,
	} {
		if got, err := messages.DecodeReply([]byte(data)); err == nil {
			t.Errorf("%s is read as %+v", name, got)
		}
	}
}

func TestTheStoresOutcomesTravel(t *testing.T) {
	for _, o := range []store.Outcome{
		store.Registered, store.AlreadyRegistered, store.Waitlisted, store.AlreadyWaitlisted, store.SoldOut, store.EventNotFound,
		store.RegistrationNotOpen, store.RegistrationClosed, store.RegistrationCancelled, store.EventCancelled,
		store.Cancelled, store.Edited, store.VersionMismatch, store.CapacityBelowSold,
	} {
		if !messages.Outcome(o).Valid() {
			t.Errorf("%s is not an outcome on the wire", o)
		}
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(encode(f, request()))
	f.Add([]byte(`{"v":1,"kind":"edit_event","request_id":"e","event_id":"6b056f1db8a8b20890367b26","edit":{"version":1,"capacity":2},"remaining_ms":1}`))
	f.Add([]byte(`{"v":1,"v":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := messages.DecodeRequest(data)
		if err != nil {
			return
		}
		if !messages.ValidRequestID(got.RequestID) || got.EventID.IsZero() || got.RemainingMillis <= 0 {
			t.Fatalf("%+v passes", got)
		}
		again, err := messages.DecodeRequest(encode(t, got))
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%+v becomes %+v, %v", got, again, err)
		}
	})
}

func FuzzDecodeReply(f *testing.F) {
	f.Add(encode(f, messages.SeatReply{Version: 1, Outcome: messages.OutcomeRegistered, Number: 1}))
	f.Add([]byte(`{"v":1,"outcome":"sold_out"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := messages.DecodeReply(data)
		if err == nil && !got.Outcome.Valid() {
			t.Fatalf("%+v passes", got)
		}
	})
}
