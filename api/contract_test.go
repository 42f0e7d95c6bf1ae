package api_test

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// The fields of each answer: these, and no others.
var (
	userFields  = []string{"id", "name", "email", "created_at", "token", "token_expires_at"}
	eventFields = []string{
		"id", "organizer_id", "title", "description", "capacity", "tickets_sold", "starts_at", "ends_at", "created_at",
		"state", "registration_state",
	}
	registrationFields = []string{"event_id", "user_id", "registered_at", "number", "status"}
)

// recently checks a time that the product has set since began, in milliseconds.
func recently(t testing.TB, at, began time.Time) {
	t.Helper()
	if at.Before(began.Truncate(time.Millisecond)) || at.After(time.Now()) {
		t.Errorf("the time is %v, want one since %v", at, began)
	}
}

func TestSignUp(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		began := time.Now()
		t.Run("answers_the_user", func(t *testing.T) {
			u := e.post(t, "/api/users", userBody("email", `"  Ada@Example.org "`, "name", `" Ada Lovelace "`)).object(t, 201, userFields)
			u.id(t, "id")
			recently(t, u.instant(t, "created_at"), began)
			if u["name"] != "Ada Lovelace" || u["email"] != "Ada@example.org" {
				t.Errorf("the user is %v", u)
			}
		})
		t.Run("stores_an_argon2id_hash", func(t *testing.T) {
			u, err := e.store.UserByEmail(t.Context(), "ada@example.org")
			must(t, err)
			wantStrongHash(t, u.PasswordHash)
		})
		t.Run("an_address_in_use_is_taken_in_any_case_and_with_blanks", func(t *testing.T) {
			for _, email := range []string{"Ada@Example.org", "ada@example.org", "ADA@EXAMPLE.ORG", " ada@example.org\t"} {
				e.post(t, "/api/users", userBody("email", quote(email), "name", `"Another"`)).problem(t, 409, "email_taken")
			}
			if n := e.counts(t); n[0] != 1 {
				t.Errorf("%d users are stored, want 1", n[0])
			}
		})
		t.Run("of_many_at_once_with_one_address_one_succeeds", func(t *testing.T) {
			statuses := make(chan int, 4)
			for range cap(statuses) {
				go func() {
					a, err := e.send(t.Context(), "POST", "/api/users", userBody("email", `"race@example.org"`))
					if err != nil {
						t.Error(err)
					}
					statuses <- a.status
				}()
			}
			var got []int
			for range cap(statuses) {
				got = append(got, <-statuses)
			}
			if slices.Sort(got); !slices.Equal(got, []int{201, 409, 409, 409}) {
				t.Errorf("statuses are %v", got)
			}
		})
		t.Run("fields_that_are_not_for_clients_are_ignored", func(t *testing.T) {
			u := e.post(t, "/api/users", userBody("email", `"mass@example.org"`,
				"id", `"000000000000000000000001"`, "created_at", `"1999-01-01T00:00:00Z"`, "password_hash", `"x"`, "PasswordHash", `"x"`,
				"$where", `"1"`, "a.b", "1", "__proto__", "{}")).object(t, 201, userFields)
			recently(t, u.instant(t, "created_at"), began)
			if u.id(t, "id") == "000000000000000000000001" {
				t.Error("the client has chosen the id")
			}
			stored, err := e.store.UserByEmail(t.Context(), "mass@example.org")
			must(t, err)
			wantStrongHash(t, stored.PasswordHash)
		})
	})
}

// wantStrongHash holds a PHC string against OWASP's Password Storage Cheat Sheet.
func wantStrongHash(t testing.TB, phc string) {
	t.Helper()
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
		t.Fatalf("the hash is %q", phc)
	}
	cost := make(map[string]int)
	for pair := range strings.SplitSeq(parts[3], ",") {
		name, value, _ := strings.Cut(pair, "=")
		n, err := strconv.Atoi(value)
		must(t, err)
		cost[name] = n
	}
	if cost["m"] < 19456 || cost["t"] < 2 || cost["p"] != 1 {
		t.Errorf("the hash is cheap: %v", cost)
	}
	for i, least := range map[int]int{4: 16, 5: 32} { // salt, key
		if raw, err := base64.RawStdEncoding.DecodeString(parts[i]); err != nil || len(raw) < least {
			t.Errorf("part %d of the hash has %d bytes, want %d; %v", i, len(raw), least, err)
		}
	}
}

