package contracttest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/eventio/eventio/pkg/store"
)

// titles reads the titles of a list of events.
func titles(t *testing.T, a answer) []string {
	t.Helper()
	var all []string
	for _, e := range decode[[]struct {
		Title string `json:"title"`
	}](t, a.want(t, 200).body) {
		all = append(all, e.Title)
	}
	return all
}

// program creates five events of two hours, a day apart; the first is sold out.
func (s *site) program() (ids []string) {
	s.t.Helper()
	for i, title := range []string{"Eins am Hafen", "Zwei: Straße", "Drei abends", "Vier abends", "Fünf abends"} {
		body := eventBody(title, "1", fmt.Sprintf("2027-05-0%dT18:00:00Z", i+1))
		id, location := s.created(events, strings.Replace(body, "2030-01-01T00", fmt.Sprintf("2027-05-0%dT20", i+1), 1))
		ids = append(ids, id)
		if i == 0 {
			s.do(0, "POST", location+"/registrations", registrationBody(store.NewID().Hex())).want(s.t, 201)
		}
	}
	return ids
}

func TestFilters(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		s.program()
		for query, want := range map[string]string{
			"":                                  "Eins am Hafen|Zwei: Straße|Drei abends|Vier abends|Fünf abends",
			"?sort=starts_at":                   "Eins am Hafen|Zwei: Straße|Drei abends|Vier abends|Fünf abends",
			"?sort=-starts_at":                  "Fünf abends|Vier abends|Drei abends|Zwei: Straße|Eins am Hafen",
			"?from=2027-05-04T18:00:00Z":        "Vier abends|Fünf abends",
			"?from=2027-05-04T20:00:00%2B02:00": "Vier abends|Fünf abends",
			"?to=2027-05-02T18:00:00Z":          "Eins am Hafen",
			"?ends_after=2027-05-04T19:00:00Z":  "Vier abends|Fünf abends",
			"?ends_after=2027-05-02T19:00:00Z&to=2027-05-04T18:00:00Z&sort=-starts_at": "Drei abends|Zwei: Straße",
			"?available=true&to=2027-05-03T18:00:00Z":                                  "Zwei: Straße",
			"?available=false&to=2027-05-02T18:00:00Z":                                 "Eins am Hafen",
			"?q=STRA%E1%BA%9EE": "Zwei: Straße",
			"?q=hafen+eins":     "Eins am Hafen",
			"?q=.*":             "",
			"?q=(zz%2B)%2B%24":  "",
			"?organizer_id=6B056F1DB8A8B20890367B25&limit=1":     "Eins am Hafen",
			"?organizer_id=" + store.NewID().Hex():               "",
			"?from=2027-05-04T18:00:00Z&to=2027-05-04T18:00:00Z": "",
			"?q=ABENDS&sort=-starts_at&available=true&limit=2":   "Fünf abends|Vier abends",
			"?q=fun":          "Fünf abends",
			"?q=afen":         "",
			"?q=%F0%9F%8E%9F": "",
			"?limit=1000":     "Eins am Hafen|Zwei: Straße|Drei abends|Vier abends|Fünf abends",
		} {
			if got := strings.Join(titles(t, s.get(events+query)), "|"); got != want {
				t.Errorf("%s: got %s, want %s", query, got, want)
			}
		}
	})
}

