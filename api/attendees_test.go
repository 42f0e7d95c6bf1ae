package api_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/eventio/eventio/api/describe"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

// guests registers a new user with each of these names, and one that nobody knows for an empty name.
func (e *env) guests(t testing.TB, path string, names ...string) []wire.Attendee {
	t.Helper()
	all := make([]wire.Attendee, len(names))
	for i, name := range names {
		g := &all[i]
		g.UserID = store.NewID()
		if name != "" {
			u := storetest.NewUser(fmt.Sprintf("guest%d.%s@example.com", i+1, g.UserID.Hex()))
			u.ID, u.Name = g.UserID, name
			must(t, e.store.CreateUser(t.Context(), u))
			g.Name, g.Email = u.Name, u.Email
		}
		a := e.register(t, path, g.UserID.Hex())
		answer := decode[wire.Registration](t, a.body)
		g.Number, g.Status, g.RegisteredAt = answer.Number, answer.Status, answer.RegisteredAt
		if a.status/100 != 2 || g.Number != int64(i+1) {
			t.Fatalf("%s is answered %d %s", name, a.status, a.body)
		}
	}
	return all
}

func (e *env) leave(t testing.TB, path string, user store.ID) {
	t.Helper()
	if a := e.do(t, "DELETE", path+"/registrations/"+user.Hex(), ""); a.status != 204 {
		t.Fatalf("leaving is answered %d %s", a.status, a.body)
	}
}

// follow reads all pages of a list, and fails on one that is longer than asked for.
func follow[T any](t testing.TB, e *env, path string, limit int) (all []T) {
	t.Helper()
	for next := path; next != ""; {
		a := e.get(t, next)
		a.wantType(t, 200, jsonType)
		page := decode[[]T](t, a.body)
		if len(page) > limit || len(all) > 10_000 {
			t.Fatalf("a page of %d after %d", len(page), len(all))
		}
		all = append(all, page...)
		m := nextPage.FindStringSubmatch(a.header.Get("Link"))
		if m == nil {
			return all
		}
		next = m[1]
	}
	return all
}

func TestGuestList(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		path := events + "/" + decode[wire.Event](t, e.post(t, events, eventBody("capacity", "4", "waitlist", "true")).body).ID.Hex()
		list := path + "/attendees"
		t.Run("of_a_new_event_is_empty", func(t *testing.T) {
			for _, query := range []string{"", "?limit=5", "?limit=5&sort=name", "?limit=5&q=ada", "?status=waitlisted"} {
				a := e.get(t, list+query)
				a.wantType(t, 200, jsonType)
				if string(a.body) != "[]" || a.header.Get("Link") != "" || a.header.Get("Cache-Control") != "no-store" {
					t.Errorf("with %q: %s %v", query, a.body, a.header)
				}
			}
			a := e.get(t, list+"?format=csv")
			if want := "number,status,name,email,registered_at,user_id\r\n"; string(a.body) != want {
				t.Errorf("as CSV: %q", a.body)
			}
		})
		all := e.guests(t, path, "Zoë", "ada lovelace", "", "Émilie du Châtelet", "Bob", "Ada Byron")
		pick := func(numbers ...int) []wire.Attendee {
			some := []wire.Attendee{}
			for _, n := range numbers {
				some = append(some, all[n-1])
			}
			return some
		}
		if all[3].Status != wire.Confirmed || all[4].Status != wire.Waitlisted {
			t.Fatalf("registered as %+v", all)
		}
		for query, want := range map[string][]wire.Attendee{
			"":                                       all,
			"limit=2":                                all,
			"limit=1000":                             all,
			"sort=-number":                           pick(6, 5, 4, 3, 2, 1),
			"sort=-number&limit=2":                   pick(6, 5, 4, 3, 2, 1),
			"sort=registered_at&limit=4":             all,
			"sort=name&limit=1":                      pick(6, 2, 5, 4, 1, 3),
			"sort=name&limit=2":                      pick(6, 2, 5, 4, 1, 3),
			"sort=name&limit=6":                      pick(6, 2, 5, 4, 1, 3),
			"status=confirmed":                       pick(1, 2, 3, 4),
			"status=waitlisted":                      pick(5, 6),
			"status=confirmed&limit=3":               pick(1, 2, 3, 4),
			"status=waitlisted&limit=1&sort=-number": pick(6, 5),
			"status=confirmed&limit=3&sort=name":     pick(2, 4, 1, 3),
			"limit=1&q=ada":                          pick(2, 6),
			"limit=5&q=ADA+by":                       pick(6),
			"limit=5&q=emilie":                       pick(4),
			"limit=5&q=example.com":                  pick(1, 2, 4, 5, 6),
			"limit=1&q=guest5":                       pick(5),
			"limit=5&q=3":                            pick(3),
			"limit=5&q=" + all[2].UserID.Hex():       pick(3),
			"limit=5&q=nobody":                       pick(),
			"limit=5&q=*":                            pick(), // has no word
			"limit=1&q=ada&sort=name":                pick(6, 2),
			"limit=1&q=ada&sort=-number":             pick(6, 2),
			"limit=5&q=ada&status=waitlisted":        pick(6),
			"limit=5&q=*&sort=name":                  pick(),
		} {
			t.Run("query_"+query, func(t *testing.T) {
				values, err := url.ParseQuery(query)
				must(t, err)
				limit, err := strconv.Atoi(values.Get("limit"))
				if err != nil {
					limit = len(all)
				}
				if got := follow[wire.Attendee](t, e, list+"?"+query, limit); !slices.Equal(got, want) {
					t.Errorf("got %+v\nwant %+v", got, want)
				}
			})
		}
		t.Run("who_leaves_is_gone_and_who_moves_up_is_confirmed", func(t *testing.T) {
			e.leave(t, path, all[1].UserID)
			moved := slices.Delete(slices.Clone(all), 1, 2)
			moved[3].Status = wire.Confirmed
			if got := follow[wire.Attendee](t, e, list+"?limit=2", 2); !slices.Equal(got, moved) {
				t.Errorf("got %+v\nwant %+v", got, moved)
			}
			// A cursor at the place of somebody who has left since still leads on.
			first := e.get(t, list+"?limit=1&sort=name")
			m := nextPage.FindStringSubmatch(first.header.Get("Link"))
			if m == nil || decode[[]wire.Attendee](t, first.body)[0].Name != "Ada Byron" {
				t.Fatalf("%s %v", first.body, first.header)
			}
			e.leave(t, path, all[5].UserID)
			if got := follow[wire.Attendee](t, e, m[1], 1); len(got) != 4 || got[0].Name != "Bob" {
				t.Errorf("after Ada Byron: %+v", got)
			}
		})
		t.Run("a_cursor_is_of_one_list", func(t *testing.T) {
			m := nextPage.FindStringSubmatch(e.get(t, list+"?limit=1").header.Get("Link"))
			if m == nil {
				t.Fatal("no next page")
			}
			for _, other := range []string{"&sort=name", "&status=confirmed", "&q=ada"} {
				if fields := e.get(t, m[1]+other).problem(t, 400, "invalid"); !slices.Equal(fields, []string{"cursor"}) {
					t.Errorf("with %s: %v", other, fields)
				}
			}
		})
	})
}

