package input

import (
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
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
		var body event
		if err := Decode(data, &body); err != nil {
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
		var second event
		if err := Decode(again, &second); err != nil || !reflect.DeepEqual(second, body) {
			t.Fatalf("%+v became %+v, %v", body, second, err)
		}
		var fs Fields
		fs.ID("organizer_id", value(body.OrganizerID))
		fs.Line("title", body.Title, MaxTitle)
		fs.Text("description", body.Description, MaxDescription)
		fs.Instant("starts_at", body.StartsAt)
		_ = fs.Err()
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
		var fs Fields
		if fs.ID("user_id", s); (fs.Err() == nil) != (hex && !id.IsZero()) {
			t.Fatalf("%q: %v", s, fs.Err())
		}
	})
}

// event is a body as the routes have them.
type event struct {
	OrganizerID *string `json:"organizer_id,omitzero"`
	Title       string  `json:"title"`
	Description string  `json:"description,omitzero"`
	Capacity    int64   `json:"capacity"`
	StartsAt    string  `json:"starts_at"`
	Waitlist    bool    `json:"waitlist,omitzero"`
	OpensAt     *string `json:"registration_opens_at,omitzero"`
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// FuzzCursor: only what Cursor made for the same list is taken, bit for bit.
func FuzzCursor(f *testing.F) {
	q := url.Values{"q": {"x"}, "limit": {"2"}}
	place := []byte("twenty bytes exactly")
	good := ListOf("/api/events", q).Cursor(slices.Clone(place))
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good + "A")
	f.Add(ListOf("/api/events", nil).Cursor(slices.Clone(place)))
	f.Add(ListOf("/api/users", q).Cursor(slices.Clone(place[:8])))
	f.Add("")
	f.Add("===")
	f.Fuzz(func(t *testing.T, s string) {
		sent := url.Values{"q": {"x"}, "cursor": {s}}
		list := ListOf("/api/events", sent)
		for _, size := range []int{8, len(place)} {
			var fs Fields
			got := fs.Cursor(list, sent, size)
			if (got == nil) == fs.OK() {
				t.Fatalf("%q is the place %q: %v", s, got, fs.Err())
			}
			if got != nil && list.Cursor(got) != s {
				t.Fatalf("%q is taken", s)
			}
		}
	})
}

// FuzzQuery: any query is taken or ends in a problem that can be written.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"limit=1", "limit=+1", "limit=1&limit=2", "from=2027-05-01T18:00:00Z&to=2026-05-01T18:00:00Z",
		"q=%zz", "q=.*", "a;b", "q=%ff", "sort=-starts_at", "available=yes", "%ff=1", strings.Repeat("x", 300) + "=1", "q=%00"} {
		f.Add(s)
	}
	names := []string{"limit", "cursor", "from", "to", "ends_after", "q", "organizer_id", "available", "sort"}
	f.Fuzz(func(t *testing.T, raw string) {
		err := CheckQuery(raw, names)
		if err == nil {
			q, parsing := url.ParseQuery(raw)
			if parsing != nil {
				t.Fatal(parsing)
			}
			var fs Fields
			fs.Limit(q)
			for name, check := range map[string]func(string){
				"from": func(v string) { fs.Instant("from", v) }, "organizer_id": func(v string) { fs.ID("organizer_id", v) },
				"q": func(v string) { fs.Search("q", v) }, "available": func(v string) { fs.OneOf("available", v, "true", "false") },
			} {
				if q.Has(name) {
					check(q.Get(name))
				}
			}
			err = fs.Err()
		}
		if err == nil {
			return
		}
		var p *problem.Problem
		if !errors.As(err, &p) || p.Code != problem.Invalid || len(p.Errors) == 0 {
			t.Fatalf("problem is %+v", p)
		}
		for _, e := range p.Errors {
			if !utf8.ValidString(e.Field) || len(e.Field) > maxParameter+len("…") {
				t.Fatalf("field is %q", e.Field)
			}
		}
	})
}
