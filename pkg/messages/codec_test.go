package messages_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

func request() messages.SeatRequest {
	return messages.SeatRequest{
		Kind: messages.KindRegister, RequestID: "request 1",
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
	edit.Edit = &store.Edit{Version: 4, Title: &title, Capacity: &capacity, ClosesAt: &none, Venue: &nothing, Waitlist: &off}
	cancel := request()
	cancel.Kind = messages.KindCancel
	meant := cancel
	meant.Keyed, meant.Number = true, 7
	longest := request()
	longest.RequestID = strings.Repeat("~", messages.MaxRequestID)
	patient := request()
	patient.RemainingMillis, patient.SentMillis, patient.RequestID = time.Hour.Milliseconds(), 1<<40, "~ !"
	hasty := request()
	hasty.RemainingMillis, hasty.SentMillis, hasty.RequestID, hasty.Lease = 1, 1, " ", true
	probe := messages.SeatRequest{Kind: messages.KindProbe, RequestID: "probe", RemainingMillis: 1000}
	requests := []messages.SeatRequest{request(), cancel, meant, edit, longest, patient, hasty, probe}
	var message []byte
	for _, req := range requests {
		if err := req.Check(); err != nil {
			t.Errorf("%+v: %v", req, err)
		}
		message = append(message, encode(t, req)...)
	}
	if got, err := messages.DecodeRequests(message); err != nil || !reflect.DeepEqual(got, requests) {
		t.Fatalf("got %+v, %v; want %+v", got, err, requests)
	}
}

// TestAnEditKeepsItsNames: the names of an edit's fields on the wire are those that workers of the version
// before read. An empty text and a zero time are sent, since they take something away.
func TestAnEditKeepsItsNames(t *testing.T) {
	at := time.Date(2027, 5, 1, 18, 0, 0, 0, time.UTC)
	for want, edit := range map[string]store.Edit{
		`{"version":4,"title":"T","description":"D","place":"P","time_zone":"UTC","waitlist":true,"requires_proven_email":true,"starts_at":"2027-05-01T18:00:00Z",` +
			`"ends_at":"2027-05-01T18:00:00Z","registration_opens_at":"2027-05-01T18:00:00Z","registration_closes_at":"2027-05-01T18:00:00Z",` +
			`"capacity":2,"cancel":true}`: {Version: 4, Title: new("T"), Description: new("D"), Venue: new("P"), TimeZone: new("UTC"), Waitlist: new(true), RequiresProvenEmail: new(true),
			StartsAt: &at, EndsAt: &at, OpensAt: &at, ClosesAt: &at, Capacity: new(int64(2)), Cancel: true},
		`{"version":-1,"place":"","waitlist":false,"registration_opens_at":"0001-01-01T00:00:00Z"}`: {
			Version: store.AnyVersion, Venue: new(""), Waitlist: new(false), OpensAt: new(time.Time)},
		`{"version":0}`: {},
	} {
		req := request()
		req.Edit = &edit
		if got := string(encode(t, req)); !strings.Contains(got, `"edit":`+want+`,`) {
			t.Errorf("it is sent as %s, want the edit %s", got, want)
		}
	}
}

func TestMessagesThatAreRefused(t *testing.T) {
	good := string(encode(t, request()))
	for name, data := range map[string]string{
		"empty": "", "an empty line": "\n", "garbage": "\x00\xff", "null": "null", "an array": "[]", "truncated": good[:len(good)-2],
		"two on a line":      strings.TrimSpace(good) + good,
		"a key twice":        strings.Replace(good, `{`, `{"kind":"register",`, 1),
		"invalid UTF-8":      strings.Replace(good, "request 1", "r\xff", 1),
		"one that is broken": good + "{" + good,
		"too large":          strings.Repeat(good, messages.MaxMessage/len(good)+1),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := messages.DecodeRequests([]byte(data))
			if err == nil && len(got) == 1 {
				err = got[0].Check()
			}
			if err == nil {
				t.Fatalf("read as %+v", got)
			}
		})
	}
}