// TestLongGuestList: more than is sent at once and than is read at once, and past what may be sorted.
func TestLongGuestList(t *testing.T) {
	const seats = 2503
	forEachStore(t, func(t *testing.T, e *env) {
		path := e.newEvent(t, seats)
		id, err := store.ParseID(strings.TrimPrefix(path, events+"/"))
		must(t, err)
		var want []string
		for batch := range slices.Chunk(storetest.NewRequests(id, seats), 512) {
			_, err := e.store.Apply(t.Context(), batch)
			must(t, err)
			for _, r := range batch {
				want = append(want, r.UserID.Hex())
			}
		}
		ids := func(all []wire.Attendee) (ids []string) {
			for _, g := range all {
				ids = append(ids, g.UserID.Hex())
			}
			return ids
		}
		backwards := slices.Clone(want)
		slices.Reverse(backwards)
		for query, want := range map[string][]string{
			"": want, "?limit=1000": want, "?sort=-number": backwards, "?sort=-number&limit=997": backwards,
			"?sort=name&limit=997": want, "?sort=registered_at&limit=997": want, // nobody has a name, and all came at once
		} {
			if got := ids(follow[wire.Attendee](t, e, path+"/attendees"+query, seats)); !slices.Equal(got, want) {
				t.Errorf("%q: %d people, want %d in order", query, len(got), len(want))
			}
		}
		a := e.get(t, path+"/attendees?format=csv&sort=-number")
		rows, err := csv.NewReader(bytes.NewReader(a.body)).ReadAll()
		must(t, err)
		if len(rows) != seats+1 || rows[1][0] != strconv.Itoa(seats) || rows[1][5] != backwards[0] || rows[seats][5] != want[0] {
			t.Errorf("%d rows, the second is %v", len(rows), rows[1])
		}
		if head := e.do(t, "HEAD", path+"/attendees?format=csv", ""); head.status != 200 || len(head.body) != 0 {
			t.Errorf("HEAD: %d with %d bytes", head.status, len(head.body))
		}
	})
}

