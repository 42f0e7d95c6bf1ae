package api_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/internal/passwords"
)

// badInput is a request that must be refused, and how.
type badInput struct {
	name    string
	method  string
	path    string // {event} stands for the id of an event
	body    string
	headers []string // pairs
	status  int
	code    string
	fields  string // of an invalid request, in order, joined by commas
}

const (
	users, login, events   = "/api/users", "/api/login", "/api/events"
	theEvent, theRoster    = "/api/events/{event}", "/api/events/{event}/registrations"
	jsonType               = "application/json"
	someID                 = "6b056f1db8a8b20890367b25"
	key                    = "Idempotency-Key"
	notFound, invalid      = "not_found", "invalid"
	noEvent, wrongMethod   = "event_not_found", "method_not_allowed"
	tooLarge, badMediaType = "too_large", "unsupported_media_type"
)

// Rows that differ in one field from a good request.

func badUser(name, field, value string) badInput {
	return badInput{field + "/" + name, "POST", users, userBody(field, value), nil, 400, invalid, field}
}

func badLogin(name, field, value string) badInput {
	good := []string{"email", `"ada@example.org"`, "password", quote(password)}
	return badInput{"login_" + field + "/" + name, "POST", login, body(good, field, value), nil, 400, invalid, field}
}

func badEvent(name, field, value string) badInput {
	return badInput{field + "/" + name, "POST", events, eventBody(field, value), nil, 400, invalid, field}
}

func badRegistration(name, value string) badInput {
	return badInput{"user_id/" + name, "POST", theRoster, body(nil, "user_id", value), nil, 400, invalid, "user_id"}
}

// badBody is a body that is no JSON object.
func badBody(name, body string) badInput {
	return badInput{"body/" + name, "POST", users, body, nil, 400, invalid, "body"}
}

func badPathID(name, id string) badInput {
	return badInput{"path_id/" + name, "GET", events + "/" + id, "", nil, 400, invalid, "id"}
}

func badQuery(name, query, field string) badInput {
	return badInput{"query/" + name, "GET", theRoster + "?" + query, "", nil, 400, invalid, field}
}

func badHeader(name string, status int, code, field string, headers ...string) badInput {
	return badInput{"header/" + name, "POST", theRoster, registrationBody(someID), headers, status, code, field}
}

func badPath(name, path string) badInput {
	return badInput{"path/" + name, "GET", path, "", nil, 404, notFound, ""}
}

var overLimit = userBody("name", quote(strings.Repeat("x", input.MaxBody)))