func TestLogIn(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		// Blanks and everything after byte 72 are part of a password.
		secret := " " + password + strings.Repeat("é", 40) + "x "
		signed := e.post(t, "/api/users", userBody("email", `"Ada@Example.org"`, "password", quote(secret)))
		user := signed.object(t, 201, userFields)
		t.Run("answers_the_user_whatever_the_case_of_the_address", func(t *testing.T) {
			for _, email := range []string{"Ada@Example.org", " aDA@eXAMPLE.ORG "} {
				a := e.post(t, "/api/login", loginBody(email, secret))
				o := a.object(t, 200, userFields)
				for _, name := range []string{"id", "name", "email", "created_at"} { // each has a token of its own
					if o[name] != user[name] {
						t.Errorf("%s is %v at log-in, was %v at sign-up", name, o[name], user[name])
					}
				}
				if got := a.header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control is %q", got)
				}
			}
		})
		t.Run("a_wrong_password_and_an_unknown_address_look_alike", func(t *testing.T) {
			wrong := e.post(t, "/api/login", loginBody("ada@example.org", secret[:len(secret)-2]+"y "))
			unknown := e.post(t, "/api/login", loginBody("nobody@example.org", secret))
			wrong.problem(t, 401, "unauthenticated")
			unknown.problem(t, 401, "unauthenticated")
			if string(wrong.body) != string(unknown.body) {
				t.Errorf("the bodies differ:\n%s\n%s", wrong.body, unknown.body)
			}
			for _, h := range []answer{wrong, unknown} {
				h.header.Del("Date")
				h.header.Del("X-Request-Id")
			}
			for name := range wrong.header {
				if !slices.Equal(wrong.header[name], unknown.header[name]) {
					t.Errorf("the headers differ: %s", name)
				}
			}
			if len(wrong.header) != len(unknown.header) {
				t.Errorf("the headers differ: %v, %v", wrong.header, unknown.header)
			}
		})
		t.Run("a_password_counts_exactly_as_typed", func(t *testing.T) {
			for _, almost := range []string{strings.TrimSpace(secret), secret + " ", strings.ToLower(secret)} {
				e.post(t, "/api/login", loginBody("ada@example.org", almost)).problem(t, 401, "unauthenticated")
			}
		})
	})
}

func TestEvents(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		t.Run("there_are_none_at_first", func(t *testing.T) {
			a := e.get(t, "/api/events")
			a.wantType(t, 200, "application/json")
			if string(a.body) != "[]" {
				t.Errorf("the list is %s", a.body)
			}
		})
		began := time.Now()
		var path string
		t.Run("a_new_one_is_answered_whole", func(t *testing.T) {
			o := e.post(t, "/api/events", eventBody("title", `" Gala <b>é</b> "`, "description", `" a\n\tb "`,
				"starts_at", `"2027-05-01T20:00:00.123999+02:00"`, "ends_at", `"2027-05-01T18:00:00.124Z"`,
				"tickets_sold", "1", "id", `"000000000000000000000001"`, "created_at", `"1999-01-01T00:00:00Z"`)).object(t, 201, eventFields)
			recently(t, o.instant(t, "created_at"), began)
			path = "/api/events/" + o.id(t, "id")
			for name, want := range map[string]string{
				"organizer_id": "6b056f1db8a8b20890367b25", "title": "Gala <b>é</b>", "description": "a\n\tb",
				"starts_at": "2027-05-01T18:00:00.123Z", "ends_at": "2027-05-01T18:00:00.124Z",
			} {
				if got := o.text(t, name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if o.number(t, "capacity") != 1 || o.number(t, "tickets_sold") != 0 {
				t.Errorf("places: %v of %v", o["tickets_sold"], o["capacity"])
			}
			read := e.get(t, path)
			read.object(t, 200, eventFields)
			if list := e.get(t, "/api/events"); string(list.body) != "["+string(read.body)+"]" {
				t.Errorf("the list is %s, the event %s", list.body, read.body)
			}
			again := decode[object](t, read.body)
			for name := range o {
				if again[name] != o[name] {
					t.Errorf("%s was %v and is %v", name, o[name], again[name])
				}
			}
		})
		t.Run("a_read_tells_what_is_sold_and_never_to_whom", func(t *testing.T) {
			user := newUser()
			e.register(t, path, user).object(t, 201, registrationFields)
			o := e.get(t, path).object(t, 200, eventFields)
			if o.number(t, "tickets_sold") != 1 {
				t.Errorf("tickets_sold is %v", o["tickets_sold"])
			}
			for _, p := range []string{path, "/api/events"} {
				if a := e.get(t, p); strings.Contains(string(a.body), user) {
					t.Errorf("%s tells the roster: %s", p, a.body)
				}
			}
		})
		t.Run("an_id_is_read_in_either_case", func(t *testing.T) {
			id := strings.TrimPrefix(path, "/api/events/")
			o := e.get(t, "/api/events/"+strings.ToUpper(id)).object(t, 200, eventFields)
			if o.id(t, "id") != id {
				t.Errorf("the id is %v", o["id"])
			}
		})
		t.Run("a_description_may_be_left_out", func(t *testing.T) {
			o := e.post(t, "/api/events", eventBody("description", "")).object(t, 201, eventFields)
			if o.text(t, "description") != "" {
				t.Errorf("the description is %v", o["description"])
			}
		})
	})
}