func TestPages(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		ids := s.program()
		roster := events + "/" + ids[4] + "/registrations"
		_, many := s.created(events, eventBody("Many", "10", "2028-05-01T18:00:00Z"))
		var registered []string
		for range 5 {
			user := store.NewID().Hex()
			registered = append(registered, user)
			s.do(0, "POST", many+"/registrations", registrationBody(user)).want(t, 201)
		}
		pages := func(path string) (all []string, count int) {
			for count = 0; path != ""; count++ {
				a := s.do(count%2, "GET", path, "").want(t, 200) // each page from the other process
				items := decode[[]any](t, a.body)
				for _, item := range items {
					if o, ok := item.(map[string]any); ok {
						item = o["title"]
					}
					all = append(all, item.(string))
				}
				if path = a.next(t); path != "" && len(items) != 2 {
					t.Errorf("a page of %d before the last", len(items))
				}
			}
			return all, count
		}
		for query, want := range map[string]string{
			"?limit=2":                     "Eins am Hafen|Zwei: Straße|Drei abends|Vier abends|Fünf abends|Many",
			"?limit=2&sort=-starts_at":     "Many|Fünf abends|Vier abends|Drei abends|Zwei: Straße|Eins am Hafen",
			"?limit=2&q=ab&available=true": "Drei abends|Vier abends|Fünf abends",
		} {
			if got, count := pages(events + query); strings.Join(got, "|") != want || count != (len(got)+1)/2 {
				t.Errorf("%s: got %s in %d pages, want %s", query, strings.Join(got, "|"), count, want)
			}
		}
		if got, count := pages(many + "/registrations?limit=2"); !slices.Equal(got, registered) || count != 3 {
			t.Errorf("roster: got %v in %d pages, want %v", got, count, registered)
		}
		t.Run("wrong cursors", func(t *testing.T) {
			cursor := func(path string) string {
				u, err := url.Parse(s.get(path).next(t))
				if err != nil || u.Query().Get("cursor") == "" {
					t.Fatalf("no cursor after %s: %v", path, err)
				}
				return u.Query().Get("cursor")
			}
			ofEvents, ofFiltered, ofRoster := cursor(events+"?limit=2"), cursor(events+"?limit=2&q=ab"), cursor(many+"/registrations?limit=2")
			s.get(events+"?cursor="+ofEvents).want(t, 200)            // the rest, streamed
			s.get(events+"?limit=1000&cursor="+ofEvents).want(t, 200) // another length is the same list
			flipped := []byte(ofEvents)
			flipped[3] ^= 1
			for name, path := range map[string]string{
				"cut":              events + "?cursor=" + ofEvents[:len(ofEvents)-1],
				"longer":           events + "?cursor=" + ofEvents + "A",
				"line ends inside": events + "?cursor=" + ofEvents[:len(ofEvents)-2] + "%0A%0A",
				"a bit flipped":    events + "?cursor=" + string(flipped),
				"of other filters": events + "?cursor=" + ofFiltered,
				"without filters":  events + "?q=ab&cursor=" + ofEvents,
				"other order":      events + "?sort=-starts_at&cursor=" + ofEvents,
				"of a roster":      events + "?cursor=" + ofRoster,
				"of events":        many + "/registrations?cursor=" + ofEvents,
				"of other roster":  roster + "?cursor=" + ofRoster,
				"a number":         many + "/registrations?cursor=2",
				"10 KB":            events + "?cursor=" + strings.Repeat("A", 10<<10),
			} {
				t.Run(name, func(t *testing.T) { s.get(path).want(t, 400, "invalid", "cursor") })
			}
		})
	})
}

