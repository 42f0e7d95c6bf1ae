package api

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/store"
)

// FuzzBody: whatever is sent, decoding ends in a value or in a problem of the client, and
// what is taken is taken again in the same meaning.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"name":"Ada","email":"ada@example.org","password":"correct horse battery"}`,
		`{"capacity":1,"starts_at":"2027-05-01T18:00:00Z"}`, `{"capacity":1e400}`, `{"capacity":1.0}`, `{"capacity":9223372036854775808}`,
		`{"organizer_id":{"$ne":null}}`, `{"title":"a","title":"b"}`, `{"TITLE":"a"}`, `{"title":"\ud800"}`, `{"title":"\u0000"}`,
		"{}{}", "[]", "null", " null ", "\ufeff{}", "\xff", "{", "", strings.Repeat(`{"a":`, 5000), `{"__proto__":{"x":1}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var body newEvent
		if err := decodeBody(data, &body); err != nil {
			var p *problem.Problem
			if !errors.As(err, &p) || p.Status < 400 || p.Status >= 500 {
				t.Fatalf("error is %v", err)
			}
			if _, err := json.Marshal(p); err != nil {
				t.Fatalf("the problem cannot be written: %v", err)
			}
			return
		}
		again, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		var second newEvent
		if err := decodeBody(again, &second); err != nil || !reflect.DeepEqual(second, body) {
			t.Fatalf("%+v became %+v, %v", body, second, err)
		}
		var fs fields
		caller{}.actor(&fs, "organizer_id", body.OrganizerID)
		fs.line("title", body.Title, MaxTitle)
		fs.text("description", body.Description, MaxDescription)
		fs.instant("starts_at", body.StartsAt)
		_ = fs.err()
	})
}

// FuzzID: an id is exactly 24 hexadecimal digits, and is written as it was read.
func FuzzID(f *testing.F) {
	for _, s := range []string{"6b056f1db8a8b20890367b25", "6B056F1DB8A8B20890367B25", strings.Repeat("0", 24),
		"", "6b056f1db8a8b20890367b2", "6b056f1db8a8b20890367b255", " 6b056f1db8a8b20890367b25", "*", ">", "6b056f1d.8a8b20890367b25", "６b056f1db8a8b20890367b25"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hex := len(s) == 24 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
		id, err := store.ParseID(s)
		if (err == nil) != hex {
			t.Fatalf("%q: %v", s, err)
		}
		if err == nil && id.Hex() != strings.ToLower(s) {
			t.Fatalf("%q became %s", s, id.Hex())
		}
		var fs fields
		if fs.id("user_id", s); (fs.err() == nil) != (hex && !id.IsZero()) {
			t.Fatalf("%q: %v", s, fs.err())
		}
	})
}

// FuzzCursor: only what eventsCursor made for the same list is taken, bit for bit.
func FuzzCursor(f *testing.F) {
	q := url.Values{"q": {"x"}, "limit": {"2"}}
	e := store.EventPlace{ID: store.ID{1, 2, 3}, StartsAt: time.UnixMilli(1_700_000_000_123).UTC()}
	good := eventsCursor(q, e)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good + "A")
	f.Add(eventsCursor(nil, e))
	f.Add(rosterCursor(e.ID, nil, 7))
	f.Add("")
	f.Add("===")
	f.Fuzz(func(t *testing.T, s string) {
		var fs fields
		sent := url.Values{"q": {"x"}, "cursor": {s}}
		if place := fs.eventCursor(sent); place != nil && eventsCursor(q, *place) != s {
			t.Fatalf("%q is taken", s)
		}
		if n := fs.rosterCursor(e.ID, sent); n != 0 && rosterCursor(e.ID, sent, n) != s {
			t.Fatalf("%q is taken", s)
		}
	})
}

// FuzzQuery: any query ends in a selection or in a problem that can be written.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"limit=1", "limit=+1", "limit=1&limit=2", "from=2027-05-01T18:00:00Z&to=2026-05-01T18:00:00Z",
		"q=%zz", "q=.*", "a;b", "q=%ff", "sort=-starts_at", "available=yes", "%ff=1", strings.Repeat("x", 300) + "=1", "q=%00"} {
		f.Add(s)
	}
	names := listEventsDocs().queryNames()
	f.Fuzz(func(t *testing.T, raw string) {
		err := checkQuery(raw, names)
		if err == nil {
			var q url.Values
			if q, err = url.ParseQuery(raw); err != nil {
				t.Fatal(err)
			}
			_, err = eventQuery(q)
		}
		if err == nil {
			return
		}
		p := problemOf(err)
		if p.Code != problem.Invalid || len(p.Errors) == 0 {
			t.Fatalf("problem is %+v", p)
		}
		for _, e := range p.Errors {
			if !utf8.ValidString(e.Field) || len(e.Field) > maxParameter+len("…") {
				t.Fatalf("field is %q", e.Field)
			}
		}
	})
}
