package client_test

import (
	"errors"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// wants checks that an error has a code, and that the change was surely not made.
func wants(t *testing.T, err error, code client.Code) {
	t.Helper()
	var p *client.Problem
	if !errors.Is(err, code) || !errors.As(err, &p) || p.Code != code || p.RequestID == "" || errors.Is(err, client.ErrUnknownOutcome) {
		t.Fatalf("error is %v, want %s", err, code)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func all[T any](t *testing.T, seq iter.Seq2[T, error]) (items []T) {
	t.Helper()
	for item, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}

func TestPeople(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	ada := signUp(t, nobody, "ada")
	if ada.Name != "ada" || ada.Email != "ada@example.org" || ada.CreatedAt.IsZero() || !ada.TokenExpiresAt.After(time.Now()) {
		t.Errorf("the session is %+v", ada.Session)
	}
	_, err := nobody.SignUp(ctx, client.NewUser{Name: "Ada", Email: "ADA@example.org", Password: password})
	wants(t, err, client.CodeEmailTaken)
	_, err = nobody.SignUp(ctx, client.NewUser{Name: "Ada", Email: "ada", Password: "short"})
	var p *client.Problem
	if wants(t, err, client.CodeInvalid); errors.As(err, &p) && (len(p.Fields) != 2 || p.Fields[0].Field != "email" || p.Fields[0].Reason == "") {
		t.Errorf("the fields are %v", p.Fields)
	}
	if !strings.Contains(err.Error(), "password must") {
		t.Errorf("the error is %q", err)
	}
	again := must[client.Session](t)(nobody.LogIn(ctx, "ada@example.org", password))
	if again.ID != ada.ID {
		t.Errorf("logged in as %v, signed up as %v", again.ID, ada.ID)
	}
	if err := ada.ChangePassword(ctx, ada.ID, password, "another horse battery"); err != nil {
		t.Fatal(err)
	}
	_, err = ada.CreateEvent(ctx, opening(1))
	wants(t, err, client.CodeUnauthenticated) // its token has ended
	_, err = nobody.LogIn(ctx, "ada@example.org", password)
	wants(t, err, client.CodeUnauthenticated)
	must[client.Session](t)(nobody.LogIn(ctx, "ada@example.org", "another horse battery"))
	wants(t, nobody.ChangePassword(ctx, ada.ID, password, password+"!"), client.CodeUnauthenticated)
	if err := nobody.Ready(ctx); err != nil {
		t.Error(err)
	}
}

func TestEvents(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	ada := signUp(t, nobody, "ada")
	wanted := opening(2)
	wanted.Description, wanted.Place, wanted.TimeZone, wanted.Waitlist = "Two places.", "Hall 1", "Europe/Berlin", true
	wanted.OpensAt, wanted.ClosesAt = wanted.StartsAt.Add(-48*time.Hour), wanted.StartsAt
	made := ada.newEvent(t, wanted)
	read := must[client.Event](t)(nobody.Event(ctx, made.ID))
	if read != made || made.ETag == "" {
		t.Errorf("made %+v, read %+v", made, read)
	}
	got := client.NewEvent{
		Title: read.Title, Description: read.Description, Capacity: read.Capacity, StartsAt: read.StartsAt, EndsAt: read.EndsAt,
		Place: read.Place, TimeZone: read.TimeZone, Waitlist: read.Waitlist, OpensAt: read.OpensAt, ClosesAt: read.ClosesAt,
	}
	if got != wanted || read.OrganizerID != ada.ID {
		t.Errorf("wanted %+v, read %+v", wanted, read)
	}
	_, err := nobody.Event(ctx, ada.ID)
	wants(t, err, client.CodeEventNotFound)

	edited := must[client.Event](t)(ada.EditEvent(ctx, made.ID, made.ETag, client.EventEdit{
		Title: new("Closing night"), Description: new(""), Capacity: new(int64(3)), OpensAt: &time.Time{}, ClosesAt: new(wanted.StartsAt.Add(-time.Hour)),
	}))
	want := made
	want.Title, want.Description, want.Capacity, want.OpensAt, want.ClosesAt, want.ETag =
		"Closing night", "", 3, time.Time{}, wanted.StartsAt.Add(-time.Hour), edited.ETag
	want.Registration = "open" // the hours were taken away
	if edited != want || edited.ETag == made.ETag {
		t.Errorf("edited to %+v, want %+v", edited, want)
	}
	_, err = ada.EditEvent(ctx, made.ID, made.ETag, client.EventEdit{Capacity: new(int64(4))})
	wants(t, err, client.CodeVersionMismatch)
	must[client.Event](t)(ada.EditEvent(ctx, made.ID, "*", client.EventEdit{Waitlist: new(false), EndsAt: new(made.EndsAt.Add(time.Hour)), StartsAt: &made.StartsAt, Place: new(""), TimeZone: new("")}))
	_, err = nobody.EditEvent(ctx, made.ID, "*", client.EventEdit{})
	wants(t, err, client.CodeUnauthenticated)
	cancelled := must[client.Event](t)(ada.CancelEvent(ctx, made.ID))
	if cancelled.CancelledAt.IsZero() || cancelled.Waitlist || cancelled.Place != "" {
		t.Errorf("cancelled: %+v", cancelled)
	}
	_, err = ada.Register(ctx, made.ID, client.ID{})
	wants(t, err, client.CodeEventCancelled)
}

func TestListsOfEvents(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	ada, eve := signUp(t, nobody, "ada"), signUp(t, nobody, "eve")
	var made []client.Event
	for i := range 5 {
		e := opening(1)
		e.Title, e.StartsAt, e.EndsAt = strings.Repeat("x", i+1), e.StartsAt.AddDate(0, 0, i), e.EndsAt.AddDate(0, 0, i)
		who := ada
		if i == 4 {
			who = eve
		}
		one := who.newEvent(t, e)
		one.ETag = ""
		made = append(made, one)
	}
	must[client.Registration](t)(ada.Register(ctx, made[0].ID, client.ID{}))
	for name, c := range map[string]struct {
		query client.EventQuery
		want  []client.Event
	}{
		"organizer": {client.EventQuery{OrganizerID: eve.ID}, made[4:]},
		"search":    {client.EventQuery{Search: "xxxx", Limit: 1}, made[3:]},
		"hours":     {client.EventQuery{From: made[1].StartsAt.In(time.FixedZone("", 7200)), To: made[3].StartsAt, Limit: 1}, made[1:3]},
		"ends":      {client.EventQuery{EndsAfter: made[3].EndsAt.Add(-time.Second), Limit: 1}, made[3:]},
		"available": {client.EventQuery{Available: true, Limit: 3}, made[1:]},
	} {
		if got := all(t, nobody.Events(ctx, c.query)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	latest := all(t, nobody.Events(ctx, client.EventQuery{LatestFirst: true, Limit: 2}))
	if slices.Reverse(latest); len(latest) != 5 || !slices.Equal(latest[1:], made[1:]) {
		t.Errorf("the latest first: %v", latest)
	}
	page := must[client.Page[client.Event]](t)(nobody.EventsPage(ctx, client.EventQuery{Limit: 2}))
	if len(page.Items) != 2 || page.Next == "" {
		t.Fatalf("the page is %+v", page)
	}
	rest := all(t, nobody.Events(ctx, client.EventQuery{Cursor: page.Next, Limit: 2}))
	if !slices.Equal(rest, made[2:]) {
		t.Errorf("after the page come %v", rest)
	}
	for e, err := range nobody.Events(ctx, client.EventQuery{Limit: 2}) {
		if err != nil || e.ID != made[0].ID {
			t.Errorf("the first is %v, %v", e, err)
		}
		break
	}
	for _, err := range nobody.Events(ctx, client.EventQuery{Cursor: "invented"}) {
		wants(t, err, client.CodeInvalid)
	}
}

func TestRegistrations(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	ada, eve := signUp(t, nobody, "ada"), signUp(t, nobody, "eve")
	full := ada.newEvent(t, opening(1))
	line := opening(1)
	line.Waitlist = true
	event := ada.newEvent(t, line)

	seat := must[client.Registration](t)(ada.Register(ctx, event.ID, client.ID{}, client.Key("seat")))
	if seat.EventID != event.ID || seat.UserID != ada.ID || seat.Number != 1 || seat.Status != client.StatusConfirmed || seat.RegisteredAt.IsZero() {
		t.Errorf("registered: %+v", seat)
	}
	if again := must[client.Registration](t)(ada.Register(ctx, event.ID, ada.ID, client.Key("seat"))); again != seat {
		t.Errorf("repeated: %+v, want %+v", again, seat)
	}
	_, err := ada.Register(ctx, event.ID, client.ID{})
	wants(t, err, client.CodeAlreadyRegistered)
	_, err = ada.Register(ctx, event.ID, eve.ID)
	wants(t, err, client.CodeForbidden)
	waits, made, err := eve.PutRegistration(ctx, event.ID, eve.ID)
	if err != nil || !made || waits.Status != client.StatusWaitlisted || waits.Position != 1 {
		t.Errorf("waits: %+v, %v, %v", waits, made, err)
	}
	if _, made, err = eve.PutRegistration(ctx, event.ID, eve.ID); err != nil || made {
		t.Errorf("waits already: %v, %v", made, err)
	}
	_, err = eve.Register(ctx, event.ID, client.ID{})
	var p *client.Problem
	if wants(t, err, client.CodeAlreadyWaitlisted); errors.As(err, &p) && p.Position != 1 {
		t.Errorf("the position is %d", p.Position)
	}
	must[client.Registration](t)(ada.Register(ctx, full.ID, client.ID{}))
	_, err = eve.Register(ctx, full.ID, client.ID{})
	wants(t, err, client.CodeSoldOut)

	roster := all(t, ada.Roster(ctx, event.ID, ""))
	waiting := all(t, ada.Roster(ctx, event.ID, client.StatusWaitlisted))
	if !slices.Equal(roster, []client.ID{ada.ID}) || !slices.Equal(waiting, []client.ID{eve.ID}) {
		t.Errorf("the roster is %v, %v wait", roster, waiting)
	}
	for _, err := range eve.Roster(ctx, event.ID, "") {
		wants(t, err, client.CodeForbidden)
	}

	mine := must[client.Registration](t)(ada.Registration(ctx, event.ID, ada.ID))
	if mine.ETag != `W/"1.confirmed"` {
		t.Errorf("the ETag is %s", mine.ETag)
	}
	wants(t, ada.CancelRegistration(ctx, event.ID, ada.ID, client.IfMatch(`W/"7.confirmed"`)), client.CodeRegistrationChanged)
	if err := ada.CancelRegistration(ctx, event.ID, ada.ID, client.IfMatch(mine.ETag), client.Key("leave")); err != nil {
		t.Fatal(err)
	}
	_, err = ada.Registration(ctx, event.ID, ada.ID)
	wants(t, err, client.CodeRegistrationNotFound)
	if up := must[client.Registration](t)(eve.Registration(ctx, event.ID, eve.ID)); up.Status != client.StatusConfirmed {
		t.Errorf("who waited is now %+v", up)
	}
	must[client.Registration](t)(ada.Register(ctx, event.ID, client.ID{}))
	if err := ada.CancelRegistration(ctx, event.ID, ada.ID, client.Key("leave")); err != nil {
		t.Fatal(err)
	}
	if late := must[client.Registration](t)(ada.Registration(ctx, event.ID, ada.ID)); late.Status != client.StatusWaitlisted {
		t.Errorf("after a late repetition under its key: %+v", late)
	}

	held := all(t, ada.UserRegistrations(ctx, ada.ID, client.UserRegistrationsQuery{When: client.WhenUpcoming, Limit: 1}))
	if len(held) != 2 || held[0].Event.ID != event.ID || held[0].Status != client.StatusWaitlisted || held[1].Event.ID != full.ID || held[1].Number != 1 {
		t.Errorf("ada holds %+v", held)
	}
	if past := all(t, ada.UserRegistrations(ctx, ada.ID, client.UserRegistrationsQuery{When: client.WhenPast})); len(past) > 0 {
		t.Errorf("past: %+v", past)
	}
}

// TestALongRoster: pages and the stream tell the same.
func TestALongRoster(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	ada := signUp(t, nobody, "ada")
	event := ada.newEvent(t, opening(10))
	want := []client.ID{}
	for _, name := range []string{"bob", "cyd", "dan", "eve", "fay"} {
		p := signUp(t, nobody, name)
		must[client.Registration](t)(p.Register(ctx, event.ID, client.ID{}))
		want = append(want, p.ID)
	}
	var paged []client.ID
	pages := 0
	for q := (client.RosterQuery{Status: client.StatusConfirmed, Limit: 2}); pages == 0 || q.Cursor != ""; pages++ {
		page := must[client.Page[client.ID]](t)(ada.RosterPage(ctx, event.ID, q))
		paged, q.Cursor = append(paged, page.Items...), page.Next
	}
	if streamed := all(t, ada.Roster(ctx, event.ID, "")); !slices.Equal(streamed, want) || !slices.Equal(paged, want) || pages != 3 {
		t.Errorf("streamed %v, %d pages %v, want %v", streamed, pages, paged, want)
	}
}

// TestGuestList: the stream, pages and searches of a guest list.
func TestGuestList(t *testing.T) {
	_, nobody := newService(t)
	ctx := t.Context()
	organizer := signUp(t, nobody, "zoe")
	line := opening(2)
	line.Waitlist = true
	event := organizer.newEvent(t, line)
	var want []client.Attendee
	for i, name := range []string{"eve", "bob", "cyd"} {
		p := signUp(t, nobody, name)
		r := must[client.Registration](t)(p.Register(ctx, event.ID, client.ID{}))
		want = append(want, client.Attendee{
			UserID: p.ID, Name: name, Email: name + "@example.org", Number: int64(i + 1), Status: r.Status, RegisteredAt: r.RegisteredAt,
		})
	}
	for name, c := range map[string]struct {
		query client.AttendeesQuery
		want  []client.Attendee
	}{
		"all":          {client.AttendeesQuery{}, want},
		"a status":     {client.AttendeesQuery{Status: client.StatusWaitlisted}, want[2:]},
		"newest first": {client.AttendeesQuery{Order: client.OrderNumberDescending}, []client.Attendee{want[2], want[1], want[0]}},
		"by name":      {client.AttendeesQuery{Order: client.OrderName, Limit: 2}, []client.Attendee{want[1], want[2], want[0]}},
		"by time":      {client.AttendeesQuery{Order: client.OrderTime, Limit: 1}, want},
		"a search":     {client.AttendeesQuery{Search: "eve"}, want[:1]},
	} {
		if got := all(t, organizer.Attendees(ctx, event.ID, c.query)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	page := must[client.Page[client.Attendee]](t)(organizer.AttendeesPage(ctx, event.ID, client.AttendeesQuery{Limit: 2}))
	if rest := all(t, organizer.Attendees(ctx, event.ID, client.AttendeesQuery{Cursor: page.Next, Limit: 2})); !slices.Equal(append(page.Items, rest...), want) {
		t.Errorf("a page and the rest: %+v, %+v", page.Items, rest)
	}
	for _, err := range nobody.Attendees(ctx, event.ID, client.AttendeesQuery{}) {
		wants(t, err, client.CodeUnauthenticated)
	}
}

// TestItKnowsTheWholeAPI: each operation of the OpenAPI document has its methods, but for those that
// doc.go names, and each code of docs/api.md its constant.
func TestItKnowsTheWholeAPI(t *testing.T) {
	s, _ := newService(t)
	res, err := s.Client().Get(s.URL + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var doc openapi.Document
	if err := json.UnmarshalRead(res.Body, &doc); err != nil {
		t.Fatal(err)
	}
	methods := map[string][]string{
		"createUser": {"SignUp"}, "changePassword": {"ChangePassword"}, "login": {"LogIn"}, "createEvent": {"CreateEvent"},
		"listEvents": {"Events", "EventsPage"}, "readEvent": {"Event"}, "editEvent": {"EditEvent"}, "cancelEvent": {"CancelEvent"},
		"register": {"Register"}, "listRegistrations": {"Roster", "RosterPage"}, "listAttendees": {"Attendees", "AttendeesPage"},
		"putRegistration":  {"PutRegistration"},
		"readRegistration": {"Registration"}, "deleteRegistration": {"CancelRegistration"},
		"listHoldings": {"UserRegistrations", "UserRegistrationsPage"}, "ready": {"Ready"},
		"listEventChanges": {"EventChangesPage", "FollowEvent"}, "listUserChanges": {"UserChanges", "UserChangesPage"},
		"readPace": {"Pace"},
		"readUser": {"User"}, "editUser": {"EditUser"}, "deleteUser": {"DeleteUser"}, "exportUser": {"ExportUser"},
		"listSessions": {"LogIns"}, "endSession": {"EndLogIn"}, "endSessions": {"EndLogIns"},
		"createKey": {"CreateAPIKey"}, "listKeys": {"APIKeys"}, "endKey": {"EndAPIKey"},
		"createWebhook": {"CreateWebhook"}, "listWebhooks": {"Webhooks"}, "readWebhook": {"Webhook"}, "editWebhook": {"EditWebhook"},
		"deleteWebhook": {"DeleteWebhook"}, "renewWebhookSecret": {"RenewWebhookSecret"}, "listWebhookCalls": {"WebhookCalls"},
		"testWebhook": {"TestWebhook"}, "replayWebhook": {"ReplayWebhook"},
		"logout": {"LogOut"}, "liveEvent": {"LiveEvent"}, "liveUser": {"LiveUser"},
		"resetPassword": {"ResetPassword"}, "setNewPassword": {"SetNewPassword"}, "askForProof": {"AskForProof"}, "proveEmail": {"ProveEmail"},
		"showMailSettings": nil, "stopEventMail": nil, "editMailSettings": nil, // for the links in mails
		"readSession": nil, "live": nil, "openapi": nil, "docs": nil, "docsStyle": nil,
	}
	have := []string{"As", "URL", "WithToken"}
	for path := range doc.Paths {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			op := doc.Find(openapi.Place{Method: method, Path: path})
			if op == nil {
				continue
			}
			names, known := methods[op.OperationID]
			if !known {
				t.Errorf("the operation %s has no method", op.OperationID)
			}
			have = append(have, names...)
		}
	}
	var names []string
	for m := range reflect.TypeFor[*client.Client]().Methods() {
		names = append(names, m.Name)
	}
	if slices.Sort(have); !slices.Equal(names, have) {
		t.Errorf("the methods are %q, want %q", names, have)
	}
	constants := found(t, "errors.go", `Code = "([a-z_]+)"`)
	if documented := found(t, "../../docs/api.md", "(?m)^\\| \\d{3} \\| `([a-z_]+)` \\|"); !slices.Equal(constants, documented) || len(constants) < 29 {
		t.Errorf("the codes are %q, those of docs/api.md %q", constants, documented)
	}
}

// found returns what a pattern finds in a file, sorted.
func found(t *testing.T, file, pattern string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
		all = append(all, string(m[1]))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestItLinksNoServer: who imports the client gets no database driver and no message queue.
func TestItLinksNoServer(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.Lines(string(out)) {
		for _, no := range []string{"nats", "sqlite", "mongo-driver/v2/mongo", "eventio/api", "zerolog"} {
			if strings.Contains(dep, no) && strings.TrimSpace(dep) != "github.com/eventio/eventio/api/wire" {
				t.Errorf("it links %s", dep)
			}
		}
	}
}

func TestBaseURLs(t *testing.T) {
	for _, bad := range []string{"", "localhost:3000", "ftp://localhost", "/api", "http://", "http://a?x=1", "http://a#b", "http://a b"} {
		if c, err := client.New(bad, client.Config{}); err == nil {
			t.Errorf("%q is taken as %v", bad, c)
		}
	}
	for good, want := range map[string]string{"http://a:1/": "http://a:1", "https://a/behind/a/proxy": "https://a/behind/a/proxy"} {
		if c, err := client.New(good, client.Config{}); err != nil || c.URL() != want {
			t.Errorf("%q: %v, %v", good, c, err)
		}
	}
}