func TestWrongQueries(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		roster := s.newEvent("1")
		user := store.NewID().Hex()
		for _, c := range []struct{ name, path, field string }{
			{"limit 0", events + "?limit=0", "limit"}, {"limit -1", events + "?limit=-1", "limit"}, {"limit 1001", events + "?limit=1001", "limit"},
			{"limit text", events + "?limit=abc", "limit"}, {"limit plus", events + "?limit=%2B1", "limit"},
			{"limit twice", events + "?limit=1&limit=1", "limit"}, {"limit fraction", events + "?limit=1.5", "limit"},
			{"limit huge", events + "?limit=9223372036854775808", "limit"}, {"limit fullwidth", events + "?limit=%EF%BC%91", "limit"},
			{"limit of a roster", roster + "?limit=0", "limit"},
			{"unknown", events + "?page=2", "page"}, {"other case", events + "?Limit=1", "Limit"}, {"operator", events + "?q[$ne]=1", "q[$ne]"},
			{"filter of the other list", roster + "?q=x", "q"},
			{"from without zone", events + "?from=2027-05-01T18:00:00", "from"}, {"from date only", events + "?from=2027-05-01", "from"},
			{"from number", events + "?from=1700000000", "from"},
			{"from 30 February", events + "?from=2027-02-30T00:00:00Z", "from"}, {"to leap second", events + "?to=2027-05-01T23:59:60Z", "to"},
			{"to year 10000", events + "?to=10000-05-01T18:00:00Z", "to"}, {"to hour 24", events + "?to=2027-05-01T24:00:00Z", "to"},
			{"from after to", events + "?from=2027-05-02T00:00:00Z&to=2027-05-01T00:00:00Z", "to"},
			{"q blank", events + "?q=%20", "q"}, {"q 201", events + "?q=" + strings.Repeat("x", 201), "q"},
			{"q 10 KB", events + "?q=" + strings.Repeat("x", 10<<10), "q"}, {"q 11 words", events + "?q=a+b+c+d+e+f+g+h+i+j+k", "q"},
			{"q null byte", events + "?q=a%00b", "q"}, {"q not UTF-8", events + "?q=%ff", "q"}, {"q twice", events + "?q=a&q=b", "q"},
			{"organizer 23", events + "?organizer_id=6b056f1db8a8b20890367b2", "organizer_id"}, {"organizer zeros", events + "?organizer_id=" + strings.Repeat("0", 24), "organizer_id"},
			{"available 1", events + "?available=1", "available"},
			{"available yes", events + "?available=yes", "available"},
			{"sort unknown", events + "?sort=title", "sort"}, {"sort plus", events + "?sort=%2Bstarts_at", "sort"},
			{"bad escape", events + "?q=%zz", "query"}, {"semicolon", events + "?limit=1;sort=starts_at", "query"},
			{"a name that is not UTF-8", events + "?%ff=1", "\uFFFD"},
			{"unknown on one event", strings.TrimSuffix(roster, "/registrations") + "?x=1", "x"},
			{"unknown on a seat", roster + "/" + user + "?x=1", "x"}, {"unknown on a health check", "/livez?x=1", "x"},
			{"token in the query", events + "?access_token=abc", "access_token"},
			{"seat of 23 digits", roster + "/" + user[1:], "user_id"}, {"seat of zeros", roster + "/" + strings.Repeat("0", 24), "user_id"},
			{"seat not hex", roster + "/" + strings.Repeat("x", 24), "user_id"}, {"seat of a star", roster + "/*", "user_id"},
			{"seat with line end", roster + "/a%0d%0ab", "user_id"},
		} {
			t.Run(c.name, func(t *testing.T) { s.get(c.path).want(t, 400, "invalid", c.field) })
		}
		t.Run("every wrong one is named", func(t *testing.T) {
			s.get(events+"?limit=0&sort=x&available=y").want(t, 400, "invalid", "available", "limit", "sort")
			s.get(events+"?a=1&b=2").want(t, 400, "invalid", "a", "b")
		})
		t.Run("posts take none", func(t *testing.T) {
			s.do(0, "POST", roster+"?dry_run=1", registrationBody(user)).want(t, 400, "invalid", "dry_run")
			s.do(0, "PUT", roster+"/"+user+"?x=1", "").want(t, 400, "invalid", "x")
		})
		t.Run("put takes no body", func(t *testing.T) {
			s.do(0, "PUT", roster+"/"+user, `{"user_id":"x"}`, "Content-Type", "application/json").want(t, 400, "invalid", "body")
			s.do(0, "PUT", roster+"/"+user, "{", "Content-Type", "application/json").want(t, 400, "invalid", "body")
		})
	})
}

func TestASeatByItsPath(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		roster, user := s.newEvent("1"), store.NewID().Hex()
		seat := roster + "/" + user
		s.get(seat).want(t, 404, "registration_not_found")
		first := s.do(0, "PUT", seat, "").want(t, 201)
		if first.header.Get("Location") != seat {
			t.Errorf("Location is %s", first.header.Get("Location"))
		}
		for i, spelling := range []string{user, strings.ToUpper(user)} {
			if again := s.do(i, "PUT", roster+"/"+spelling, "").want(t, 200); string(again.body) != string(first.body) {
				t.Errorf("got %s, then %s", first.body, again.body)
			}
		}
		if got := s.get(seat).want(t, 200); string(got.body) != string(first.body) || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %s %v", got.body, got.header)
		}
		s.do(0, "POST", roster, registrationBody(user)).want(t, 400, "already_registered")
		other := roster + "/" + store.NewID().Hex()
		s.do(0, "PUT", other, "").want(t, 409, "sold_out")
		s.get(other).want(t, 404, "registration_not_found")
		for _, event := range []string{store.NewID().Hex(), strings.Repeat("0", 24)} {
			unknown := events + "/" + event + "/registrations/" + user
			s.get(unknown).want(t, 404, "event_not_found")
			s.do(0, "PUT", unknown, "").want(t, 404, "event_not_found")
		}
	})
}

