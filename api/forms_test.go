package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/describe/openapi"
)

// form is what tools declare a body to be when they are not told.
const form = "application/x-www-form-urlencoded"

// TestWhatToolsSendByDefault: the original does not look at the type of a body, so its clients, used
// with the defaults of their tools, go on working: a sign-up, a log-in, an event, a registration.
func TestWhatToolsSendByDefault(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		for name, headers := range map[string][]string{
			"curl": {"Content-Type", form, "User-Agent", "curl/8.5.0"}, "wget": {"Content-Type", form, "User-Agent", "Wget/1.21.4"},
			"fetch of node": {"Content-Type", "text/plain;charset=UTF-8", "User-Agent", "node", "Sec-Fetch-Mode", "cors", "Accept-Language", "*"},
			"requests":      {"User-Agent", "python-requests/2.32.3"}, "aiohttp": {"Content-Type", "text/plain; charset=utf-8", "User-Agent", "Python/3.12 aiohttp/3.10"},
			"urllib": {"Content-Type", form, "User-Agent", "Python-urllib/3.12"}, "axios": {"Content-Type", form, "User-Agent", "axios/1.7.7"},
			"ApacheBench": {"Content-Type", "text/plain", "User-Agent", "ApacheBench/2.3"}, "hey": {"Content-Type", "text/html", "User-Agent", "hey/0.0.1"},
		} {
			t.Run(name, func(t *testing.T) {
				email := newUser() + "@example.org"
				user := e.post(t, users, userBody("email", quote(email)), headers...).object(t, 201, userFields).id(t, "id")
				e.post(t, login, loginBody(email, password), headers...).object(t, 200, userFields)
				event := e.post(t, events, eventBody("organizer_id", quote(user)), headers...).object(t, 201, eventFields).id(t, "id")
				e.register(t, events+"/"+event, user, headers...).object(t, 201, registrationFields)
			})
		}
		t.Run("not a page of another site", func(t *testing.T) {
			path := e.newEvent(t, 1)
			a := e.register(t, path, newUser(), "Content-Type", "text/plain", "Origin", "https://evil.example")
			a.problem(t, 403, "forbidden")
			a = e.register(t, path, newUser(), "Content-Type", "text/plain", "User-Agent", "Mozilla/5.0")
			a.problem(t, 415, badMediaType)
		})
	})
}

// TestBodiesThatSayNothing: where the path says everything, {} and null are nothing.
func TestBodiesThatSayNothing(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		for _, nothing := range []string{"", "{}", "null", " {\n} ", "\r\n"} {
			for _, headers := range [][]string{nil, {"Content-Type", jsonType}, {"Content-Type", form}, {chunked, ""}} {
				t.Run(fmt.Sprintf("%q %q", nothing, headers), func(t *testing.T) {
					path, user := e.newEvent(t, 1), newUser()
					e.do(t, "PUT", path+"/registrations/"+user, nothing, headers...).object(t, 201, registrationFields)
					if a := e.do(t, "DELETE", path+"/registrations/"+user, nothing, headers...); a.status != 204 {
						t.Errorf("DELETE: %d %s", a.status, a.body)
					}
					e.post(t, path+"/cancel", nothing, headers...).wantType(t, 200, jsonType)
				})
			}
		}
	})
}

