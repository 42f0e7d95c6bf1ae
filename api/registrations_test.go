package api_test

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
)

func TestRegister(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		t.Run("answers_the_registration", func(t *testing.T) {
			path, user, began := e.newEvent(t, 2), newUser(), time.Now()
			o := e.register(t, path, user).object(t, 201, registrationFields)
			recently(t, o.instant(t, "registered_at"), began)
			if o.id(t, "user_id") != user || "/api/events/"+o.id(t, "event_id") != path {
				t.Errorf("the registration is %v", o)
			}
		})
		t.Run("ids_are_read_in_either_case_and_written_in_lower_case", func(t *testing.T) {
			path, user := e.newEvent(t, 2), newUser()
			o := e.register(t, "/api/events/"+strings.ToUpper(strings.TrimPrefix(path, "/api/events/")), strings.ToUpper(user)).object(t, 201, registrationFields)
			if o.id(t, "user_id") != user {
				t.Errorf("the registration is %v", o)
			}
			e.register(t, path, user).problem(t, 400, "already_registered")
		})
		t.Run("a_full_event_still_tells_its_holders_that_they_hold", func(t *testing.T) {
			path, holder := e.newEvent(t, 1), newUser()
			e.register(t, path, holder).object(t, 201, registrationFields)
			for range 3 {
				e.register(t, path, holder).problem(t, 400, "already_registered")
				e.register(t, path, newUser()).problem(t, 409, "sold_out")
			}
			if got := e.roster(t, path); !slices.Equal(got, []string{holder}) {
				t.Errorf("the roster is %v", got)
			}
		})
		t.Run("an_event_with_room_tells_its_holders_that_they_hold", func(t *testing.T) {
			path, holder := e.newEvent(t, 5), newUser()
			e.register(t, path, holder).object(t, 201, registrationFields)
			e.register(t, path, holder).problem(t, 400, "already_registered")
		})
		t.Run("one_user_may_hold_seats_of_several_events", func(t *testing.T) {
			user := newUser()
			for range 2 {
				e.register(t, e.newEvent(t, 1), user).object(t, 201, registrationFields)
			}
		})
		t.Run("fields_that_are_not_for_clients_are_ignored", func(t *testing.T) {
			path, user := e.newEvent(t, 1), newUser()
			o := e.post(t, path+"/registrations", body([]string{"user_id", quote(user), "event_id", `"000000000000000000000001"`,
				"registered_at", `"1999-01-01T00:00:00Z"`, "request_id", `"x"`, "number", "7"})).object(t, 201, registrationFields)
			if o.instant(t, "registered_at").Year() == 1999 || "/api/events/"+o.id(t, "event_id") != path {
				t.Errorf("the registration is %v", o)
			}
		})
	})
}

func TestTheLastSeatGoesToOne(t *testing.T) {
	const crowd = 50
	forEachStore(t, func(t *testing.T, e *env) {
		path := e.newEvent(t, 1)
		answers := make(chan answer, crowd)
		for range crowd {
			go func() {
				a, err := e.send(t.Context(), "POST", path+"/registrations", registrationBody(newUser()))
				if err != nil {
					t.Error(err)
				}
				answers <- a
			}()
		}
		var winners []string
		for range crowd {
			if a := <-answers; a.status == 201 {
				winners = append(winners, a.object(t, 201, registrationFields).id(t, "user_id"))
			} else {
				a.problem(t, 409, "sold_out")
			}
		}
		if len(winners) != 1 || !slices.Equal(e.roster(t, path), winners) {
			t.Errorf("told %v, the roster is %v", winners, e.roster(t, path))
		}
	})
}

func TestIdempotencyKey(t *testing.T) {
	const header = "Idempotency-Key"
	forEachStore(t, func(t *testing.T, e *env) {
		t.Run("repeated_it_gets_the_same_answer", func(t *testing.T) {
			path, user, key := e.newEvent(t, 1), newUser(), strings.Repeat("k ~", 85)
			first := e.register(t, path, user, header, key)
			first.object(t, 201, registrationFields)
			e.register(t, path, newUser()).problem(t, 409, "sold_out") // full by now
			for range 3 {
				again := e.register(t, path, user, header, key)
				again.object(t, 201, registrationFields)
				if string(again.body) != string(first.body) {
					t.Errorf("first %s, then %s", first.body, again.body)
				}
			}
			if got := e.roster(t, path); !slices.Equal(got, []string{user}) {
				t.Errorf("the roster is %v", got)
			}
		})
		t.Run("another_key_or_none_is_another_request", func(t *testing.T) {
			path, user := e.newEvent(t, 2), newUser()
			e.register(t, path, user, header, "a").object(t, 201, registrationFields)
			e.register(t, path, user, header, "b").problem(t, 400, "already_registered")
			e.register(t, path, user, header, "A").problem(t, 400, "already_registered")
			e.register(t, path, user).problem(t, 400, "already_registered")
			e.register(t, path, user, header, "a").object(t, 201, registrationFields)
		})
		t.Run("another_users_equal_key_is_independent", func(t *testing.T) {
			path, one, two, three := e.newEvent(t, 2), newUser(), newUser(), newUser()
			for _, user := range []string{one, two} {
				o := e.register(t, path, user, header, "same").object(t, 201, registrationFields)
				if o.id(t, "user_id") != user {
					t.Errorf("%s is answered %v", user, o)
				}
			}
			e.register(t, path, three, header, "same").problem(t, 409, "sold_out")
			if got := e.roster(t, path); !slices.Equal(got, []string{one, two}) {
				t.Errorf("the roster is %v", got)
			}
		})
		t.Run("the_same_key_for_another_event_is_independent", func(t *testing.T) {
			user, full := newUser(), e.newEvent(t, 1)
			e.register(t, full, newUser()).object(t, 201, registrationFields)
			e.register(t, e.newEvent(t, 1), user, header, "same").object(t, 201, registrationFields)
			e.register(t, full, user, header, "same").problem(t, 409, "sold_out")
		})
		t.Run("sent_many_times_at_once_it_takes_one_seat", func(t *testing.T) {
			path, user := e.newEvent(t, 20), newUser()
			bodies := make(chan string, 20)
			for range cap(bodies) {
				go func() {
					a, err := e.send(t.Context(), "POST", path+"/registrations", registrationBody(user), header, "once")
					if err != nil || a.status != 201 {
						t.Errorf("%d %s, %v", a.status, a.body, err)
					}
					bodies <- string(a.body)
				}()
			}
			first := <-bodies
			for range cap(bodies) - 1 {
				if b := <-bodies; b != first {
					t.Errorf("answers differ: %s, %s", first, b)
				}
			}
			if got := e.roster(t, path); !slices.Equal(got, []string{user}) {
				t.Errorf("the roster is %v", got)
			}
		})
	})
}