func TestPutAtOnceIsOneSeat(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		seat := s.newEvent("5") + "/" + store.NewID().Hex()
		statuses := make(chan int, 20)
		for i := range cap(statuses) {
			go func() { a, _ := s.send(i%2, "PUT", seat, ""); statuses <- a.status }()
		}
		count := make(map[int]int)
		for range cap(statuses) {
			count[<-statuses]++
		}
		if count[201] != 1 || count[200] != cap(statuses)-1 {
			t.Errorf("statuses are %v", count)
		}
	})
}

// coded is an ETag as gateways that compress send it on.
func coded(tag, with string) string { return strings.TrimSuffix(tag, `"`) + with + `"` }

func TestETags(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		id, location := s.created(events, eventBody("Opening", "5", "2027-05-01T18:00:00Z"))
		user := store.NewID().Hex()
		s.do(0, "PUT", location+"/registrations/"+user, "").want(t, 201)
		for _, path := range []string{
			location, events, events + "?limit=1", events + "?q=open", location + "/registrations", location + "/registrations?limit=1",
			location + "/registrations/" + user, "/openapi.json", "/docs", "/docs/docs.css",
		} {
			t.Run(path, func(t *testing.T) {
				tag := s.get(path).want(t, 200).header.Get("ETag")
				if want := map[bool]string{true: `"`, false: `W/"`}[path == location]; !strings.HasPrefix(tag, want) {
					t.Fatalf("ETag is %s", tag)
				}
				for _, sent := range []string{tag, strings.TrimPrefix(tag, "W/"), `"other", ` + tag, "*",
					coded(tag, "-gzip"), coded(tag, "--gzip"), coded(tag, ";gzip"), "W/" + coded(strings.TrimPrefix(tag, "W/"), "-br"), `"a,b", ` + tag} {
					a := s.do(1, "GET", path, "", "If-None-Match", sent)
					if a.status != 304 || len(a.body) > 0 || a.header.Get("ETag") != tag {
						t.Errorf("%s: %d %s", sent, a.status, a.body)
					}
				}
				s.get(path, "If-None-Match", `W/"other"`).want(t, 200)
				head := s.do(0, "HEAD", path, "").want(t, 200)
				if head.header.Get("ETag") != tag || len(head.body) > 0 {
					t.Errorf("HEAD: %v %s", head.header, head.body)
				}
			})
		}
		before := s.get(location).header.Get("ETag")
		s.do(0, "PUT", location+"/registrations/"+store.NewID().Hex(), "").want(t, 201)
		if after := s.get(location).header.Get("ETag"); after == before {
			t.Error("a seat was sold and the ETag is the same")
		}
		if s.get(events+"/"+store.NewID().Hex()).want(t, 404).header.Get("ETag") != "" {
			t.Errorf("a problem about %s has an ETag", id)
		}
	})
}

func TestCompression(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		_, location := s.created(events, strings.Replace(eventBody("Long", "1", "2027-05-01T18:00:00Z"), `"description":""`,
			`"description":"`+strings.Repeat("much to say ", 800)+`"`, 1))
		for range 5 {
			s.created(events, strings.Replace(eventBody("Long", "1", "2027-05-02T18:00:00Z"), `"description":""`,
				`"description":"`+strings.Repeat("much to say ", 800)+`"`, 1))
		}
		for _, path := range []string{location, events, events + "?limit=2", "/openapi.json", "/docs"} {
			plain := s.get(path).want(t, 200)
			small := s.get(path, "Accept-Encoding", "gzip").want(t, 200)
			if plain.header.Get("Content-Encoding") != "" || small.header.Get("Content-Encoding") != "gzip" || len(small.body) > len(plain.body)/2 {
				t.Errorf("%s: %d bytes, with gzip %d %v", path, len(plain.body), len(small.body), small.header)
				continue
			}
			if !slices.Contains(plain.header.Values("Vary"), "Accept-Encoding") {
				t.Errorf("%s: Vary is %v", path, plain.header.Values("Vary"))
			}
			z, err := gzip.NewReader(bytes.NewReader(small.body))
			if err != nil {
				t.Fatal(err)
			}
			if back, err := io.ReadAll(z); err != nil || !bytes.Equal(back, plain.body) {
				t.Errorf("%s: %v, %d bytes, want %d", path, err, len(back), len(plain.body))
			}
		}
		seat := location + "/registrations/" + store.NewID().Hex()
		for _, a := range []answer{
			s.get(location, "Accept-Encoding", "zstd, br").want(t, 200),
			s.do(0, "PUT", seat, "", "Accept-Encoding", "gzip").want(t, 201), s.get(seat, "Accept-Encoding", "gzip").want(t, 200),
			s.get("/livez", "Accept-Encoding", "gzip").want(t, 200),
		} {
			if a.header.Get("Content-Encoding") != "" {
				t.Errorf("compressed: %v", a.header)
			}
		}
	})
}