// TestFormsOfValues: one value is stored alike in whatever form it comes.
func TestFormsOfValues(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		for field, forms := range map[string]map[string]string{
			"capacity": {"10": "10", "10.0": "10", "1e2": "100", "1E+1": "10", "25e-1": "", "1000000000.0": "1000000000", "1e10": "", "1.0e1": "10", "100e-1": "10", "10.50": "", "-0": "", `"10"`: "", "010": ""},
			"starts_at": {
				`"2027-05-01t18:00:00z"`: `"2027-05-01T18:00:00Z"`, `"2027-05-01t20:00:00.5+02:00"`: `"2027-05-01T18:00:00.5Z"`,
				`"2027-04-30T23:59:60Z"`: `"2027-05-01T00:00:00Z"`, `"2027-05-01 18:00:00Z"`: "",
				`"2027-05-01T18:00:00+00:00"`: `"2027-05-01T18:00:00Z"`, `"2027-05-01T18:00:00-00:00"`: `"2027-05-01T18:00:00Z"`,
				`"2027-05-01T01:59:60+02:00"`: `"2027-05-01T00:00:00Z"`, `"2027-05-01T17:30:60Z"`: "", `"2027-05-01T18:00:00.123456789Z"`: `"2027-05-01T18:00:00.123Z"`,
				`"2027-05-01T18:00:00+0000"`: "", `"2027-05-01T18:00:00"`: "", `"2027-05-01T24:00:00Z"`: "",
			},
		} {
			for sent, want := range forms {
				t.Run(field+" "+sent, func(t *testing.T) {
					a := e.post(t, events, eventBody(field, sent))
					if want == "" {
						a.problem(t, 400, invalid)
					} else if !strings.Contains(string(a.body), `"`+field+`":`+want) {
						t.Errorf("it is %s", a.body)
					}
				})
			}
		}
		for _, query := range []string{
			"?q=&limit=&cursor=&from=&to=&organizer_id=&available=&sort=", "?q", "?available=false&sort=", "?limit=10&sort=starts_at&q=",
			"?from=2000-01-01t00:00:00z", "?from=2000-01-01T02:00:00+02:00", "?available=True", "?available=FALSE&limit=10.0", "?limit=1e1", "?limit=010",
		} {
			if list := decode[[]object](t, e.get(t, events+query).body); len(list) == 0 {
				t.Errorf("%s finds nothing", query)
			}
		}
		path := e.newEvent(t, 3)
		for range 3 {
			e.register(t, path, newUser()).object(t, 201, registrationFields)
		}
		for _, query := range []string{"?limit=&cursor=&status=", "?limit=1&status=&cursor="} {
			if a := e.get(t, path+"/registrations"+query); a.status != 200 {
				t.Errorf("%s: %d %s", query, a.status, a.body)
			}
		}
		// A list with empty filters is the one without them, so a cursor of it leads on in both.
		next := e.get(t, path+"/registrations?limit=1&status=").header.Get("Link")
		_, next, _ = strings.Cut(next, "cursor=")
		next, _, _ = strings.Cut(next, "&")
		if a := e.get(t, path+"/registrations?limit=1&cursor="+next); a.status != 200 {
			t.Errorf("the cursor: %d %s", a.status, a.body)
		}
		if a := e.get(t, users+"/"+someID+"/registrations?when=&limit=&cursor="); a.status != 200 {
			t.Errorf("a user's: %d %s", a.status, a.body)
		}
	})
}

// TestEmptyParametersSayNothing: of every operation, each parameter alone and all together, by the
// document, so that no route can be forgotten.
func TestEmptyParametersSayNothing(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		event := strings.TrimPrefix(e.newEvent(t, 1), events+"/")
		user := newUser()
		e.register(t, events+"/"+event, user).object(t, 201, registrationFields)
		fill := strings.NewReplacer("{id}", event, "{user_id}", user, "{webhook_id}", someID)
		var document openapi.Document
		must(t, json.Unmarshal(e.get(t, "/openapi.json").body, &document))
		tried := 0
		for place, op := range document.Operations() {
			var all []string
			for _, p := range op.Parameters {
				if p.In == "query" {
					all = append(all, p.Name+"=")
				}
			}
			if len(all) == 0 {
				continue
			}
			path := fill.Replace(place.Path)
			plain := e.do(t, place.Method, path, "")
			for _, query := range append(all, strings.Join(all, "&")) {
				tried++
				if a := e.do(t, place.Method, path+"?"+query, ""); a.status != plain.status || place.Method == "GET" && string(a.body) != string(plain.body) {
					t.Errorf("%s %s?%s: %d %s, without it %d %s", place.Method, path, query, a.status, a.body, plain.status, plain.body)
				}
			}
		}
		if tried < 30 {
			t.Errorf("only %d queries were tried", tried)
		}
	})
}

