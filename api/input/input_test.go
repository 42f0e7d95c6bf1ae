package input

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/pkg/store/search"
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
	const refused = "body must be empty, or {}"
	for name, c := range map[string]struct {
		body    string
		change  func(*http.Request)
		read    string // what is wrong with it as a body of JSON
		refused string // what is wrong with it where there must be none
	}{
		"none":            {"", nil, "", ""},
		"none, chunked":   {"", chunked, "", ""},
		"one":             {`{"a":1}`, nil, "", refused},
		"one, chunked":    {`{"a":1}`, chunked, "", refused},
		"nothing":         {"{}", nil, "", ""},
		"nothing, wide":   {" {\r\n\t} ", nil, "", ""},
		"blank":           {"\n", nil, "", ""},
		"null, chunked":   {" null", chunked, "", ""},
		"nothing, twice":  {"{}{}", nil, "", refused},
		"nothing, open":   {"{ ", nil, "", refused},
		"nothing, large":  {"{" + strings.Repeat(" ", maxNothing) + "}", nil, "", refused},
		"whole":           {whole, nil, "", refused},
		"whole, chunked":  {whole, chunked, "", refused},
		"larger":          {whole + "x", nil, "too_large", refused},
		"larger, chunked": {whole + "x", chunked, "too_large", refused},
		"cut off":         {"{}", func(r *http.Request) { r.ContentLength = 3 }, "body could not be read to its end; send it whole", refused},
		"of another type": {"x", func(r *http.Request) { r.Header.Set("Content-Type", "text/xml") }, "unsupported_media_type", "unsupported_media_type"},
		"encoded":         {"x", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, "unsupported_media_type", "unsupported_media_type"},
		"of a known type": {"{}", func(r *http.Request) {
			r.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
			r.Header.Set("Content-Encoding", "Identity")
		}, "", ""},
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
		`{"capacity":1e400}`:             "capacity must be a whole number",
		`{"capacity":1e-1}`:              "capacity must be a whole number",
		`{"capacity":01}`:                "body must be one well-formed JSON object; the error is at byte 13",
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

// TestMediaTypes: what says JSON is JSON, whoever sends it. What tools say by default is
// JSON if it looks so and no browser sends it. Everything else is refused.
func TestMediaTypes(t *testing.T) {
	const json, tool, other = "json", "tool", "other"
	for media, want := range map[string]string{
		"": json, "application/json": json, "Application/JSON ; charset=UTF-8": json, "application/json;": json, "application/json; charset": json,
		"application/merge-patch+json": json, "application/vnd.example.v2+json": json, "application/ld+json; profile=x": json, "text/json": json,
		"application/x-www-form-urlencoded": tool, "application/x-www-form-urlencoded; charset=utf-8": tool, "text/plain": tool,
		"text/plain;charset=UTF-8": tool, "text/html": tool, "application/octet-stream": tool,
		"application/json-patch+json": other, "application/x-ndjson": other, "application/json-seq": other, "application/xml": other, "text/xml": other,
		"multipart/form-data; boundary=x": other, "application/jsonx": other, "image/svg+xml": other, "image/x+json": other, ";": other, "json": other,
	} {
		for name, c := range map[string]struct {
			body    string
			headers []string
			taken   []string // the kinds of which the body is read
		}{
			"a program":               {`{}`, nil, []string{json, tool}},
			"a program, wide":         {"\r\n {}", []string{"User-Agent", "curl/8.5.0", "Cookie", "eventio_token=x"}, []string{json, tool}},
			"a program, nothing":      {``, nil, []string{json, tool}},
			"PowerShell":              {`{}`, []string{"User-Agent", "Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1"}, []string{json, tool}},
			"node":                    {`{}`, []string{"User-Agent", "node", "Sec-Fetch-Mode", "cors"}, []string{json, tool}},
			"a program, a form":       {`name=x`, nil, []string{json}},
			"a program, a list":       {`[]`, nil, []string{json}},
			"a page":                  {`{}`, []string{"Origin", "https://x.example"}, []string{json}},
			"a page of no origin":     {`{}`, []string{"Origin", "null"}, []string{json}},
			"a page of ours":          {`{}`, []string{"Sec-Fetch-Site", "same-origin"}, []string{json}},
			"a link":                  {`{}`, []string{"Referer", "https://x.example/"}, []string{json}},
			"an old browser":          {`{"a":"="}`, []string{"User-Agent", "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36"}, []string{json}},
			"a very old browser":      {`{}`, []string{"User-Agent", "Opera/9.80"}, []string{json}},
			"somebody with no name":   {`{}`, []string{"Cookie", "eventio_token=x"}, []string{json}},
			"a page in an old window": {`{}`, []string{"Upgrade-Insecure-Requests", "1"}, []string{json}},
		} {
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			r.Header.Del("User-Agent")
			for pair := range slices.Chunk(append([]string{"Content-Type", media}, c.headers...), 2) {
				r.Header.Set(pair[0], pair[1])
			}
			problem := "unsupported_media_type"
			if slices.Contains(c.taken, want) {
				problem = ""
			}
			if _, err := ReadBody(httptest.NewRecorder(), r); reasons(t, err) != problem {
				t.Errorf("%q of %s: %q, want %q", media, name, reasons(t, err), problem)
			}
		}
	}
}

// TestWholeNumbers: one number is the same number however it is written, and none is rounded.
func TestWholeNumbers(t *testing.T) {
	const none = 1<<63 - 7
	for text, want := range map[string]int64{
		"0": 0, "-0": 0, "0.0": 0, "0e9": 0, "0E-9": 0, "10": 10, "10.0": 10, "10.000000000000000000000000000": 10, "1e1": 10, "1E+1": 10,
		"1e0": 1, "100e-1": 10, "0.1e2": 10, "1.5e1": 15, "12.50e1": 125, "-3": -3, "-30e-1": -3, "1e18": 1e18,
		"9223372036854775807": 1<<63 - 1, "9.223372036854775807e18": 1<<63 - 1, "-9223372036854775808": -1 << 63, "9007199254740993": 9007199254740993,
		"1.5": none, "10.5": none, "1e-1": none, "15e-1": none, "0.0000000001": none, "9223372036854775808": none, "1e19": none, "1e20": none,
		"1e400": none, "1e-400": none, "1e99999999999999999999": none, "-9223372036854775809": none,
	} {
		got, err := wholeNumber(text)
		if (err != nil) != (want == none) || err == nil && got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, err, want)
		}
		var e event
		if err := Decode([]byte(`{"capacity":`+text+`}`), &e); (err != nil) != (want == none) || err == nil && e.Capacity != want {
			t.Errorf("%s in a body is %d, %v", text, e.Capacity, err)
		}
	}
}