var badInputs = slices.Concat([]badInput{
	badBody("empty", ""),
	badBody("blank", " \r\n\t"),
	badBody("malformed", `{"name":}`),
	badBody("truncated", userBody()[:40]),
	badBody("truncated_at_the_last_byte", strings.TrimSuffix(userBody(), "}")),
	badBody("two_objects", userBody()+"{}"),
	badBody("trailing_bytes", userBody()+"x"),
	badBody("array", "["+userBody()+"]"),
	badBody("null", "null"),
	badBody("null_with_blanks", " null\n"),
	badBody("number", "1"),
	badBody("string", `"x"`),
	badBody("true", "true"),
	badBody("single_quotes", `{'name':'x'}`),
	badBody("comment", userBody()+"// x"),
	badBody("trailing_comma", strings.TrimSuffix(userBody(), "}")+",}"),
	badBody("byte_order_mark", "\uFEFF"+userBody()),
	badBody("utf_16", "\xff\xfe{\x00}\x00"),
	badBody("form", "name=x&email=y"),
	badBody("depth_10001", strings.Repeat(`{"a":`, 10_001)+"1"+strings.Repeat("}", 10_001)),
	badBody("lone_surrogate", userBody("name", `"\ud800"`)),
	badBody("bad_escape", userBody("name", `"\x41"`)),
	badBody("not_a_number", userBody("age", "NaN")),
	badBody("control_character_in_a_string", userBody("name", "\"a\nb\"")),
	{"body/over_the_limit_with_length", "POST", users, overLimit, nil, 413, tooLarge, ""},
	{"body/over_the_limit_chunked", "POST", users, overLimit, []string{chunked, ""}, 413, tooLarge, ""},
	{"body/one_byte_over_the_limit", "POST", users, pad(userBody(), input.MaxBody+1), nil, 413, tooLarge, ""},
	{"body/one_byte_over_the_limit_chunked", "POST", users, pad(userBody(), input.MaxBody+1), []string{chunked, ""}, 413, tooLarge, ""},
	{"body/a_megabyte_to_every_route", "POST", theRoster, pad(registrationBody(someID), 1<<20), nil, 413, tooLarge, ""},
	{"body/all_fields_missing_in_a_sign_up", "POST", users, "{}", nil, 400, invalid, "name,email,password"},
	{"body/all_fields_missing_in_a_log_in", "POST", login, "{}", nil, 400, invalid, "email,password"},
	{"body/all_fields_missing_in_an_event", "POST", events, "{}", nil, 400, invalid, "organizer_id,title,capacity,starts_at,ends_at"},
	{"body/empty_registration", "POST", theRoster, "", nil, 400, invalid, "body"},
	{"body/empty_log_in", "POST", login, "", nil, 400, invalid, "body"},
	{"body/empty_event", "POST", events, "", nil, 400, invalid, "body"},
	{"body/key_twice", "POST", theRoster, `{"user_id":"` + someID + `","user_id":"` + someID + `"}`, nil, 400, invalid, "user_id"},
	{"body/key_twice_escaped", "POST", theRoster, `{"user_id":"` + someID + `","user_\u0069d":"` + someID + `"}`, nil, 400, invalid, "user_id"},
	{"body/key_in_another_case", "POST", theRoster, `{"USER_ID":"` + someID + `"}`, nil, 400, invalid, "user_id"},
	{"body/key_in_camel_case", "POST", theRoster, `{"userId":"` + someID + `"}`, nil, 400, invalid, "user_id"},
	{"body/event_key_in_another_case", "POST", events, eventBody("title", "", "Title", `"x"`), nil, 400, invalid, "title"},
	{"body/not_utf_8", "POST", users, userBody("name", "\"\xff\xfe\""), nil, 400, invalid, "name"},
	{"body/not_utf_8_in_an_id", "POST", theRoster, "{\"user_id\":\"\xc3(\"}", nil, 400, invalid, "user_id"},

	badUser("missing", "name", ""),
	badUser("null", "name", "null"),
	badUser("blank", "name", `" \t\u00a0\u2003 "`),
	badUser("number", "name", "1"),
	badUser("array", "name", `["a"]`),
	badUser("object", "name", `{"$gt":""}`),
	badUser("of_201_characters", "name", quote(strings.Repeat("é", input.MaxName+1))),
	badUser("null_byte", "name", `"a\u0000b"`),
	badUser("line_end", "name", `"a\r\nb"`),
	badUser("missing", "email", ""),
	badUser("null", "email", "null"),
	badUser("blank", "email", `"  "`),
	badUser("true", "email", "true"),
	badUser("query_operator", "email", `{"$ne":null}`),
	badUser("no_at", "email", `"ada.example.org"`),
	badUser("only_at", "email", `"@"`),
	badUser("no_local_part", "email", `"@example.org"`),
	badUser("no_domain", "email", `"ada@"`),
	badUser("two_ats", "email", `"ada@x@example.org"`),
	badUser("blank_inside", "email", `"ada lovelace@example.org"`),
	badUser("line_end_inside", "email", `"ada@example.org\r\nBcc: eve@example.org"`),
	badUser("null_byte", "email", `"ada\u0000@example.org"`),
	badUser("soft_hyphen", "email", `"a\u00adda@example.org"`),
	badUser("zero_width_joiner", "email", `"a\u200dda@example.org"`),
	badUser("bidi_override_in_the_domain", "email", `"ada@ex\u202eample.org"`),
	badUser("ligature", "email", `"ﬁ@example.org"`),
	badUser("invisible", "name", `"Ada\u2060"`),
	badUser("line_end", "password", `"correct\nhorse"`),
	badUser("trailing_dot", "email", `"ada@example.org."`),
	badUser("of_255_bytes", "email", quote(strings.Repeat("a", input.MaxEmail+1-len("@example.org"))+"@example.org")),
	badUser("missing", "password", ""),
	badUser("null", "password", "null"),
	badUser("empty", "password", `""`),
	badUser("blank", "password", `"   "`),
	badUser("number", "password", "12345678"),
	badUser("null_byte", "password", `"`+password+`\u0000"`),
	badUser("of_257_bytes", "password", quote(strings.Repeat("p", passwords.MaxBytes+1))),

	badLogin("missing", "email", ""),
	badLogin("query_operator", "email", `{"$ne":null}`),
	badLogin("null_byte", "email", `"ada\u0000@example.org"`),
	badLogin("missing", "password", ""),
	badLogin("query_operator", "password", `{"$gt":""}`),
	badLogin("null_byte", "password", `"\u0000"`),
	badLogin("of_257_bytes", "password", quote(strings.Repeat("p", passwords.MaxBytes+1))),

	badEvent("missing", "organizer_id", ""),
	badEvent("null", "organizer_id", "null"),
	badEvent("number", "organizer_id", "123456789012345678901234"),
	badEvent("of_23_digits", "organizer_id", quote(someID[1:])),
	badEvent("zero", "organizer_id", quote(strings.Repeat("0", 24))),
	badEvent("null_byte", "organizer_id", `"\u0000`+someID[1:]+`"`),
	badEvent("missing", "title", ""),
	badEvent("blank", "title", `"  "`),
	badEvent("number", "title", "5"),
	badEvent("null_byte", "title", `"a\u0000"`),
	badEvent("escape_sequence", "title", `"\u001b[2J"`),
	badEvent("bidi_override", "title", `"abc\u202egpj"`),
	badEvent("zero_width_space", "title", `"a\u200bb"`),
	badEvent("byte_order_mark", "title", `"\ufeffa"`),
	badEvent("nothing_to_see", "title", `"\u3164\u2800"`),
	badEvent("private_use", "title", `"a\ue000"`),
	badEvent("of_201_characters", "title", quote(strings.Repeat("t", input.MaxTitle+1))),
	badEvent("number", "description", "5"),
	badEvent("object", "description", "{}"),
	badEvent("null_byte", "description", `"a\u0000"`),
	badEvent("of_10001_characters", "description", quote(strings.Repeat("d", input.MaxDescription+1))),
	badEvent("missing", "capacity", ""),
	badEvent("null", "capacity", "null"),
	badEvent("zero", "capacity", "0"),
	badEvent("minus_one", "capacity", "-1"),
	badEvent("one_and_a_half", "capacity", "1.5"),
	badEvent("one_tenth", "capacity", "1e-1"),
	badEvent("string", "capacity", `"10"`),
	badEvent("true", "capacity", "true"),
	badEvent("array", "capacity", "[1]"),
	badEvent("over_a_billion", "capacity", "1000000001"),
	badEvent("two_to_the_63", "capacity", "9223372036854775808"),
	badEvent("two_to_the_64_plus_1", "capacity", "18446744073709551617"),
	badEvent("1e400", "capacity", "1e400"),
	badEvent("equal_to_the_start", "ends_at", `"2027-05-01T18:00:00Z"`),
	badEvent("equal_to_the_start_in_another_zone", "ends_at", `"2027-05-01T20:00:00+02:00"`),
	badEvent("equal_to_the_start_but_for_microseconds", "ends_at", `"2027-05-01T18:00:00.000999Z"`),
	badEvent("before_the_start", "ends_at", `"2027-05-01T17:59:59Z"`),
	badEvent("missing", "starts_at", ""),
	badEvent("missing", "ends_at", ""),
	badEvent("null", "starts_at", "null"),
	badEvent("object", "starts_at", `{"$date":0}`),
	badEvent("blank", "starts_at", `" "`),
	badEvent("padded", "starts_at", `" 2027-05-01T18:00:00Z"`),
	badEvent("no_zone", "starts_at", `"2027-05-01T18:00:00"`),
	badEvent("blank_for_t", "starts_at", `"2027-05-01 18:00:00Z"`),
	badEvent("month_13", "starts_at", `"2027-13-01T18:00:00Z"`),
	badEvent("month_0", "starts_at", `"2027-00-01T18:00:00Z"`),
	badEvent("30_february", "starts_at", `"2027-02-30T18:00:00Z"`),
	badEvent("29_february_of_no_leap_year", "starts_at", `"2027-02-29T18:00:00Z"`),
	badEvent("hour_24", "starts_at", `"2027-05-01T24:00:00Z"`),
	badEvent("minute_60", "starts_at", `"2027-05-01T18:60:00Z"`),
	badEvent("second_60", "starts_at", `"2027-05-01T18:00:60Z"`),
	badEvent("date_only", "starts_at", `"2027-05-01"`),
	badEvent("unix_number", "starts_at", "1809194400"),
	badEvent("unix_number_as_text", "starts_at", `"1809194400"`),
	badEvent("rfc_1123", "starts_at", `"Sat, 01 May 2027 18:00:00 GMT"`),
	badEvent("year_0", "starts_at", `"0000-05-01T18:00:00Z"`),
	badEvent("year_10000", "ends_at", `"10000-05-01T18:00:00Z"`),
	badEvent("year_10000_in_utc", "ends_at", `"9999-12-31T23:30:00-01:00"`),
	badEvent("null_byte", "starts_at", `"2027-05-01T18:00:00Z\u0000"`),
	// RFC 3339, section 5.6: two digits, a full stop, and offsets up to 23:59.
	badEvent("hour_of_one_digit", "starts_at", `"2027-05-01T8:00:00Z"`),
	badEvent("fraction_after_a_comma", "starts_at", `"2027-05-01T18:00:00,5Z"`),
	badEvent("offset_of_24_hours", "starts_at", `"2027-05-01T18:00:00+24:00"`),
	badEvent("offset_of_60_minutes", "starts_at", `"2027-05-01T18:00:00+01:60"`),

	badRegistration("missing", ""),
	badRegistration("null", "null"),
	badRegistration("empty", `""`),
	badRegistration("number", "1"),
	badRegistration("array", `["`+someID+`"]`),
	badRegistration("query_operator", `{"$ne":null}`),
	badRegistration("extended_json", `{"$oid":"`+someID+`"}`),
	badRegistration("of_23_digits", quote(someID[1:])),
	badRegistration("of_25_digits", quote(someID+"0")),
	badRegistration("not_hexadecimal", quote("g"+someID[1:])),
	badRegistration("padded", quote(" "+someID[1:])),
	badRegistration("blank_before", quote(" "+someID)),
	badRegistration("line_end_after", quote(someID+"\n")),
	badRegistration("fullwidth_digits", quote(strings.Repeat("１", 24))),
	badRegistration("24_bytes_of_fullwidth_digits", quote(strings.Repeat("１", 8))),
	badRegistration("zero", quote(strings.Repeat("0", 24))),
	badRegistration("uuid", `"123e4567-e89b-12d3-a456-426614174000"`),
	badRegistration("null_byte", `"`+someID[1:]+`\u0000"`),
	badRegistration("subject_wildcard", `"*"`),

	badPathID("of_23_digits", someID[1:]),
	badPathID("of_25_digits", someID+"0"),
	badPathID("not_hexadecimal", "g"+someID[1:]),
	badPathID("padded", "%20"+someID),
	badPathID("line_end", someID+"%0d%0a"),
	badPathID("fullwidth_digits", strings.Repeat("%EF%BC%91", 24)),
	badPathID("star", "*"),
	badPathID("star_escaped", "%2A"),
	badPathID("greater_than", "%3E"),
	badPathID("dot", "."),
	badPathID("dot_escaped", "%2e"),
	badPathID("tokens", "a.b.c"),
	badPathID("null_byte", "%00"),
	badPathID("parent", ".."),
	badPathID("parent_escaped", "..%2f..%2fetc%2fpasswd"),
	badPathID("blank", "%20"),
	badPathID("not_utf_8", "%ff"),
	badPathID("empty", "/registrations"),
	{"path_id/star_of_a_roster", "GET", events + "/*/registrations", "", nil, 400, invalid, "id"},
	{"path_id/star_of_a_registration", "POST", events + "/*/registrations", registrationBody(someID), nil, 400, invalid, "id"},
	{"path_id/greater_than_of_a_registration", "POST", events + "/%3E/registrations", registrationBody(someID), nil, 400, invalid, "id"},
	{"path_id/dot_of_a_registration", "POST", events + "/./registrations", registrationBody(someID), nil, 400, invalid, "id"},
	{"path_id/unknown_of_a_registration", "POST", events + "/" + someID + "/registrations", registrationBody(someID), nil, 404, noEvent, ""},

	badQuery("limit_0", "limit=0", "limit"),
	badQuery("limit_minus_1", "limit=-1", "limit"),
	badQuery("limit_1001", "limit=1001", "limit"),
	badQuery("limit_abc", "limit=abc", "limit"),
	badQuery("limit_fraction", "limit=1.5", "limit"),
	badQuery("limit_of_64_bits", "limit=9223372036854775808", "limit"),
	badQuery("limit_in_arabic_digits", "limit=%D9%A3", "limit"),
	badQuery("limit_twice", "limit=1&limit=1", "limit"),
	badQuery("cursor_abc", "limit=1&cursor=abc", "cursor"),
	badQuery("cursor_minus_1", "limit=1&cursor=-1", "cursor"),
	badQuery("cursor_of_64_bits", "limit=1&cursor=9223372036854775808", "cursor"),
	badQuery("cursor_twice", "cursor=1&cursor=1", "cursor"),
	badQuery("cursor_operator", "cursor="+"%7B%22%24gt%22%3A0%7D", "cursor"),
	badQuery("both_wrong", "limit=0&cursor=x", "limit,cursor"),
	// net/url drops such pairs in silence: the page that was asked for becomes the whole list.
	badQuery("limit_badly_escaped", "limit=%zz", "query"),
	badQuery("semicolon", "limit=1;cursor=0", "query"),

	badHeader("key_empty", 400, invalid, key, key, ""),
	badHeader("key_of_256_bytes", 400, invalid, key, key, strings.Repeat("k", 256)),
	badHeader("key_not_ascii", 400, invalid, key, key, "clé"),
	badHeader("key_not_utf_8", 400, invalid, key, key, "\xff"),
	badHeader("key_with_a_tab", 400, invalid, key, key, "a\tb"),
	badHeader("two_keys", 400, invalid, key, key, "a", key, "b"),
	badHeader("text_xml", 415, badMediaType, "", "Content-Type", "text/xml"),
	badHeader("text_plain_of_a_browser", 415, badMediaType, "", "Content-Type", "text/plain; charset=utf-8", "User-Agent", "Mozilla/5.0"),
	badHeader("form_of_a_page_of_ours", 415, badMediaType, "", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"),
	badHeader("list_of_changes", 415, badMediaType, "", "Content-Type", "application/json-patch+json"),
	badHeader("multipart", 415, badMediaType, "", "Content-Type", "multipart/form-data; boundary=x"),
	badHeader("almost_json", 415, badMediaType, "", "Content-Type", "application/jsonx"),
	badHeader("no_type_at_all", 415, badMediaType, "", "Content-Type", ";"),
	badHeader("gzip", 415, badMediaType, "", "Content-Encoding", "gzip"),
	badHeader("gzip_declared_as_json", 415, badMediaType, "", "Content-Type", jsonType, "Content-Encoding", "gzip"),
	badHeader("deflate", 415, badMediaType, "", "Content-Encoding", "deflate, gzip"),
	{"header/xml_to_users", "POST", users, userBody(), []string{"Content-Type", "text/xml"}, 415, badMediaType, ""},
	{"header/form_to_login", "POST", login, "email=a&password=b", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, badMediaType, ""},
	{"header/plain_to_events", "POST", events, "hello", []string{"Content-Type", "text/plain"}, 415, badMediaType, ""},
	{"header/plain_to_events_of_a_browser", "POST", events, eventBody(), []string{"Content-Type", "text/plain", "User-Agent", "Mozilla/5.0"}, 415, badMediaType, ""},
	{"header/strict", "POST", events, eventBody("waitinglist", "true"), []string{"Prefer", "handling=strict"}, 400, invalid, "waitinglist"},
	{"header/strict_registration", "POST", theRoster, body(nil, "user_id", quote(someID), "seat", "1"), []string{"Prefer", "handling=strict"}, 400, invalid, "seat"},
	{"header/strict_sign_up", "POST", users, userBody("admin", "true"), []string{"Prefer", `respond-async, handling="strict"`}, 400, invalid, "admin"},

	badPath("unknown", "/api/nothing"),
	badPath("root", "/"),
	badPath("above_the_routes", "/api"),
	badPath("trailing_slash", "/api/events/"),
	badPath("double_slash", "//api/events"),
	badPath("below_the_routes", theRoster+"/"+someID+"/more"),
	badPath("another_case", "/API/events"),
	badPath("traversal", "/api/../etc/passwd"),
	badPath("traversal_escaped", "/api/%2e%2e/%2e%2e/etc/passwd"),
	badPath("traversal_to_a_route", "/x/../api/events"),
	badPath("backslash", "/api%5cevents"),
	badPath("null_byte", "/api/events%00"),
	{"path/unknown_post", "POST", "/api/nothing", userBody(), nil, 404, notFound, ""},
	{"path/unknown_method_of_nothing", "BREW", "/api/nothing", "", nil, 404, notFound, ""},
}, laterBadInputs, wrongMethods())

// pad makes a body n bytes long without changing what it says.
func pad(body string, n int) string { return body + strings.Repeat(" ", n-len(body)) }

// allowed has the methods of each path.
var allowed = map[string]string{
	users: "OPTIONS, POST", login: "OPTIONS, POST", events: "GET, HEAD, OPTIONS, POST",
	theEvent: "GET, HEAD, OPTIONS, PATCH", theRoster: "GET, HEAD, OPTIONS, POST",
	theRegistration: "DELETE, GET, HEAD, OPTIONS, PUT", theEvent + "/attendees": "GET, HEAD, OPTIONS", theEvent + "/pace": "GET, HEAD, OPTIONS",
	keysPath: "GET, HEAD, OPTIONS, POST", keysPath + "/" + someID: "DELETE, OPTIONS",
	"/livez": "GET, HEAD, OPTIONS", "/readyz": "GET, HEAD, OPTIONS",
	events + "/%2e%2f": "GET, HEAD, OPTIONS, PATCH", // what is no id is still the path of an event
}

func wrongMethods() (rows []badInput) {
	for _, path := range slices.Sorted(maps.Keys(allowed)) {
		methods := allowed[path]
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			if !slices.Contains(strings.Split(methods, ", "), method) {
				rows = append(rows, badInput{"method/" + method + path, method, path, "", nil, 405, wrongMethod, ""})
			}
		}
	}
	return rows
}

