package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/store"
)

// source is a database in the schema of the original.
type source struct {
	uri string
	db  *mongo.Database
}

func newSource(tb testing.TB) source {
	uri := testenv.MongoDB(tb)
	return source{uri, mongoDatabase(tb, uri)}
}

func (s source) insert(tb testing.TB, collection string, docs ...any) {
	tb.Helper()
	if _, err := s.db.Collection(collection).InsertMany(tb.Context(), docs); err != nil {
		tb.Fatal(err)
	}
}

var sourceTime = time.Date(2024, 5, 1, 18, 0, 0, 0, time.UTC)

// originalUser and originalEvent are documents as the original writes them.
type originalUser struct {
	ID        store.ID  `bson:"_id"`
	Name      string    `bson:"name"`
	Email     string    `bson:"email"`
	Password  string    `bson:"password"`
	CreatedAt time.Time `bson:"created_at"`
}

type originalEvent struct {
	ID              store.ID   `bson:"_id"`
	OrganizerID     store.ID   `bson:"organizer_id"`
	Title           string     `bson:"title"`
	Description     string     `bson:"description"`
	Capacity        int        `bson:"capacity"`
	TicketsSold     int        `bson:"tickets_sold"`
	StartsAt        time.Time  `bson:"starts_at"`
	EndsAt          time.Time  `bson:"ends_at"`
	CreatedAt       time.Time  `bson:"created_at"`
	RegistrationIDs []store.ID `bson:"registration_ids"`
}

func soundUser(email, password string) originalUser {
	return originalUser{store.NewID(), "Ada", email, password, sourceTime}
}

func soundEvent(roster []store.ID) originalEvent {
	return originalEvent{
		ID: store.NewID(), OrganizerID: store.NewID(), Title: "Concert", Description: "Live", Capacity: len(roster) + 3, TicketsSold: len(roster),
		StartsAt: sourceTime, EndsAt: sourceTime.Add(2 * time.Hour), CreatedAt: sourceTime.Add(-time.Hour), RegistrationIDs: roster,
	}
}

func newIDs(n int) []store.ID {
	ids := make([]store.ID, n)
	for i := range ids {
		ids[i] = store.NewID()
	}
	return ids
}

func forBoth(t *testing.T, test func(*testing.T, *fixture)) {
	for kind, open := range map[string]func(testing.TB) *fixture{"sqlite": sqliteFixture, "mongodb": mongoFixture} {
		t.Run(kind, func(t *testing.T) { test(t, open(t)) })
	}
}

func (f *fixture) importFrom(s source) []string {
	return slices.Concat([]string{"import", "--from", s.uri}, f.flags)
}

func (f *fixture) verify(t *testing.T) {
	t.Helper()
	out, err := tool(t, slices.Concat([]string{"verify"}, f.flags)...)
	wantClean(t, out, err)
}

func wantPrinted(tb testing.TB, out string, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			tb.Errorf("it does not say %q:\n%s", text, out)
		}
	}
}

func wantRoster(tb testing.TB, s store.Store, e store.ID, want []store.ID) store.Event {
	tb.Helper()
	event, err := s.Event(tb.Context(), e)
	if err != nil {
		tb.Fatal(err)
	}
	var got []store.ID
	for r, err := range s.Roster(tb.Context(), e, 0, event.ConfirmedThrough, 0) {
		if err != nil {
			tb.Fatal(err)
		}
		if r.Number != int64(len(got))+1 {
			tb.Fatalf("number %d at place %d", r.Number, len(got)+1)
		}
		got = append(got, r.UserID)
	}
	if !slices.Equal(got, want) {
		tb.Fatalf("%d registered, want %d in their order", len(got), len(want))
	}
	return event
}