// TestInstants: every form that RFC 3339 has for a time is that time, and no other form is one.
func TestInstants(t *testing.T) {
	at := func(month time.Month, day, hour, minute, second, milli int) time.Time {
		return time.Date(2027, month, day, hour, minute, second, milli*1e6, time.UTC)
	}
	six := at(5, 1, 18, 0, 0, 0)
	for text, want := range map[string]time.Time{
		"2027-05-01T18:00:00Z": six, "2027-05-01t18:00:00z": six, "2027-05-01T18:00:00z": six, "2027-05-01t20:00:00+02:00": six, "2027-05-01T18:00:00.000000000000Z": six,
		"2027-05-01T18:00:00-00:00": six, "2027-05-01T18:00:00.0009Z": six, "2027-05-02T17:59:00+23:59": six, "2027-05-01t18:00:00.25z": at(5, 1, 18, 0, 0, 250),
		"2027-06-30T23:59:60Z": at(7, 1, 0, 0, 0, 0), "2027-07-01T01:59:60.9+02:00": at(7, 1, 0, 0, 0, 0), "2027-12-31t23:59:60z": time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC),
		"2027-05-01T18:00:60Z": {}, "2027-06-29T23:59:60Z": {}, "2027-06-30T23:59:60+02:00": {}, "2027-06-30T23:59:61Z": {}, "2027-05-01 18:00:00Z": {}, "2027-05-01_18:00:00Z": {},
		"2027-05-01T18:00Z": {}, "2027-05-01T18:00:00": {}, "2027-05-01T24:00:00Z": {}, "2027-05-01T18:00:00,5Z": {}, "2027-05-01T18:00:00.Z": {}, "20270501T180000Z": {},
		"2027-05-01T18:00:00+0200": {}, "2027-05-01T18:00:00+2:00": {}, "2027-05-01T18:00:00 02:00": {}, "2027-02-29T18:00:00Z": {}, "2027-05-01T18:00:00Z ": {}, "now": {},
	} {
		var f Fields
		if got := f.Instant("a", text); f.OK() != !want.IsZero() || f.OK() && !got.Equal(want) {
			t.Errorf("%q is %v, %v, want %v", text, got, f.Err(), want)
		}
	}
	for text, want := range map[string]time.Time{
		"2027-05-01T20:00:00 02:00": six, "2027-05-01T20:00:00.000 02:00": six, "2027-05-01T18:00:00Z": six,
		"2027-05-01 18:00:00Z": {}, "2027-05-01 20:00:00 02:00": {}, "2027-05-01T20:00:00  02:00": {}, " 02:00": {}, " ": {},
	} {
		var f Fields
		if got := f.QueryInstant("a", text); f.OK() != !want.IsZero() || f.OK() && !got.Equal(want) {
			t.Errorf("%q in a query is %v, %v, want %v", text, got, f.Err(), want)
		}
	}
}