// TestALongListIsStreamed: above 32 KiB there is no ETag and no length, and HEAD ends early.
func TestALongListIsStreamed(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		for range 5 {
			s.created(events, strings.Replace(eventBody("Long", "1", "2027-05-02T18:00:00Z"), `"description":""`,
				`"description":"`+strings.Repeat("much to say ", 800)+`"`, 1))
		}
		a := s.get(events).want(t, 200)
		if a.header.Get("ETag") != "" || a.header.Get("Content-Length") != "" || len(a.body) < 40<<10 {
			t.Errorf("%d bytes, %v", len(a.body), a.header)
		}
		if head := s.do(0, "HEAD", events, "").want(t, 200); head.header.Get("ETag") != "" || head.header.Get("Content-Type") != "application/json" {
			t.Errorf("HEAD: %v", head.header)
		}
	})
}

func TestOptionsAndHead(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		roster := s.newEvent("1")
		for path, want := range map[string]string{
			events: "GET, HEAD, OPTIONS, POST", users: "OPTIONS, POST", roster: "GET, HEAD, OPTIONS, POST",
			roster + "/" + store.NewID().Hex(): "DELETE, GET, HEAD, OPTIONS, PUT", "/livez": "GET, HEAD, OPTIONS", "/docs": "GET, HEAD, OPTIONS",
		} {
			if a := s.do(0, "OPTIONS", path, ""); a.status != 204 || a.header.Get("Allow") != want || len(a.body) > 0 {
				t.Errorf("OPTIONS %s: %d %q %s", path, a.status, a.header.Get("Allow"), a.body)
			}
			if a := s.do(0, "PATCH", path, "").want(t, 405, "method_not_allowed"); a.header.Get("Allow") != want {
				t.Errorf("PATCH %s: Allow is %q", path, a.header.Get("Allow"))
			}
		}
		s.do(0, "OPTIONS", "/nothing", "").want(t, 404, "not_found")
		s.do(0, "HEAD", users, "").want(t, 405)
		s.do(0, "HEAD", events+"/"+store.NewID().Hex(), "").want(t, 404)
		if a := s.do(0, "HEAD", "/readyz", "").want(t, 200); a.header.Get("Content-Length") == "" {
			t.Errorf("HEAD /readyz: %v", a.header)
		}
	})
}

func TestRequestIDs(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		const name = "X-Request-Id"
		roster := s.newEvent("2")
		for _, good := range []string{"a", "A.b_c-9", strings.Repeat("x", 64)} {
			for _, path := range []string{"/livez", "/nothing", events + "?x=1"} {
				if got := s.get(path, name, good).header.Values(name); !slices.Equal(got, []string{good}) {
					t.Errorf("%s: sent %q, got %q", path, good, got)
				}
			}
		}
		for _, bad := range [][]string{{name, ""}, {name, "a b"}, {name, strings.Repeat("x", 65)}, {name, strings.Repeat("x", 10<<10)}, {name, `"><script>`}, {name, "ä"}, {name, "a", name, "b"}, nil} {
			got := s.get("/livez", bad...).header.Values(name)
			if len(got) != 1 || len(got[0]) < 20 || len(bad) > 0 && got[0] == bad[1] {
				t.Errorf("sent %.100q, got %q", bad, got)
			}
		}
		// One registration is followed from the API's log to the worker's.
		for i, path := range []string{roster, roster + "/" + store.NewID().Hex()} {
			id, method, body := fmt.Sprintf("follow-%d", i), "POST", registrationBody(store.NewID().Hex())
			if i == 1 {
				method, body = "PUT", ""
			}
			s.do(0, method, path, body, name, id).want(t, 201)
			var found []map[string]any
			for deadline := time.Now().Add(awhile); len(found) < 2 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				found = s.log.lines(t, id) // the line comes after the answer
			}
			var messages []string
			for _, line := range found {
				messages = append(messages, line["message"].(string))
				if line["event_id"] != strings.Split(roster, "/")[3] || line["duration_ms"] == nil {
					t.Errorf("line is %v", line)
				}
			}
			if slices.Sort(messages); !slices.Equal(messages, []string{"request", "seat"}) {
				t.Errorf("lines about %s are %v", id, messages)
			}
		}
	})
}