// TestASearchOfAGuestListIsBounded: a page of a search that finds little looks at so many people only,
// and still leads on; and what no index has is not sorted without end.
func TestASearchOfAGuestListIsBounded(t *testing.T) {
	const people = 2*20_000 + 7 // more than two pages look at
	forEachStore(t, func(t *testing.T, e *env) {
		path := e.newEvent(t, people)
		id, err := store.ParseID(strings.TrimPrefix(path, events+"/"))
		must(t, err)
		for batch := range slices.Chunk(storetest.NewRequests(id, people), 4096) {
			_, err := e.store.Apply(t.Context(), batch)
			must(t, err)
		}
		pages := 0
		var got []wire.Attendee
		for next := path + "/attendees?limit=10&q=" + strconv.Itoa(people-1); next != ""; pages++ {
			a := e.get(t, next)
			a.wantType(t, 200, jsonType)
			got = append(got, decode[[]wire.Attendee](t, a.body)...)
			m := nextPage.FindStringSubmatch(a.header.Get("Link"))
			if next = ""; m != nil {
				next = m[1]
			}
		}
		if pages != 3 || len(got) != 1 || got[0].Number != people-1 {
			t.Errorf("%d pages have %+v", pages, got)
		}
		for _, sort := range []string{"name", "registered_at"} {
			if fields := e.get(t, path+"/attendees?limit=10&sort="+sort).problem(t, 400, "invalid"); !slices.Equal(fields, []string{"sort"}) || people <= input.MaxSorted {
				t.Errorf("the fields are %v", fields)
			}
		}
	})
}

func TestGuestListAsCSV(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		path := e.newEvent(t, 100)
		names := []string{
			`=HYPERLINK("http://evil.example","click")`, "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "＝1＋1", "\u200b=1", "|x", "%x",
			"O'Neill, \"Jo\"", "Ada; Lovelace", "Zoë 🎟 Ångström", "٣ علي", "a=b", "",
		}
		all := e.guests(t, path, names...)
		read := func(t *testing.T, a answer, separator rune) [][]string {
			t.Helper()
			a.wantType(t, 200, describe.CSVMedia)
			r := csv.NewReader(bytes.NewReader(a.body))
			r.Comma = separator
			rows, err := r.ReadAll()
			must(t, err)
			return rows
		}
		rows := read(t, e.get(t, path+"/attendees?format=csv"), ',')
		if len(rows) != len(names)+1 || !slices.Equal(rows[0], []string{"number", "status", "name", "email", "registered_at", "user_id"}) {
			t.Fatalf("%d rows, the first is %v", len(rows), rows[0])
		}
		for i, g := range all {
			want := []string{strconv.Itoa(i + 1), "confirmed", g.Name, g.Email, g.RegisteredAt.Format("2006-01-02T15:04:05.999Z07:00"), g.UserID.Hex()}
			if i < 8 {
				want[2] = "'" + g.Name
			}
			if !slices.Equal(rows[i+1], want) {
				t.Errorf("row %d is %q, want %q", i+1, rows[i+1], want)
			}
		}
		t.Run("an_address_is_defused_too", func(t *testing.T) {
			u := storetest.NewUser("=1+1@example.com")
			must(t, e.store.CreateUser(t.Context(), u))
			e.register(t, path, u.ID.Hex())
			if rows := read(t, e.get(t, path+"/attendees?format=csv"), ','); rows[len(rows)-1][3] != "'=1+1@example.com" {
				t.Errorf("the row is %q", rows[len(rows)-1])
			}
		})
		t.Run("the_first_bytes_and_the_separator_are_as_asked_for", func(t *testing.T) {
			for query, want := range map[string]string{
				"": "number,status,", "&bom=false&separator=comma": "number,status,", "&bom=true": "\xef\xbb\xbfnumber,status,",
				"&separator=semicolon": "number;status;", "&bom=true&separator=semicolon": "\xef\xbb\xbfnumber;status;",
			} {
				if a := e.get(t, path+"/attendees?format=csv"+query); !bytes.HasPrefix(a.body, []byte(want)) {
					t.Errorf("%q: %.20q", query, a.body)
				}
			}
			if rows := read(t, e.get(t, path+"/attendees?format=csv&separator=semicolon"), ';'); rows[10][2] != "Ada; Lovelace" {
				t.Errorf("the row is %q", rows[10])
			}
		})
		t.Run("the_form_is_that_of_format_or_Accept", func(t *testing.T) {
			for _, c := range []struct{ query, accept, media string }{
				{"", "text/csv", describe.CSVMedia}, {"", "text/csv, application/json;q=0.5", describe.CSVMedia}, {"", "text/csv;q=0.5, */*", jsonType},
				{"", "*/*", jsonType}, {"", "", jsonType}, {"", "text/csv;;", jsonType}, {"", "text/html,application/xhtml+xml,*/*;q=0.8", jsonType},
				{"?format=csv", "application/json", describe.CSVMedia}, {"?format=json", "text/csv", jsonType}, {"", "text/csv;q=0, application/json", jsonType},
			} {
				a := e.do(t, "GET", path+"/attendees"+c.query, "", "Accept", c.accept)
				a.wantType(t, 200, c.media)
				file := strings.HasPrefix(a.header.Get("Content-Disposition"), `attachment; filename="attendees-`)
				if file != (c.media == describe.CSVMedia) || !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept") {
					t.Errorf("%+v: %v", c, a.header)
				}
			}
		})
	})
}
