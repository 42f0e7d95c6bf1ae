package input

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/store"
)

// reasons lists what is wrong, as "field reason; field reason", or the code of another problem.
func reasons(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		t.Fatalf("the error is %v", err)
	}
	if p.Code != problem.Invalid {
		return string(p.Code)
	}
	var all []string
	for _, e := range p.Errors {
		all = append(all, e.Field+" "+e.Reason)
	}
	return strings.Join(all, "; ")
}

func TestBodies(t *testing.T) {
	whole := strings.Repeat("x", MaxBody)
	chunked := func(r *http.Request) { r.ContentLength = -1 }
	for name, c := range map[string]struct {
		body    string
		change  func(*http.Request)
		read    string // what is wrong with it as a body of JSON
		refused string // what is wrong with it where there must be none
	}{
		"none":            {"", nil, "", ""},
		"none, chunked":   {"", chunked, "", ""},
		"one":             {"{}", nil, "", "body must be empty"},
		"one, chunked":    {"{}", chunked, "", "body must be empty"},
		"whole":           {whole, nil, "", "body must be empty"},
		"whole, chunked":  {whole, chunked, "", "body must be empty"},
		"larger":          {whole + "x", nil, "too_large", "body must be empty"},
		"larger, chunked": {whole + "x", chunked, "too_large", "body must be empty"},
		"cut off":         {"{}", func(r *http.Request) { r.ContentLength = 3 }, "body could not be read to its end; send it whole", "body must be empty"},
		"of another type": {"x", func(r *http.Request) { r.Header.Set("Content-Type", "text/xml") }, "unsupported_media_type", "unsupported_media_type"},
		"encoded":         {"x", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, "unsupported_media_type", "unsupported_media_type"},
		"of a known type": {"{}", func(r *http.Request) {
			r.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
			r.Header.Set("Content-Encoding", "Identity")
		}, "", "body must be empty"},
	} {
		t.Run(name, func(t *testing.T) {
			request := func() *http.Request {
				r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
				if c.change != nil {
					c.change(r)
				}
				return r
			}
			data, err := ReadBody(httptest.NewRecorder(), request())
			if got := reasons(t, err); got != c.read || err == nil && string(data) != c.body {
				t.Errorf("read: %d bytes, %q, want %q", len(data), got, c.read)
			}
			if got := reasons(t, RefuseBody(httptest.NewRecorder(), request())); got != c.refused {
				t.Errorf("refused: %q, want %q", got, c.refused)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		`{"title":"a","capacity":1}`:     "",
		` {"unknown":1} `:                "unknown is not a known field",
		``:                               "body is empty; send a JSON object",
		` null `:                         "body must be a JSON object",
		`[]`:                             "body must be a JSON object",
		`{"title":"a","title":"b"}`:      "title appears twice; send it once",
		"{\"title\":\"\xff\"}":           "title must be valid UTF-8",
		`{"title":1}`:                    "title must be a string",
		`{"capacity":"1"}`:               "capacity must be a whole number",
		`{"capacity":1.5}`:               "capacity must be a whole number",
		`{"waitlist":1}`:                 "waitlist has the wrong type",
		`{"title":`:                      "body must be one well-formed JSON object; the error is at byte 9",
		`{} {}`:                          "body must be one well-formed JSON object; the error is at byte 3",
		`{"registration_opens_at":true}`: "registration_opens_at must be a string",
	} {
		var e event
		if got := reasons(t, Decode([]byte(text), &e, json.RejectUnknownMembers(true))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	var e event
	if err := Decode([]byte(`{"unknown":1,"title":"a"}`), &e); err != nil || e.Title != "a" {
		t.Errorf("unknown fields are not ignored: %v, %+v", err, e)
	}
}

func TestFields(t *testing.T) {
	var f Fields
	if got := f.Line("a", "  x ", 4); got != "x" {
		t.Errorf("a line is %q", got)
	}
	if got := f.Text("a", " x\n\t ", 5); got != " x\n\t " {
		t.Errorf("a text is %q", got)
	}
	if got := f.Email("a", " a@b "); got != "a@b" {
		t.Errorf("an address is %q", got)
	}
	if got := f.ID("a", "6B056F1DB8A8B20890367B25"); got.Hex() != "6b056f1db8a8b20890367b25" {
		t.Errorf("an id is %v", got)
	}
	if got := f.Instant("a", "2027-05-01T20:00:00.123999+02:00"); !got.Equal(time.Date(2027, 5, 1, 18, 0, 0, 123_000_000, time.UTC)) || got.Location() != time.UTC {
		t.Errorf("a time is %v", got)
	}
	if f.OptionalInstant("a", nil) != (time.Time{}) || f.OptionalLine("a", "", 1) != "" || f.TimeZone("a", "") != "" || f.TimeZone("a", "Europe/Berlin") != "Europe/Berlin" {
		t.Error("what is left out is not empty")
	}
	if f.Between("a", 3, 3, 3) != 3 || f.Limit(url.Values{}) != 0 || f.Limit(url.Values{"limit": {"1000"}}) != MaxPage {
		t.Error("a number is another one")
	}
	f.OneOf("a", "y", "x", "y")
	f.Check("a", nil)
	if got := f.Search("a", "Grand  Café!"); !reflect.DeepEqual(got, store.Words("grand cafe")) {
		t.Errorf("the words are %q", got)
	}
	if !f.OK() || f.Err() != nil {
		t.Fatalf("wrong is %v", f.Err())
	}
	empty := ""
	for want, check := range map[string]func(*Fields){
		"a is required and must not be blank":                                    func(f *Fields) { f.Line("a", " ", 5) },
		"a must have at most 2 characters":                                       func(f *Fields) { f.Line("a", "xyz", 2) },
		"a must not contain control characters":                                  func(f *Fields) { f.Line("a", "x\ny", 5) },
		"b must have at most 2 characters":                                       func(f *Fields) { f.Text("b", "éöü", 2) },
		"b must not contain control characters other than tabs and line breaks":  func(f *Fields) { f.Text("b", "\x00", 2) },
		"c is required and must not be blank":                                    func(f *Fields) { f.Email("c", "") },
		"c must have at most 254 bytes":                                          func(f *Fields) { f.Email("c", strings.Repeat("é", 126)+"@bc") },
		"c must be an e-mail address such as name@example.org":                   func(f *Fields) { f.Email("c", "a@b@c") },
		"d is required: an id of 24 hexadecimal digits":                          func(f *Fields) { f.ID("d", "") },
		"d must be an id of 24 hexadecimal digits":                               func(f *Fields) { f.ID("d", "1") },
		"d must not be all zeros":                                                func(f *Fields) { f.ID("d", strings.Repeat("0", 24)) },
		"e is required: an RFC 3339 time such as 2027-05-01T18:00:00Z":           func(f *Fields) { f.OptionalInstant("e", &empty) },
		"e must be an RFC 3339 time such as 2027-05-01T18:00:00Z":                func(f *Fields) { f.Instant("e", "2027-05-01T8:00:00Z") },
		"e must be in the years 1 to 9999":                                       func(f *Fields) { f.Instant("e", "9999-12-31T23:30:00-01:00") },
		"f must be a whole number from 1 to 2":                                   func(f *Fields) { f.Between("f", 3, 1, 2) },
		"g is required and must not be blank":                                    func(f *Fields) { f.OptionalLine("g", " ", 3) },
		"h must be a time zone name of the IANA database, such as Europe/Berlin": func(f *Fields) { f.TimeZone("h", "Local") },
		"limit must be a whole number from 1 to 1000":                            func(f *Fields) { f.Limit(url.Values{"limit": {"+1"}}) },
		"i must be x or y":                                                       func(f *Fields) { f.OneOf("i", "z", "x", "y") },
		"j is not it":                                                            func(f *Fields) { f.Check("j", errors.New("is not it")) },
		"q must have at most 200 characters":                                     func(f *Fields) { f.Search("q", strings.Repeat("é", 201)) },
		"q must have at most 10 words":                                           func(f *Fields) { f.Search("q", strings.Repeat("x ", 11)) },
		"q must not be blank; leave it out to list all":                   func(f *Fields) { f.Search("q", " ") },
		"q must not contain control characters":                                  func(f *Fields) { f.Search("q", "a\x00") },
		"a is 1; b is 2":                                                         func(f *Fields) { f.Add("a", "is 1"); f.Add("b", "is 2") },
	} {
		var f Fields
		if check(&f); f.OK() || reasons(t, f.Err()) != want {
			t.Errorf("%q, want %q", reasons(t, f.Err()), want)
		}
	}
}

func TestQueries(t *testing.T) {
	for raw, want := range map[string]string{
		"a=1&b=2": "", "a=": "",
		"c=1":                   "c is not a parameter of this path; it has a, b",
		"a=1&a=2":               "a appears twice; send it once",
		"a=%ff":                 "a must be valid UTF-8",
		"a=1;b=2":               "query must be parameters like a=1&b=2 with valid percent-encoding",
		"%ff" + long(80) + "=1": "\uFFFD" + long(61) + "… is not a parameter of this path; it has a, b",
	} {
		if got := reasons(t, CheckQuery(raw, []string{"a", "b"})); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
	if got := reasons(t, CheckQuery("a=1", nil)); got != "a is not a parameter of this path; it has none" {
		t.Error(got)
	}
	many := url.Values{}
	for i := range 100 {
		many.Set(long(i+1), "1")
	}
	if got := strings.Count(reasons(t, CheckQuery(many.Encode(), nil)), ";"); got > 2*maxReported {
		t.Errorf("%d wrong parameters are named", got)
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// TestACursorBelongsToItsList: the path and the filters, and not the size of the page.
func TestACursorBelongsToItsList(t *testing.T) {
	q := url.Values{"q": {"x"}, "limit": {"2"}}
	cursor := ListOf("/a", q).Cursor([]byte("place"))
	for name, c := range map[string]struct {
		list   List
		cursor string
		size   int
		want   string
	}{
		"the same list":             {ListOf("/a", q), cursor, 5, "place"},
		"another size of the pages": {ListOf("/a", url.Values{"q": {"x"}, "limit": {"9"}, "cursor": {"c"}}), cursor, 5, "place"},
		"another filter":            {ListOf("/a", url.Values{"q": {"y"}}), cursor, 5, ""},
		"another path":              {ListOf("/b", q), cursor, 5, ""},
		"a shorter place":           {ListOf("/a", q), cursor, 4, ""},
		"cut":                       {ListOf("/a", q), cursor[:len(cursor)-1], 5, ""},
		"no cursor":                 {ListOf("/a", q), strings.Repeat("A", len(cursor)), 5, ""},
	} {
		var f Fields
		got := f.Cursor(c.list, url.Values{"cursor": {c.cursor}}, c.size)
		if string(got) != c.want || f.OK() != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, f.Err())
		}
	}
	var f Fields
	if got := f.Cursor("", url.Values{}, 5); got != nil || !f.OK() {
		t.Errorf("without a cursor: %q, %v", got, f.Err())
	}
}