// TestPreferences reads the forms of RFC 7240.
func TestPreferences(t *testing.T) {
	for _, c := range []struct {
		want bool
		sent []string
	}{
		{true, []string{"handling=strict"}}, {true, []string{"Handling=Strict"}}, {true, []string{`handling="strict"`}}, {true, []string{"respond-async, handling = strict ;foo=1"}},
		{true, []string{"return=minimal", "handling=strict"}}, {true, []string{"handling=strict, handling=lenient"}},
		{false, nil}, {false, []string{""}}, {false, []string{"handling=lenient"}}, {false, []string{"handling=lenient, handling=strict"}},
		{false, []string{"strict"}}, {false, []string{"handling"}}, {false, []string{"xhandling=strict"}}, {false, []string{"wait=10; handling=strict"}},
	} {
		if got := Strict(http.Header{"Prefer": c.sent}); got != c.want {
			t.Errorf("%q: %v", c.sent, got)
		}
	}
}

// TestEmptyParametersSayNothing: a form of a page sends its empty fields too.
func TestEmptyParametersSayNothing(t *testing.T) {
	u, err := url.Parse("/?q=&limit=10&cursor&sort=a&&=")
	if err != nil {
		t.Fatal(err)
	}
	q := Query(u)
	var f Fields
	if f.Limit(q) != 10 || !f.OK() || len(q) != 2 || q.Get("sort") != "a" {
		t.Errorf("left is %v, %v", q, f.Err())
	}
	if ListOf("/", q) != ListOf("/", url.Values{"sort": {"a"}}) {
		t.Error("an empty filter makes another list")
	}
}

func TestFields(t *testing.T) {
	var f Fields
	if got := f.Line("a", "  x ", 4); got != "x" {
		t.Errorf("a line is %q", got)
	}
	if got := f.Text("a", " x\n\ty ", 5); got != "x\n\ty" {
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
	if got := f.Search("a", "Grand  Café!"); !reflect.DeepEqual(got, search.Words("grand cafe")) {
		t.Errorf("the words are %q", got)
	}
	if !f.OK() || f.Err() != nil {
		t.Fatalf("wrong is %v", f.Err())
	}
	empty := ""
	for want, check := range map[string]func(*Fields){
		"a is required and must not be blank":                                    func(f *Fields) { f.Line("a", " ", 5) },
		"a must have at most 2 characters":                                       func(f *Fields) { f.Line("a", "xyz", 2) },
		"a must not contain U+000A, a control character":                         func(f *Fields) { f.Line("a", "x\ny", 5) },
		"b must have at most 2 characters":                                       func(f *Fields) { f.Text("b", "éöü", 2) },
		"b must not contain U+0000, a control character":                         func(f *Fields) { f.Text("b", "\x00", 2) },
		"c is required and must not be blank":                                    func(f *Fields) { f.Email("c", "") },
		"c must have at most 254 bytes":                                          func(f *Fields) { f.Email("c", strings.Repeat("é", 126)+"@bc") },
		"c must be an e-mail address like name@example.org":                      func(f *Fields) { f.Email("c", "a@b@c") },
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
		"q must not be blank; leave it out to list all":                          func(f *Fields) { f.Search("q", " ") },
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