// TestAWholeEventIsAnEdit: an event goes back as it was read, with what is to change changed. What no
// edit changes may be in it, as it was when it was read.
func TestAWholeEventIsAnEdit(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		made := decode[object](t, e.post(t, events, eventBody("capacity", "5", "place", `"Roof"`, "time_zone", `"Europe/Berlin"`,
			"waitlist", "true", "registration_opens_at", `"2020-01-01T00:00:00Z"`)).body)
		path := events + "/" + made.id(t, "id")
		read := func() (whole, tag string) {
			a := e.get(t, path)
			return string(a.body), a.header.Get("ETag")
		}
		patch := func(body, tag string, headers ...string) answer {
			t.Helper()
			return e.do(t, "PATCH", path, body, append(headers, "If-Match", tag)...)
		}
		whole, tag := read()
		patch(whole, tag).wantType(t, 200, jsonType)
		whole, tag = read()
		changed := strings.Replace(whole, `"title":"Opening night"`, `"title":"Closing night"`, 1)
		patch(changed, tag, "Content-Type", "application/merge-patch+json").wantType(t, 200, jsonType)
		if now, _ := read(); !strings.Contains(now, `"title":"Closing night"`) {
			t.Errorf("it is %s", now)
		}
		patch(changed, tag).problem(t, 412, "version_mismatch")

		// Somebody registers after it was read: for the organizer nothing has changed.
		whole, tag = read()
		e.register(t, path, newUser()).object(t, 201, registrationFields)
		patch(whole, tag).wantType(t, 200, jsonType)
		whole, _ = read()
		patch(whole, "*").wantType(t, 200, jsonType)
		whole, _ = read()
		e.register(t, path, newUser()).object(t, 201, registrationFields)
		for range 5 { // the last is on the waiting list, and the event full
			e.register(t, path, newUser())
		}
		patch(whole, "*").wantType(t, 200, jsonType)
		fixed := strings.Replace(whole, `"created_at":"2`, `"created_at":"1`, 1)
		if got := patch(fixed, "*").problem(t, 400, invalid); !slices.Equal(got, []string{"created_at"}) {
			t.Errorf("with *, the fields are %q", got)
		}

		whole, tag = read()
		for _, c := range []struct{ from, to, field string }{
			{`"tickets_sold":5`, `"tickets_sold":0`, "tickets_sold"}, {`"id":"`, `"id":"0`, "id"}, {`"created_at":"2`, `"created_at":"1`, "created_at"},
			{`"organizer_id":"` + someID, `"organizer_id":"` + newUser(), "organizer_id"}, {`"waiting":2`, `"waiting":1`, "waiting"},
			{`"title":`, `"cancelled_at":"2027-01-01T00:00:00Z","title":`, "cancelled_at"}, {`"title":`, `"seats":1,"title":`, "seats"},
		} {
			changed := strings.Replace(whole, c.from, c.to, 1)
			if changed == whole {
				t.Fatalf("no %s in %s", c.from, whole)
			}
			if got := patch(changed, tag).problem(t, 400, invalid); !slices.Equal(got, []string{c.field}) {
				t.Errorf("%s: the fields are %q", c.to, got)
			}
		}
		now, unchanged := read()
		if now != whole || unchanged != tag {
			t.Errorf("it was\n%s, is\n%s", whole, now)
		}
		twice := strings.Replace(whole, `{"id":`, `{"id":"`+someID+`","id":`, 1)
		patch(twice, tag).problem(t, 400, invalid)
	})
}

// TestListsOfETags: If-Match holds when one of its ETags is that of the thing.
func TestListsOfETags(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		path := e.newEvent(t, 3)
		edit := func(headers ...string) answer {
			t.Helper()
			return e.do(t, "PATCH", path, `{"description":"x"}`, headers...)
		}
		tag := func() string { return e.get(t, path).header.Get("ETag") }
		for name, headers := range map[string]func(string) []string{
			"alone":            func(tag string) []string { return []string{"If-Match", tag} },
			"first":            func(tag string) []string { return []string{"If-Match", tag + `, "99.1"`} },
			"last":             func(tag string) []string { return []string{"If-Match", `"99.1","a,b" , W/"98.1",` + tag} },
			"second line":      func(tag string) []string { return []string{"If-Match", `"99.1"`, "If-Match", tag} },
			"weak":             func(tag string) []string { return []string{"If-Match", "W/" + tag} },
			"of a gateway":     func(tag string) []string { return []string{"If-Match", strings.TrimSuffix(tag, `"`) + `-gzip"`} },
			"of Jetty":         func(tag string) []string { return []string{"If-Match", strings.TrimSuffix(tag, `"`) + `--gzip"`} },
			"of Apache, br":    func(tag string) []string { return []string{"If-Match", strings.TrimSuffix(tag, `"`) + `-br"`} },
			"weak, of another": func(tag string) []string { return []string{"If-Match", "W/" + strings.TrimSuffix(tag, `"`) + `;gzip"`} },
			"beside what none": func(tag string) []string { return []string{"If-Match", `x, ` + tag} },
		} {
			if a := edit(headers(tag())...); a.status != 200 {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		for name, headers := range map[string][]string{
			"others": {"If-Match", `"99.1", "98.1"`}, "inside another": {"If-Match", `"x` + strings.Trim(tag(), `"`) + `"`},
			"a star in a list": {"If-Match", `*, "99.1"`}, "open": {"If-Match", strings.TrimSuffix(tag(), `"`)},
		} {
			if a := edit(headers...); a.status != 412 {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		read := tag()
		core := strings.Trim(read, `"`)
		for sent, want := range map[string]int{
			read: 304, "W/" + read: 304, `"` + core + `-gzip"`: 304, `"` + core + `--gzip"`: 304, `W/"` + core + `;gzip"`: 304, `"` + core + `:br"`: 304,
			read + `-gzip`: 304, `"99.1", W/` + read: 304, "*": 304, `"99.1"`: 200, `"` + core + `gzip"`: 200, `"` + core + `-x"`: 200, `"x` + core + `"`: 200,
		} {
			if a := e.do(t, "GET", path, "", "If-None-Match", sent); a.status != want {
				t.Errorf("If-None-Match: %s: %d, want %d", sent, a.status, want)
			}
		}
		user := newUser()
		e.register(t, path, user).object(t, 201, registrationFields)
		registration := path + "/registrations/" + user
		own := e.get(t, registration).header.Get("ETag")
		if a := e.do(t, "DELETE", registration, "", "If-Match", `"98.confirmed", "99.confirmed"`); a.status != 412 {
			t.Errorf("others: %d %s", a.status, a.body)
		}
		if a := e.do(t, "DELETE", registration, "", "If-Match", `"99.confirmed", `+own); a.status != 204 {
			t.Errorf("its own: %d %s", a.status, a.body)
		}
	})
}

// TestStrictHandling: whoever prefers it is told of what would be ignored.
func TestStrictHandling(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		misspelt := eventBody("waitinglist", "true")
		e.post(t, events, misspelt).object(t, 201, eventFields)
		e.post(t, events, misspelt, "Prefer", "handling=lenient").object(t, 201, eventFields)
		a := e.post(t, events, misspelt, "Prefer", "handling=strict")
		if got := a.problem(t, 400, invalid); !slices.Equal(got, []string{"waitinglist"}) {
			t.Errorf("the fields are %q", got)
		}
		a = e.post(t, events, eventBody(), "Prefer", "handling=strict")
		a.object(t, 201, eventFields)
		if a.header.Get("Preference-Applied") != "handling=strict" {
			t.Errorf("headers: %v", a.header)
		}
	})
}