// TestTheDocsPage: it uses nothing but its own style sheet, and has no script.
func TestTheDocsPage(t *testing.T) {
	s := newSite(t, "sqlite", options{})
	a := s.get("/docs").want(t, 200)
	if policy := a.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy is %s", policy)
	}
	for _, word := range []string{"<script", "style=", "javascript:", `="http`, "url(", "@import"} {
		if strings.Contains(string(a.body), word) {
			t.Errorf("the page has %s", word)
		}
	}
	if res, err := http.Get(s.apis[0].URL + "/docs/docs.css"); err != nil || res.StatusCode != 200 {
		t.Errorf("style sheet: %v", err)
	} else {
		res.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestWhatWasGivenBackIsNotHeld: it does not count in a page either.
func TestWhatWasGivenBackIsNotHeld(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		user := store.NewID().Hex()
		var held []string
		for i := range 6 {
			id, location := s.created(events, eventBody(fmt.Sprintf("Event %d", i), "1", "2027-05-01T18:00:00Z"))
			s.do(0, "PUT", location+"/registrations/"+user, "").want(t, 201)
			if i%2 == 1 {
				s.do(0, "DELETE", location+"/registrations/"+user, "").want(t, 204)
				continue
			}
			held = append([]string{id}, held...)
		}
		var got []string
		pages := 0
		for path := users + "/" + user + "/registrations?limit=2"; path != ""; pages++ {
			a := s.get(path).want(t, 200)
			for _, h := range decode[[]struct {
				Event struct {
					ID string `json:"id"`
				} `json:"event"`
			}](t, a.body) {
				got = append(got, h.Event.ID)
			}
			path = a.next(t)
		}
		if !slices.Equal(got, held) || pages != 2 {
			t.Errorf("got %v in %d pages, want %v", got, pages, held)
		}
	})
}

// TestASearchThatFewMeet: a page that would have to look at too much ends early, and the next
// ones find the rest. The whole list is whole.
func TestASearchThatFewMeet(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		const many = 1300
		day := time.Date(2027, 5, 1, 18, 0, 0, 0, time.UTC)
		var creating errgroup.Group
		creating.SetLimit(16)
		for i := range many {
			e := store.Event{
				ID: store.NewID(), OrganizerID: store.NewID(), Title: []string{"left", "right"}[i%2], Capacity: 1,
				StartsAt: day.Add(time.Duration(i) * time.Minute), EndsAt: day.AddDate(1, 0, 0), CreatedAt: day,
			}
			if i == many-1 {
				e.Title = "Left, right"
			}
			creating.Go(func() error { return s.store.CreateEvent(t.Context(), e) })
		}
		if err := creating.Wait(); err != nil {
			t.Fatal(err)
		}
		var got []string
		pages, empty := 0, 0
		for path := events + "?q=left+right&limit=10"; path != ""; pages++ {
			a := s.get(path)
			all := titles(t, a)
			if got = append(got, all...); len(all) == 0 {
				empty++
			}
			path = a.next(t)
		}
		if strings.Join(got, "|") != "Left, right" || empty == 0 || pages > 10 {
			t.Errorf("got %v in %d pages, %d of them empty", got, pages, empty)
		}
		if got := titles(t, s.get(events+"?q=right+LEFT")); strings.Join(got, "|") != "Left, right" {
			t.Errorf("the whole list is %v", got)
		}
	})
}