// TestWhatCannotBeWritten: a time that no reader takes fails where it is sent, and not as an empty message.
func TestWhatCannotBeWritten(t *testing.T) {
	late := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	req := request()
	req.Edit = &store.Edit{StartsAt: &late}
	if data, err := messages.Encode(req); err == nil {
		t.Errorf("a request is sent as %q", data)
	}
	if data, err := messages.Encode(messages.SeatReply{Outcome: store.Registered, RegisteredAt: late}); err == nil {
		t.Errorf("a reply is sent as %q", data)
	}
}

// TestTheLargestMessageIsRead: a message of MaxMessage bytes is, and one of a byte more is not.
func TestTheLargestMessageIsRead(t *testing.T) {
	good := string(encode(t, request()))
	for size, want := range map[int]bool{messages.MaxMessage: true, messages.MaxMessage + 1: false} {
		padded := strings.Replace(good, "{", "{"+strings.Repeat(" ", size-len(good)), 1)
		if got, err := messages.DecodeRequests([]byte(padded)); (err == nil) != want || want && len(got) != 1 {
			t.Errorf("%d bytes: %d requests, %v", len(padded), len(got), err)
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(*messages.SeatRequest){
		"unknown kind":                         func(r *messages.SeatRequest) { r.Kind = "steal" },
		"unknown kind about nobody":            func(r *messages.SeatRequest) { r.Kind, r.UserID = "steal", bson.ObjectID{} },
		"no event":                             func(r *messages.SeatRequest) { r.EventID = bson.ObjectID{} },
		"no user":                              func(r *messages.SeatRequest) { r.UserID = bson.ObjectID{} },
		"an edit without one":                  func(r *messages.SeatRequest) { r.Kind = messages.KindEditEvent },
		"a registration with an edit":          func(r *messages.SeatRequest) { r.Edit = &store.Edit{} },
		"no request id":                        func(r *messages.SeatRequest) { r.RequestID = "" },
		"id too long":                          func(r *messages.SeatRequest) { r.RequestID = strings.Repeat("x", 256) },
		"id with a line end":                   func(r *messages.SeatRequest) { r.RequestID = "a\nb" },
		"id beyond ASCII":                      func(r *messages.SeatRequest) { r.RequestID = "\u00fc" },
		"a registration by number":             func(r *messages.SeatRequest) { r.Number = 7 },
		"a negative number":                    func(r *messages.SeatRequest) { r.Kind, r.Number = messages.KindCancel, -1 },
		"no time left":                         func(r *messages.SeatRequest) { r.RemainingMillis = 0 },
		"time in the past":                     func(r *messages.SeatRequest) { r.RemainingMillis = -1 },
		"time without end":                     func(r *messages.SeatRequest) { r.RemainingMillis = 1 << 40 },
		"more time than anybody has":           func(r *messages.SeatRequest) { r.RemainingMillis = time.Hour.Milliseconds() + 1 },
		"sent before the clock began":          func(r *messages.SeatRequest) { r.SentMillis = -1 },
		"sent in thirty years":                 func(r *messages.SeatRequest) { r.SentMillis = 1<<40 + 1 },
		"a cancellation that asks for a lease": func(r *messages.SeatRequest) { r.Kind, r.Lease = messages.KindCancel, true },
		"id with a control character":          func(r *messages.SeatRequest) { r.RequestID = "\x1f" },
		"id with a delete":                     func(r *messages.SeatRequest) { r.RequestID = "\x7f" },
	} {
		t.Run(name, func(t *testing.T) {
			r := request()
			change(&r)
			got, err := messages.DecodeRequests(encode(t, r))
			if err != nil || len(got) != 1 {
				t.Fatalf("got %+v, %v", got, err)
			}
			if got[0].Check() == nil {
				t.Fatalf("%+v passes", got[0])
			}
		})
	}
}

// requestOfTheVersionBefore is a request in the version before actors, for API processes and
// workers alike.
type requestOfTheVersionBefore struct {
	Kind            messages.Kind `json:"kind"`
	RequestID       string        `json:"request_id"`
	EventID         messages.ID   `json:"event_id"`
	UserID          messages.ID   `json:"user_id,omitzero"`
	Keyed           bool          `json:"keyed,omitzero"`
	Number          int64         `json:"number,omitzero"`
	Edit            *store.Edit   `json:"edit,omitempty"`
	RemainingMillis int64         `json:"remaining_ms"`
	SentMillis      int64         `json:"sent_ms,omitzero"`
	TraceID         string        `json:"trace_id,omitempty"`
}

// actors returns an actor of each kind, one of a kind of a newer version, and the zero actor.
func actors() []messages.Actor {
	id := bson.NewObjectID()
	return []messages.Actor{
		{Kind: messages.ActorPerson, ID: id}, {Kind: messages.ActorOrganizer, ID: id}, {Kind: messages.ActorOperator},
		{Kind: messages.ActorKey, ID: id}, {Kind: messages.ActorPerson, ID: id, Proof: store.ProofHeader}, {Kind: messages.ActorUnproven, ID: id}, {Kind: messages.ActorUnproven},
		{Kind: "of a newer version", ID: id}, {},
	}
}

// TestEachRequestHasItsActor: also when requests of several share a message, whatever its kind.
func TestEachRequestHasItsActor(t *testing.T) {
	var message []byte
	for _, actor := range actors() {
		req := request()
		req.Actor = actor
		message = append(message, encode(t, req)...)
	}
	got, err := messages.DecodeRequests(message)
	if err != nil || len(got) != len(actors()) {
		t.Fatalf("%d requests, %v", len(got), err)
	}
	for i, want := range actors() {
		if err := got[i].Check(); err != nil || got[i].Actor.Kind != want.Kind || got[i].Actor.ID.IsZero() != want.ID.IsZero() || got[i].Actor.Proof != want.Proof {
			t.Errorf("the actor is %+v, want %+v; %v", got[i].Actor, want, err)
		}
	}
}

// TestActorsBetweenVersions: a request is read whether or not its sender and its reader know
// actors.
func TestActorsBetweenVersions(t *testing.T) {
	t.Run("a newer API process, a worker of the version before", func(t *testing.T) {
		for _, actor := range actors() {
			sent := request()
			sent.Actor, sent.Keyed, sent.SentMillis, sent.TraceID = actor, true, 5, "trace"
			var got requestOfTheVersionBefore
			if err := json.Unmarshal(encode(t, sent), &got); err != nil {
				t.Fatal(err)
			}
			want := requestOfTheVersionBefore{
				Kind: sent.Kind, RequestID: sent.RequestID, EventID: sent.EventID, UserID: sent.UserID, Keyed: true,
				RemainingMillis: sent.RemainingMillis, SentMillis: 5, TraceID: "trace",
			}
			if got != want {
				t.Errorf("%+v is read as %+v", sent, got)
			}
		}
	})
	t.Run("an API process of the version before, a newer worker", func(t *testing.T) {
		sent := requestOfTheVersionBefore{
			Kind: messages.KindCancel, RequestID: "r", EventID: bson.NewObjectID(), UserID: bson.NewObjectID(), Number: 3, RemainingMillis: 7,
		}
		data, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		want := messages.SeatRequest{
			Kind: sent.Kind, RequestID: "r", EventID: sent.EventID, UserID: sent.UserID, Number: 3, RemainingMillis: 7,
		}
		if got, err := messages.DecodeRequests(data); err != nil || !reflect.DeepEqual(got, []messages.SeatRequest{want}) || got[0].Check() != nil {
			t.Errorf("%s is read as %+v, %v", data, got, err)
		}
	})
	t.Run("an API process of the version after", func(t *testing.T) {
		req := request()
		data := strings.Replace(string(encode(t, req)), `{`, `{"actor_kind":"agent","actor_id":"`+req.UserID.Hex()+`","actor_session":{"a":[1]},`, 1)
		req.Actor = messages.Actor{Kind: "agent", ID: req.UserID}
		if got, err := messages.DecodeRequests([]byte(data)); err != nil || !reflect.DeepEqual(got, []messages.SeatRequest{req}) || got[0].Check() != nil {
			t.Errorf("%s is read as %+v, %v", data, got, err)
		}
	})
}

func TestFieldsOfANewerVersionAreLeftAlone(t *testing.T) {
	data := strings.Replace(string(encode(t, request())), `{`, `{"later":{"a":[1]},`, 1)
	if got, err := messages.DecodeRequests([]byte(data)); err != nil || got[0].Check() != nil {
		t.Fatal(got, err)
	}
}

// TestTheVersionBeforeReadsARequest: a request without an actor, a number and Keyed has none of
// these fields on the wire.
func TestTheVersionBeforeReadsARequest(t *testing.T) {
	if data := string(encode(t, request())); strings.Contains(data, "keyed") || strings.Contains(data, "lease") || strings.Contains(data, "number") || strings.Contains(data, "actor") {
		t.Errorf("an ordinary request is %s", data)
	}
}

func TestReplies(t *testing.T) {
	want := []messages.SeatReply{
		{Message: "1a", Item: 3, Outcome: store.Waitlisted, Number: 7, Position: 2,
			RegisteredAt: time.Date(2026, 11, 24, 10, 0, 0, 123_000_000, time.UTC)},
		{Outcome: store.SoldOut, LeaseMillis: 300, LastNumber: 7},
	}
	if data := string(encode(t, messages.SeatReply{Outcome: store.SoldOut})); strings.Contains(data, "lease") || strings.Contains(data, "number") {
		t.Errorf("an ordinary refusal is %s", data)
	}
	if got, err := messages.DecodeReplies(append(encode(t, want[0]), encode(t, want[1])...)); err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	for name, data := range map[string]string{"empty": "", "unknown outcome": `{"outcome":"lost"}`} {
		if got, err := messages.DecodeReplies([]byte(data)); err == nil {
			t.Errorf("%s is read as %+v", name, got)
		}
	}
}

// TestEveryOutcomeIsValid: a requester refuses no outcome that a worker may give.
func TestEveryOutcomeIsValid(t *testing.T) {
	ours := testenv.Constants(t, ".", "Outcome")
	for _, o := range testenv.Constants(t, "../store", "Outcome") {
		if o != string(store.NotOrganizer) && o != string(store.Overtaken) && o != string(store.LeaseOut) { // which travel as OutcomeInvalid and OutcomeOverloaded
			ours = append(ours, o)
		}
	}
	for _, o := range append(ours, "", "Registered", "registered ", string(store.NotOrganizer)) {
		if want := slices.Contains(ours, o); messages.ValidOutcome(messages.Outcome(o)) != want {
			t.Errorf("%q is valid: %t", o, !want)
		}
	}
}

func FuzzDecodeRequests(f *testing.F) {
	f.Add(encode(f, request()))
	f.Add(append(encode(f, request()), encode(f, request())...))
	f.Add([]byte(`{"kind":"edit_event","request_id":"e","event_id":"6b056f1db8a8b20890367b26","edit":{"version":1,"capacity":2},"remaining_ms":1}`))
	f.Add([]byte(`{"kind":"cancel","kind":"cancel"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := messages.DecodeRequests(data)
		if err != nil {
			return
		}
		var same []byte
		for _, req := range got {
			if req.Check() == nil && (!messages.ValidRequestID(req.RequestID) || req.EventID.IsZero() || req.RemainingMillis <= 0) {
				t.Fatalf("%+v passes", req)
			}
			same = append(same, encode(t, req)...)
		}
		if len(same) > messages.MaxMessage { // fields that were missing are written as zeroes
			return
		}
		again, err := messages.DecodeRequests(same)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%+v becomes %+v, %v", got, again, err)
		}
	})
}

func FuzzDecodeReplies(f *testing.F) {
	f.Add(encode(f, messages.SeatReply{Message: "z", Item: 1, Outcome: store.Registered, Number: 1}))
	f.Add([]byte(`{"outcome":"sold_out"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := messages.DecodeReplies(data)
		if err == nil && (len(got) == 0 || !messages.ValidOutcome(got[0].Outcome)) {
			t.Fatalf("%+v passes", got)
		}
	})
}