func TestBadInput(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		path := e.newEvent(t, 5)
		event := strings.TrimPrefix(path, "/api/events/")
		e.register(t, path, newUser()).object(t, 201, registrationFields)
		e.post(t, users, userBody("email", `"first@example.org"`)).object(t, 201, userFields)
		before := e.counts(t)
		for _, row := range badInputs {
			t.Run(row.name, func(t *testing.T) {
				a := e.do(t, row.method, strings.ReplaceAll(row.path, "{event}", event), row.body, row.headers...)
				fields := a.problem(t, row.status, row.code)
				if got := strings.Join(fields, ","); got != row.fields {
					t.Errorf("the fields are %q, want %q: %s", got, row.fields, a.body)
				}
				if allow := a.header.Get("Allow"); row.status == 405 && sorted(allow) != allowed[row.path] {
					t.Errorf("Allow is %q, want %q", allow, allowed[row.path])
				}
				if len(a.body) > 2<<10 {
					t.Errorf("the answer has %d bytes", len(a.body))
				}
			})
		}
		t.Run("changed_nothing", func(t *testing.T) {
			if after := e.counts(t); after != before {
				t.Errorf("users, events, registrations: %v, before %v", after, before)
			}
		})
		t.Run("and_the_process_serves_on", func(t *testing.T) {
			e.get(t, "/readyz").object(t, 200, []string{"status"})
			e.post(t, users, userBody()).object(t, 201, userFields)
			e.register(t, path, newUser()).object(t, 201, registrationFields)
		})
		t.Run("and_the_log_has_no_fault", func(t *testing.T) {
			for _, sign := range []string{`"status":5`, "panic"} {
				if line := e.log.find(sign); line != "" {
					t.Errorf("the log has %s", line)
				}
			}
		})
	})
}

