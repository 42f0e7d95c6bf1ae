package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// object is a JSON object; numbers in it are json.Number.
type object map[string]any

// object checks a good answer: status, type, and exactly these fields.
func (a answer) object(t testing.TB, status int, fields []string) object {
	t.Helper()
	a.wantType(t, status, "application/json")
	o := decode[object](t, a.body)
	o.wantFields(t, fields)
	return o
}

func (a answer) wantType(t testing.TB, status int, media string) {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if got := a.header.Values("Content-Type"); !slices.Equal(got, []string{media}) {
		t.Errorf("Content-Type is %q, want %s", got, media)
	}
	if got := a.header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options is %q", got)
	}
}

// problem checks a problem document in all its parts, and returns its fields in error.
func (a answer) problem(t testing.TB, status int, code string) (fields []string) {
	t.Helper()
	a.wantType(t, status, "application/problem+json")
	o := decode[object](t, a.body)
	want := []string{"type", "title", "status", "detail", "code"}
	if code == "invalid" {
		want = append(want, "errors")
	}
	o.wantFields(t, want)
	if got := o["code"]; got != code {
		t.Errorf("code is %v, want %s: %s", got, code, a.body)
	}
	if got := o["status"]; got != json.Number(strconv.Itoa(status)) {
		t.Errorf("status in the document is %v, want %d", got, status)
	}
	if got := o["type"]; got != "urn:eventio:problem:"+code {
		t.Errorf("type is %v", got)
	}
	for _, name := range []string{"title", "detail"} {
		if strings.TrimSpace(o.text(t, name)) == "" {
			t.Errorf("no %s: %s", name, a.body)
		}
	}
	retry := a.header.Get("Retry-After")
	if seconds, err := strconv.Atoi(retry); (status == 503 || status == 504) != (err == nil && seconds > 0) {
		t.Errorf("Retry-After of a %d is %q", status, retry)
	}
	if challenge := a.header.Get("WWW-Authenticate"); (status == 401) != (challenge != "") {
		t.Errorf("WWW-Authenticate of a %d is %q", status, challenge)
	}
	if code != "invalid" {
		return nil
	}
	list, _ := o["errors"].([]any)
	for _, item := range list {
		each, _ := item.(map[string]any)
		object(each).wantFields(t, []string{"field", "reason"})
		if strings.TrimSpace(object(each).text(t, "reason")) == "" {
			t.Errorf("a reason is blank: %s", a.body)
		}
		fields = append(fields, object(each).text(t, "field"))
	}
	if len(fields) == 0 {
		t.Errorf("an invalid request without errors: %s", a.body)
	}
	return fields
}

func (o object) wantFields(t testing.TB, want []string) {
	t.Helper()
	got := slices.Sorted(maps.Keys(o))
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		t.Fatalf("fields are %v, want %v", got, want)
	}
}

func (o object) text(t testing.TB, name string) string {
	t.Helper()
	s, ok := o[name].(string)
	if !ok {
		t.Fatalf("%s is %v, want a string", name, o[name])
	}
	return s
}

var idForm, instantForm = regexp.MustCompile(`^[0-9a-f]{24}$`), regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$`)

func (o object) id(t testing.TB, name string) string {
	t.Helper()
	s := o.text(t, name)
	if !idForm.MatchString(s) {
		t.Errorf("%s is %q, want 24 hexadecimal digits", name, s)
	}
	return s
}

// instant is a time, which must be RFC 3339, in UTC, and of milliseconds.
func (o object) instant(t testing.TB, name string) time.Time {
	t.Helper()
	s := o.text(t, name)
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || !instantForm.MatchString(s) {
		t.Fatalf("%s is %q, want an RFC 3339 time in UTC", name, s)
	}
	return at
}

// decode reads one JSON value with nothing behind it.
func decode[T any](t testing.TB, data []byte) (v T) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %q", err, data)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more than one value in %q", data)
	}
	return v
}

// body writes a JSON object from pairs of name and raw value; a later pair replaces an
// earlier one, and an empty value takes it away.
func body(base []string, changes ...string) string {
	var names []string
	values := make(map[string]string)
	for pair := range slices.Chunk(slices.Concat(base, changes), 2) {
		if _, ok := values[pair[0]]; !ok {
			names = append(names, pair[0])
		}
		values[pair[0]] = pair[1]
	}
	var fields []string
	for _, name := range names {
		if values[name] != "" {
			fields = append(fields, strconv.Quote(name)+":"+values[name])
		}
	}
	return "{" + strings.Join(fields, ",") + "}"
}

func quote(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func userBody(changes ...string) string {
	return body([]string{"name", `"Ada Lovelace"`, "email", `"ada@example.org"`, "password", quote(password)}, changes...)
}

func loginBody(email, secret string) string {
	return body([]string{"email", quote(email), "password", quote(secret)})
}

func eventBody(changes ...string) string {
	return body([]string{
		"organizer_id", `"6b056f1db8a8b20890367b25"`, "title", `"Opening night"`, "description", `"One place only."`,
		"capacity", "1", "starts_at", `"2027-05-01T18:00:00Z"`, "ends_at", `"2027-05-01T20:00:00Z"`,
	}, changes...)
}