// TestImport: a large roster, its people, and everything about them as it was; repeated, it
// changes nothing.
func TestImport(t *testing.T) {
	src := newSource(t)
	const n = 200_000 / raceFactor
	big := newIDs(n)
	ada, kept := soundUser("Ada@Example.org", "correct horse"), soundUser("kept@example.org", "")
	hash, err := passwords.Hash("battery staple")
	if err != nil {
		t.Fatal(err)
	}
	kept.Password = hash
	big[0], big[n-1] = kept.ID, ada.ID
	e, empty := soundEvent(big), soundEvent(nil)
	src.insert(t, "users", ada, kept)
	src.insert(t, "events", e, empty)
	forBoth(t, func(t *testing.T, f *fixture) {
		started := time.Now()
		out, err := tool(t, f.importFrom(src)...)
		t.Logf("took %v", time.Since(started))
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		wantPrinted(t, out, fmt.Sprintf("import: 2 users, 2 events and %d registrations brought over", n), "0 users and 0 events were there already",
			fmt.Sprintf("%d registered users do not exist; they keep their place", n-2), "odd: 1 records")
		f.verify(t)
		s := f.open(t)
		got := wantRoster(t, s, e.ID, big)
		want := store.Event{
			ID: e.ID, OrganizerID: e.OrganizerID, Title: "Concert", Description: "Live", Capacity: n + 3,
			StartsAt: e.StartsAt, EndsAt: e.EndsAt, CreatedAt: e.CreatedAt, Version: 1, Revision: 1, Recorded: 1,
			TicketsSold: n, LastNumber: n, ConfirmedThrough: n,
		}
		if !got.Equal(want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		wantRoster(t, s, empty.ID, nil)
		for _, u := range []struct {
			originalUser
			password string
		}{{ada, "correct horse"}, {kept, "battery staple"}} {
			got, err := s.UserByEmail(t.Context(), u.Email)
			if err != nil || got.ID != u.ID || got.Name != u.Name || !strings.EqualFold(got.Email, u.Email) || got.CreatedAt != u.CreatedAt {
				t.Errorf("got %+v, %v; want %+v", got, err, u)
			}
			if ok, err := argon2id.ComparePasswordAndHash(u.password, got.PasswordHash); err != nil || !ok {
				t.Errorf("the password of %s: %v, %v", u.Email, ok, err)
			}
			if u.ID == kept.ID && got.PasswordHash != hash {
				t.Error("a hash was not kept as it was")
			}
		}
		// Life goes on in the target.
		late := store.NewID()
		_, err = s.Apply(t.Context(), []store.SeatRequest{
			{Kind: store.Cancel, EventID: e.ID, UserID: big[7], RequestID: "x", At: time.Now()},
			{Kind: store.Register, EventID: e.ID, UserID: late, RequestID: "y", At: time.Now()},
		})
		if err != nil {
			t.Fatal(err)
		}
		before, err := s.Event(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		out, err = tool(t, f.importFrom(src)...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		wantPrinted(t, out, "0 users, 0 events and 0 registrations brought over", "2 users and 2 events were there already", "nothing was changed")
		s = f.open(t)
		closeAtEnd(t, s)
		if after, err := s.Event(t.Context(), e.ID); err != nil || !after.Equal(before) {
			t.Errorf("the event was %+v and is %+v, %v", before, after, err)
		}
		if _, err := s.Registration(t.Context(), e.ID, big[7]); err == nil {
			t.Error("a registration that was cancelled since came back")
		}
		f.verify(t)
	})
}

// TestImportTellsWhatIsOdd: nothing is dropped silently.
func TestImportTellsWhatIsOdd(t *testing.T) {
	src := newSource(t)
	r := newIDs(6)
	twice, over, disagree, gap := soundEvent([]store.ID{r[0], r[1], r[0], r[2], r[1]}), soundEvent(r), soundEvent(r), soundEvent(nil)
	over.Capacity = 4
	disagree.TicketsSold = 2
	first, second := soundUser("same@example.org", "one"), soundUser(" SAME@example.org", "two")
	bcrypt := soundUser("bcrypt@example.org", "$2a$20$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")
	none, strange := soundUser("none@example.org", ""), soundUser("no address", "x")
	anonymous, missing, textID := store.NewID(), store.NewID(), store.NewID()
	src.insert(t, "users", first, second, bcrypt, none, strange,
		bson.D{{Key: "_id", Value: anonymous}, {Key: "password", Value: 5}},
		bson.D{{Key: "_id", Value: "ada"}, {Key: "name", Value: "Ada"}, {Key: "email", Value: "ada@example.org"}})
	src.insert(t, "events", twice, over, disagree,
		bson.D{{Key: "_id", Value: missing}},
		bson.D{{Key: "_id", Value: 17}, {Key: "title", Value: "Seventeen"}},
		bson.D{
			{Key: "_id", Value: gap.ID}, {Key: "organizer_id", Value: "nobody"}, {Key: "title", Value: "Gaps"}, {Key: "description", Value: "d"},
			{Key: "capacity", Value: 10.0}, {Key: "tickets_sold", Value: int64(2)}, {Key: "starts_at", Value: "2027-05-01T18:00:00Z"},
			{Key: "ends_at", Value: "tomorrow"}, {Key: "created_at", Value: sourceTime},
			{Key: "registration_ids", Value: bson.A{textID.Hex(), 5, r[0]}},
		})
	forBoth(t, func(t *testing.T, f *fixture) {
		out, err := tool(t, f.importFrom(src)...)
		if err == nil || !strings.Contains(err.Error(), "not everything") {
			t.Fatalf("error is %v\n%s", err, out)
		}
		event := func(e store.ID, format string, args ...any) string {
			return "event " + e.Hex() + ": " + fmt.Sprintf(format, args...)
		}
		user := func(u store.ID, format string, args ...any) string {
			return "user " + u.Hex() + ": " + fmt.Sprintf(format, args...)
		}
		wantPrinted(t, out,
			event(twice.ID, "registration_ids has 2 entries that repeat an earlier one; each user keeps the first: %s, %s", r[0].Hex(), r[1].Hex()),
			event(twice.ID, "tickets_sold is 5 and 3 are registered"),
			event(over.ID, "OVERBOOKED: 6 are registered and capacity is 4; all keep their place and capacity becomes 6"),
			event(disagree.ID, "tickets_sold is 2 and 6 are registered; it becomes 6"),
			event(disagree.ID, "6 registered users do not exist; they keep their place"),
			event(missing, "title is missing"), event(missing, "starts_at is missing"), event(missing, "capacity is 0; it becomes 1"),
			event(gap.ID, `organizer_id is not an id: "nobody"`), event(gap.ID, `ends_at is not a time: "tomorrow"`),
			"LEFT OUT: "+event(gap.ID, `an entry of registration_ids is not an id: {"$numberInt":"5"}`),
			`LEFT OUT: event {"$numberInt":"17"} ("Seventeen"): its _id is not an ObjectID`,
			`LEFT OUT: user "ada" ("Ada", "ada@example.org"): its _id is not an ObjectID`,
			user(second.ID, `the address " SAME@example.org" belongs to another user, who keeps it; this one gets %s@duplicate.invalid`, second.ID.Hex()),
			user(bcrypt.ID, "the password is a hash of a kind that cannot be checked here"),
			user(none.ID, "has no password"), user(strange.ID, `the address "no address" is not one that log-in takes`),
			user(anonymous, "name is missing"), user(anonymous, "password is a 32-bit integer, not a text"), user(anonymous, "has no address and gets"),
			"LEFT OUT: 3 records", "import: 6 users, 5 events and 17 registrations",
		)
		f.verify(t)
		s := f.open(t)
		closeAtEnd(t, s)
		wantRoster(t, s, twice.ID, r[:3])
		if got := wantRoster(t, s, over.ID, r); got.Capacity != 6 {
			t.Errorf("capacity is %d", got.Capacity)
		}
		wantRoster(t, s, disagree.ID, r)
		got := wantRoster(t, s, gap.ID, []store.ID{textID, r[0]})
		if starts := time.Date(2027, 5, 1, 18, 0, 0, 0, time.UTC); got.StartsAt != starts || got.EndsAt != starts || got.Capacity != 10 {
			t.Errorf("got %+v", got)
		}
		if got := wantRoster(t, s, missing, nil); got.StartsAt != missing.Timestamp().UTC() {
			t.Errorf("starts at %v", got.StartsAt)
		}
		for address, id := range map[string]store.ID{
			"same@example.org": first.ID, second.ID.Hex() + "@duplicate.invalid": second.ID, anonymous.Hex() + "@missing.invalid": anonymous,
		} {
			if u, err := s.UserByEmail(t.Context(), address); err != nil || u.ID != id {
				t.Errorf("%s is of %+v, %v", address, u, err)
			}
		}
		if u, err := s.UserByEmail(t.Context(), bcrypt.Email); err != nil || u.PasswordHash != "" {
			t.Errorf("got %+v, %v", u, err)
		}
	})
}

// TestImportedHashesLogIn: people whose password the original had hashed itself, by bcrypt or scrypt, log in with it, and
// have an argon2id hash from then on.
func TestImportedHashesLogIn(t *testing.T) {
	const password = "correct horse bättery"
	hashes := map[string]string{
		"bcrypt@example.org": "$2y$04$iqNp4lWkY47YH94JzlisTOWtEyNLeq.yG9Gy1.C3.g9RjvZ/rkyJC",
		"phc@example.org":    "$scrypt$ln=14,r=8,p=1$PSdEiLGWknLuvZeSkjImJA$/AaY550tRYRJZuvtOndcsz3YFj7N1fzHIxd4qCeyt1Q",
		"django@example.org": "scrypt$16384$4AIWWbc2MRfJUQYKpexkaz$8$5$WtIRhpKc+vKC4XSJc+1B7rKrNtvxwFGWyumvL0KTMMwdC2JlrzXHLQQoFcbc1Bt7s3ujGB3Tzo/zFZLz7f3yIQ==",
	}
	src := newSource(t)
	for address, hash := range hashes {
		src.insert(t, "users", soundUser(address, hash))
	}
	forBoth(t, func(t *testing.T, f *fixture) {
		if out, err := tool(t, f.importFrom(src)...); err != nil || strings.Contains(out, "password") {
			t.Fatalf("%v\n%s", err, out)
		}
		f.verify(t)
		st := f.open(t)
		closeAtEnd(t, st)
		handler := api.New(st, nil, api.Config{}, zerolog.Nop())
		t.Cleanup(handler.Wait)
		logIn := func(address, password string) int {
			r := httptest.NewRequest("POST", "/api/login", strings.NewReader(fmt.Sprintf(`{"email":%q,"password":%q}`, address, password)))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			return w.Code
		}
		for address, hash := range hashes {
			if code := logIn(address, "another horse battery"); code != http.StatusUnauthorized {
				t.Errorf("%s: a wrong password answers %d", address, code)
			}
			if u, err := st.UserByEmail(t.Context(), address); err != nil || u.PasswordHash != hash {
				t.Errorf("%s has %q, %v", address, u.PasswordHash, err)
			}
			for range 2 {
				if code := logIn(address, password); code != http.StatusOK {
					t.Errorf("%s: the password answers %d", address, code)
				}
			}
			if u, err := st.UserByEmail(t.Context(), address); err != nil || !strings.HasPrefix(u.PasswordHash, "$argon2id$") {
				t.Errorf("%s has %q, %v", address, u.PasswordHash, err)
			}
		}
	})
}

// TestImportBringsTextsIntoOneForm: what people typed in another form is told and found, what has no
// normal form stays and is told, and two forms of one address are two accounts of which one has it.
func TestImportBringsTextsIntoOneForm(t *testing.T) {
	src := newSource(t)
	jose, joseAgain := soundUser("jos\u00e9@example.org", "one"), soundUser("JOSE\u0301@example.org", "two")
	books, ligature := soundUser("b@xn--bcher-kva.example", "umlaut: u\u0308"), soundUser("\ufb01@example.org", "x")
	books.Name, ligature.Name = "Zoe\u0308", "Ada\u200b"
	plain, odd := soundEvent(nil), soundEvent(nil)
	plain.Title, plain.Description = " Mu\u0308nchner Nacht ", "1\r\n2"
	odd.Title, odd.Description, odd.EndsAt = "abc\u202egpj", "a\u0000", odd.StartsAt
	src.insert(t, "users", jose, joseAgain, books, ligature)
	src.insert(t, "events", plain, odd)
	forBoth(t, func(t *testing.T, f *fixture) {
		out, err := tool(t, append(f.importFrom(src), "--emails-proven")...)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		wantPrinted(t, out,
			"user "+joseAgain.ID.Hex()+": the address \"JOSE\u0301@example.org\" belongs to another user",
			"user "+books.ID.Hex()+": the address \"b@xn--bcher-kva.example\" is stored in its normal form, \"b@b\u00fccher.example\"",
			"user "+books.ID.Hex()+": the name is stored in its normal form, \"Zo\u00eb\"",
			"user "+ligature.ID.Hex()+`: the address "\ufb01@example.org" must not contain U+FB01 LATIN SMALL LIGATURE FI; it stays`,
			"user "+ligature.ID.Hex()+": the name must not contain U+200B ZERO WIDTH SPACE in this place; it stays",
			"event "+plain.ID.Hex()+": the title is stored in its normal form, \"M\u00fcnchner Nacht\"",
			"event "+odd.ID.Hex()+": the title must not contain U+202E RIGHT-TO-LEFT OVERRIDE; it stays",
			"event "+odd.ID.Hex()+": the description must not contain U+0000, a control character; it stays",
			"event "+odd.ID.Hex()+": ends_at must be after starts_at; it stays",
		)
		if strings.Contains(out, jose.ID.Hex()+":") || strings.Contains(out, plain.ID.Hex()+": the description") {
			t.Errorf("it tells of what is in order:\n%s", out)
		}
		f.verify(t)
		s := f.open(t)
		closeAtEnd(t, s)
		for typed, want := range map[string]originalUser{
			"jose\u0301@example.org": jose, "B@B\u00dcCHER.example": books, "b@xn--bcher-kva.example": books, "\ufb01@example.org": ligature,
		} {
			u, err := s.UserByEmail(t.Context(), typed)
			if err != nil || u.ID != want.ID || u.EmailProvenAt.IsZero() {
				t.Errorf("%+q is of %+v, %v", typed, u, err)
			}
		}
		if u, err := s.User(t.Context(), joseAgain.ID); err != nil || !u.EmailProvenAt.IsZero() || !strings.HasSuffix(u.Email, "@duplicate.invalid") {
			t.Errorf("the second one is %+v, %v", u, err)
		}
		hasher := passwords.NewHasher(1, 0)
		u, err := s.User(t.Context(), books.ID)
		if err != nil {
			t.Fatal(err)
		}
		if u.Email != "b@b\u00fccher.example" || u.Name != "Zo\u00eb" {
			t.Errorf("it is %+v", u)
		}
		if e, err := s.Event(t.Context(), plain.ID); err != nil || e.Title != "M\u00fcnchner Nacht" || e.Description != plain.Description {
			t.Errorf("the event is %+v, %v", e, err)
		}
		for _, typed := range []string{books.Password, "umlaut: \u00fc"} {
			if right, _, err := hasher.Matches(t.Context(), fairqueue.Known(u.ID), typed, u.PasswordHash); err != nil || !right {
				t.Errorf("%+q is right: %v, %v", typed, right, err)
			}
		}
		if e, err := s.Event(t.Context(), odd.ID); err != nil || e.Title != odd.Title || e.Description != odd.Description || !e.EndsAt.Equal(odd.EndsAt) {
			t.Errorf("the odd event is %+v, %v", e, err)
		}
	})
}

// TestImportIsResumed: killed at random moments and started again, it ends where one run
// would have.
func TestImportIsResumed(t *testing.T) {
	src := newSource(t)
	var users []any
	for i := range 12 {
		users = append(users, soundUser(fmt.Sprintf("u%d@example.org", i), fmt.Sprint("password ", i)))
	}
	src.insert(t, "users", users...)
	var events []originalEvent
	for i := range 6 {
		events = append(events, soundEvent(newIDs(2000*(i+1)/raceFactor)))
		src.insert(t, "events", events[i])
	}
	forBoth(t, func(t *testing.T, f *fixture) {
		limit := 100 * time.Millisecond
		for kills := 0; ; kills++ {
			ctx, cancel := context.WithTimeout(t.Context(), rand.N(limit))
			var out, log bytes.Buffer
			err := run(ctx, process.Env{Args: f.importFrom(src), Stdout: &out, Stderr: &log})
			end, _ := ctx.Deadline()
			killed := time.Until(end) < limit/4 || mongo.IsTimeout(err) // the driver gives up a moment before ctx ends
			cancel()
			if err == nil {
				t.Logf("done after %d interruptions", kills)
				if kills < 3 {
					t.Error("hardly interrupted")
				}
				break
			}
			if !killed {
				t.Fatalf("%v\n%s\n%s", err, out.String(), log.String())
			}
			limit += limit / 5
		}
		f.verify(t)
		s := f.open(t)
		for _, e := range events {
			wantRoster(t, s, e.ID, e.RegistrationIDs)
		}
		for _, u := range users {
			u := u.(originalUser)
			if got, err := s.UserByEmail(t.Context(), u.Email); err != nil || got.ID != u.ID {
				t.Errorf("user %s is %+v, %v", u.Email, got, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		out, err := tool(t, f.importFrom(src)...)
		if err != nil {
			t.Fatal(err)
		}
		wantPrinted(t, out, "12 users and 6 events were there already", "nothing was changed")
	})
}

// TestImportAfterTheOriginalWentOn: who registered there after the event was brought over is
// told, not merged: their places here may be somebody else's by now.
func TestImportAfterTheOriginalWentOn(t *testing.T) {
	src := newSource(t)
	roster := newIDs(5)
	e := soundEvent(roster[:3])
	src.insert(t, "events", e)
	taken := soundUser("taken@example.org", "x")
	src.insert(t, "users", taken)
	forBoth(t, func(t *testing.T, f *fixture) {
		s := f.open(t)
		here := store.User{ID: store.NewID(), Name: "Here first", Email: "Taken@example.org", PasswordHash: "$argon2id$", CreatedAt: sourceTime}
		if err := s.CreateUser(t.Context(), here); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		setRoster := func(ids []store.ID) {
			_, err := src.db.Collection("events").UpdateByID(t.Context(), e.ID, bson.D{{Key: "$set", Value: bson.D{{Key: "registration_ids", Value: ids}}}})
			if err != nil {
				t.Fatal(err)
			}
		}
		setRoster(roster[:3])
		out, err := tool(t, f.importFrom(src)...)
		if err != nil {
			t.Fatal(err)
		}
		wantPrinted(t, out, taken.ID.Hex()+"@duplicate.invalid")
		setRoster(roster)
		out, err = tool(t, f.importFrom(src)...)
		if err == nil {
			t.Fatal("nothing was left out")
		}
		wantPrinted(t, out, "2 have registered in the original since the event was brought over: "+roster[3].Hex()+", "+roster[4].Hex(), "nothing was changed")
		f.verify(t)
	})
}

func TestImportRefusesWhatIsUnclear(t *testing.T) {
	src := newSource(t)
	if _, err := tool(t, "import", "--from", src.uri, "--mongodb-uri", src.uri); err == nil || !strings.Contains(err.Error(), "the same database") {
		t.Errorf("into itself: %v", err)
	}
	if _, err := tool(t, "import", "--from", "mongodb://127.0.0.1:1/infosys?serverSelectionTimeoutMS=100", "--data", t.TempDir()); err == nil {
		t.Error("from a server that is not there")
	}
	src.insert(t, "users", soundUser("ada@example.org", "correct horse battery"))
	f := sqliteFixture(t)
	unlock, err := setup.LockFolder(f.flags[1], zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unlock() }()
	if _, err := tool(t, f.importFrom(src)...); err == nil || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("into a folder that is served: %v", err)
	}
}