func sorted(list string) string {
	parts := strings.Split(list, ", ")
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// TestLimitsAreInclusive: what is just within the limits is taken.
func TestLimitsAreInclusive(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		for name, create := range map[string]string{
			"body_of_64_KiB":                  pad(eventBody(), input.MaxBody),
			"capacity_of_a_billion":           eventBody("capacity", "1000000000"),
			"title_of_200_characters":         eventBody("title", quote(strings.Repeat("😀", input.MaxTitle))),
			"description_of_10000_characters": eventBody("description", quote(strings.Repeat("é", input.MaxDescription))),
			"one_millisecond_long":            eventBody("ends_at", `"2027-05-01T18:00:00.001Z"`),
			"year_1_to_9999":                  eventBody("starts_at", `"0001-01-01T00:00:00Z"`, "ends_at", `"9999-12-31T23:59:59.999Z"`),
			"29_february":                     eventBody("starts_at", `"2024-02-29T00:00:00Z"`),
			"offset_of_23_59":                 eventBody("starts_at", `"2027-05-01T18:00:00+23:59"`),
			"markup":                          eventBody("title", `"<script>"`),
			"null_for_what_may_be_left_out":   eventBody("description", "null", "place", "null", "time_zone", "null", "waitlist", "null", "registration_opens_at", "null"),
		} {
			t.Run(name, func(t *testing.T) {
				a := e.post(t, events, create)
				o := a.object(t, 201, eventFields)
				read := e.get(t, events+"/"+o.id(t, "id"))
				if string(read.body) != string(a.body) {
					t.Errorf("made %s\nread %s", a.body, read.body)
				}
			})
		}
		t.Run("body_of_64_KiB_chunked", func(t *testing.T) {
			e.post(t, events, pad(eventBody(), input.MaxBody), chunked, "").object(t, 201, eventFields)
		})
		t.Run("user", func(t *testing.T) {
			email := strings.Repeat("a", input.MaxEmail-len("@example.org")) + "@example.org"
			secret := password + strings.Repeat("p", passwords.MaxBytes-len(password))
			e.post(t, users, userBody("email", quote(email), "name", quote(strings.Repeat("é", input.MaxName)), "password", quote(secret))).
				object(t, 201, userFields)
			e.post(t, login, loginBody(email, secret)).object(t, 200, userFields)
		})
		t.Run("key_of_255_bytes", func(t *testing.T) {
			e.register(t, e.newEvent(t, 1), newUser(), key, strings.Repeat("~", 255)).object(t, 201, registrationFields)
		})
		t.Run("pages_of_1_and_1000", func(t *testing.T) {
			path := e.newEvent(t, 1)
			for _, limit := range []string{"1", "1000"} {
				e.get(t, path+"/registrations?limit="+limit).wantType(t, 200, jsonType)
			}
		})
	})
}