func (o object) number(t testing.TB, name string) int64 {
	t.Helper()
	n, ok := o[name].(interface{ Int64() (int64, error) })
	if !ok {
		t.Fatalf("%s is %v, want a number", name, o[name])
	}
	i, err := n.Int64()
	must(t, err)
	return i
}

func TestEventsAreSortedByStartThenID(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		start := time.Date(2027, 5, 1, 18, 0, 0, 0, time.UTC)
		// Stored in the reverse of their order.
		var want []string
		for i := range 40 {
			id := store.ID{11: byte(40 - i)}
			must(t, e.store.CreateEvent(t.Context(), store.Event{
				ID: id, OrganizerID: store.NewID(), Title: "t", Capacity: 1, CreatedAt: start,
				StartsAt: start.Add(time.Duration(10-i/4) * time.Millisecond), EndsAt: start.Add(time.Hour),
			}))
			want = append(want, id.Hex())
		}
		slices.Reverse(want)
		var got []string
		for _, o := range decode[[]object](t, e.get(t, "/api/events").body) {
			o.wantFields(t, eventFields)
			got = append(got, o.id(t, "id"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the order is\n%v, want\n%v", got, want)
		}
	})
}

func TestAnUnknownEventIsNotFoundOnEveryRoute(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		for name, id := range map[string]string{
			"never_created": newUser(), "zero": strings.Repeat("0", 24), "of_no_worker_ever": strings.Repeat("f", 24),
		} {
			t.Run(name, func(t *testing.T) {
				e.get(t, "/api/events/"+id).problem(t, 404, "event_not_found")
				e.get(t, "/api/events/"+id+"/registrations").problem(t, 404, "event_not_found")
				e.get(t, "/api/events/"+id+"/registrations?limit=1").problem(t, 404, "event_not_found")
				e.register(t, "/api/events/"+id, newUser()).problem(t, 404, "event_not_found")
			})
		}
		t.Run("a_user_is_no_event", func(t *testing.T) {
			id := e.post(t, "/api/users", userBody()).object(t, 201, userFields).id(t, "id")
			e.get(t, "/api/events/"+id).problem(t, 404, "event_not_found")
			e.register(t, "/api/events/"+id, id).problem(t, 404, "event_not_found")
		})
	})
}

func TestBodiesNeedNoDeclaredType(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		for name, headers := range map[string][]string{
			"none_at_all":      nil,
			"empty":            {"Content-Type", ""},
			"json":             {"Content-Type", "application/json"},
			"json_with_params": {"Content-Type", "Application/JSON; charset=utf-8"},
			"identity":         {"Content-Encoding", "identity"},
		} {
			t.Run(name, func(t *testing.T) {
				a := e.post(t, "/api/events", eventBody(), headers...)
				path := "/api/events/" + a.object(t, 201, eventFields).id(t, "id")
				e.register(t, path, newUser(), headers...).object(t, 201, registrationFields)
			})
		}
		t.Run("users", func(t *testing.T) {
			e.post(t, "/api/users", userBody()).object(t, 201, userFields)
			e.post(t, "/api/login", loginBody("ada@example.org", password)).object(t, 200, userFields)
		})
	})
}

func TestHealth(t *testing.T) {
	forEachStore(t, func(t *testing.T, e *env) {
		for path, want := range map[string]string{"/livez": "live", "/readyz": "ready"} {
			if got := e.get(t, path).object(t, 200, []string{"status"}); got["status"] != want {
				t.Errorf("%s says %v", path, got)
			}
		}
	})
}