func TestRoster(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		t.Run("of_a_new_event_is_an_empty_array", func(t *testing.T) {
			path := e.newEvent(t, 1)
			for _, query := range []string{"", "?limit=1", "?limit=1000", "?status=waitlisted"} {
				a := e.get(t, path+"/registrations"+query)
				a.wantType(t, 200, "application/json")
				if string(a.body) != "[]" || a.header.Get("Link") != "" {
					t.Errorf("with %q: %s, Link %q", query, a.body, a.header.Get("Link"))
				}
			}
		})
		t.Run("is_in_the_order_of_registration", func(t *testing.T) {
			path := e.newEvent(t, 20)
			var want []string
			for i := range 20 { // ids fall while the order rises
				user := store.ID{0: byte(200 - i), 11: byte(i)}.Hex()
				e.register(t, path, user).object(t, 201, registrationFields)
				want = append(want, user)
			}
			e.register(t, path, want[3]).problem(t, 400, "already_registered")
			e.register(t, path, newUser()).problem(t, 409, "sold_out")
			if got := e.roster(t, path); !slices.Equal(got, want) {
				t.Errorf("the roster is\n%v, want\n%v", got, want)
			}
		})
	})
}

// nextPage is the only form of a Link header: the rest of the path is the client's business.
var nextPage = regexp.MustCompile(`^<([^<>]+)>; rel="next"$`)

func TestRosterPages(t *testing.T) {
	const seats = 2503 // more than a page and more than is sent at once, and a prime
	forEachStore(t, func(t *testing.T, e *env) {
		path := e.newEvent(t, seats)
		id, err := store.ParseID(strings.TrimPrefix(path, "/api/events/"))
		must(t, err)
		var want []string
		for batch := range slices.Chunk(storetest.NewRequests(id, seats), 512) {
			_, err := e.store.Apply(t.Context(), batch)
			must(t, err)
			for _, w := range batch {
				want = append(want, w.UserID.Hex())
			}
		}
		t.Run("without_a_limit_it_comes_whole", func(t *testing.T) {
			if got := e.roster(t, path); !slices.Equal(got, want) {
				t.Errorf("%d users, want %d in order", len(got), len(want))
			}
		})
		for _, limit := range []int{97, 500, 1000} {
			t.Run(fmt.Sprintf("pages_of_%d_tell_each_user_once", limit), func(t *testing.T) {
				var got []string
				next := path + "/registrations?limit=" + strconv.Itoa(limit)
				for next != "" {
					a := e.get(t, next)
					a.wantType(t, 200, "application/json")
					page := decode[[]string](t, a.body)
					if len(page) == 0 || len(page) > limit || len(got) > seats {
						t.Fatalf("a page of %d after %d users", len(page), len(got))
					}
					got = append(got, page...)
					link := a.header.Values("Link")
					if len(link) == 0 {
						break
					}
					m := nextPage.FindStringSubmatch(strings.Join(link, ", "))
					if m == nil || len(page) != limit {
						t.Fatalf("a page of %d with Link %q", len(page), link)
					}
					base, err := url.Parse(e.server.URL + next)
					must(t, err)
					to, err := base.Parse(m[1]) // as clients do: relative to the page
					must(t, err)
					next = to.RequestURI()
				}
				if !slices.Equal(got, want) {
					t.Errorf("%d users, want %d in order", len(got), len(want))
				}
			})
		}
		t.Run("a_last_page_that_is_full_has_no_next", func(t *testing.T) {
			small := e.newEvent(t, 4)
			for range 4 {
				e.register(t, small, newUser()).object(t, 201, registrationFields)
			}
			first := e.get(t, small+"/registrations?limit=2")
			m := nextPage.FindStringSubmatch(first.header.Get("Link"))
			if m == nil {
				t.Fatalf("Link is %q", first.header.Get("Link"))
			}
			last := e.get(t, m[1])
			if n := len(decode[[]string](t, last.body)); n != 2 || last.header.Get("Link") != "" {
				t.Errorf("%d users, Link %q", n, last.header.Get("Link"))
			}
			if a := e.get(t, small+"/registrations?limit=4"); a.header.Get("Link") != "" {
				t.Errorf("the only page has Link %q", a.header.Get("Link"))
			}
		})
	})
}