// TestConnectionsAreKept: a body in chunks costs no connection. What has two ends is refused, and a body
// that is too large before it is sent.
func TestConnectionsAreKept(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		addr := e.serveAsTheProgramsDo(t)
		event := eventBody()
		inChunks := fmt.Sprintf("%x;a=b\r\n%s\r\n%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n", 10, event[:10], len(event)-10, event[10:])
		t.Run("chunks", func(t *testing.T) {
			c := dial(t, addr)
			for range 3 {
				c.write(post11(events, "Transfer-Encoding: chunked\r\n", inChunks))
				c.write(post11(events, fmt.Sprintf("Content-Length: %d\r\n", len(event)), event))
				c.write("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
				for _, want := range []int{201, 201, 200} { // all three on one connection, whenever they came
					if res := c.read(); res.StatusCode != want || res.Close {
						t.Fatalf("%d, close: %v", res.StatusCode, res.Close)
					}
				}
			}
		})
		for name, headers := range map[string]string{
			"length first": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "length last": "transfer-encoding: Chunked\r\ncontent-length: 5\r\n",
			"the length is right": fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n", len(inChunks)), "of zero": "Content-Length: 0\r\nX: y\r\nTransfer-Encoding: chunked\r\n",
		} {
			t.Run("two ends, "+name, func(t *testing.T) {
				c := dial(t, addr)
				before := e.counts(t)
				c.write("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + post11(events, headers, inChunks) + "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
				if res := c.read(); res.StatusCode != 200 {
					t.Errorf("before it %d", res.StatusCode)
				}
				if res := c.read(); res.StatusCode != 400 || !res.Close {
					t.Errorf("%d, close: %v", res.StatusCode, res.Close)
				}
				c.wantEnd()
				if after := e.counts(t); after != before {
					t.Errorf("%v, before %v", after, before)
				}
			})
		}
		t.Run("too large, and asked first", func(t *testing.T) {
			c := dial(t, addr)
			c.write(post11(events, "Expect: 100-continue\r\nContent-Length: 1000000\r\n", ""))
			if res := c.read(); res.StatusCode != 413 { // 100 would ask for a megabyte
				t.Errorf("the first answer is %d", res.StatusCode)
			}
			c = dial(t, addr)
			c.write(post11(events, fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n", len(event)), ""))
			if res := c.read(); res.StatusCode != 100 {
				t.Errorf("the first answer is %d", res.StatusCode)
			}
			c.write(event)
			if res := c.read(); res.StatusCode != 201 {
				t.Errorf("the second answer is %d", res.StatusCode)
			}
		})
	})
}

// wireClient writes what it is told and reads one answer at a time.
type wireClient struct {
	t      testing.TB
	conn   net.Conn
	answer *bufio.Reader
}

func dial(t testing.TB, addr string) wireClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(awhile)))
	return wireClient{t, conn, bufio.NewReader(conn)}
}

func (c wireClient) write(text string) {
	c.t.Helper()
	_, err := io.WriteString(c.conn, text)
	must(c.t, err)
}

func (c wireClient) read() *http.Response {
	c.t.Helper()
	res, err := http.ReadResponse(c.answer, nil)
	must(c.t, err)
	_, err = io.Copy(io.Discard, res.Body)
	must(c.t, err)
	return res
}

// wantEnd fails unless the other side ends the connection without another answer.
func (c wireClient) wantEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.answer); err != nil && isTimeout(err) || len(rest) > 0 {
		c.t.Errorf("after it %q, %v", rest, err)
	}
}
