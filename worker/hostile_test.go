package worker_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/storetest"
	"github.com/eventio/eventio/worker"
)

// read returns the event of the site.
func (s *site) read() store.Event {
	s.t.Helper()
	e, err := s.store.Event(s.t.Context(), s.event)
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// forge is a request as somebody writes it who has no API: fields are JSON, without the braces.
func (s *site) forge(kind, fields string) []byte {
	return []byte(fmt.Sprintf(`{"kind":%q,"request_id":%q,"event_id":%q,"remaining_ms":5000,%s}`,
		kind, store.NewID().Hex(), s.event.Hex(), fields))
}

// TestForgedEdits: an edit that the API would have refused changes nothing, whoever claims to send
// it, and one that the API could have sent is applied.
func TestForgedEdits(t *testing.T) {
	s := newSite(t, worker.Config{}, pass)
	before := s.read()
	organizer := fmt.Sprintf(`"actor_kind":"organizer","actor_id":%q,`, before.OrganizerID.Hex())
	text := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		edit string
		want messages.Outcome
	}{
		"a title of 100,000 characters":  {`"title":"` + text(100_000) + `"`, messages.OutcomeInvalid},
		"a title of 201":                 {`"title":"` + text(201) + `"`, messages.OutcomeInvalid},
		"a blank title":                  {`"title":" "`, messages.OutcomeInvalid},
		"a title with a line end":        {`"title":"a\nb"`, messages.OutcomeInvalid},
		"a title with an escape":         {`"title":"\u001b[2J"`, messages.OutcomeInvalid},
		"a title that is not trimmed":    {`"title":" a"`, messages.OutcomeInvalid},
		"a title of half a character":    {`"title":"\ud800"`, messages.OutcomeInvalid},
		"a long description":             {`"description":"` + text(10_001) + `"`, messages.OutcomeInvalid},
		"a long place":                   {`"place":"` + text(201) + `"`, messages.OutcomeInvalid},
		"2 * 10^12 seats":                {`"capacity":2000000000000`, messages.OutcomeInvalid},
		"one seat too many":              {`"capacity":1000000001`, messages.OutcomeInvalid},
		"no seats":                       {`"capacity":0`, messages.OutcomeInvalid},
		"negative seats":                 {`"capacity":-1`, messages.OutcomeInvalid},
		"2^63 seats":                     {`"capacity":9223372036854775808`, messages.OutcomeInvalid},
		"half a seat":                    {`"capacity":1.5`, messages.OutcomeInvalid},
		"a path as a time zone":          {`"time_zone":"../../../etc/passwd"`, messages.OutcomeInvalid},
		"year 0":                         {`"starts_at":"0000-01-01T00:00:00Z"`, messages.OutcomeInvalid},
		"year 10000, by its zone":        {`"ends_at":"9999-12-31T23:59:59-23:59"`, messages.OutcomeInvalid},
		"nanoseconds":                    {`"starts_at":"2027-01-01T00:00:00.000000001Z"`, messages.OutcomeInvalid},
		"a version that there is not":    {`"version":-2`, messages.OutcomeInvalid},
		"a title twice":                  {`"title":"a","title":"b"`, messages.OutcomeInvalid},
		"a right field and a wrong one":  {`"title":"fine","capacity":-5`, messages.OutcomeInvalid},
		"it ends before it starts":       {`"ends_at":"2001-01-01T00:00:00Z"`, store.VersionMismatch},
		"it closes before it opens":      {`"registration_opens_at":"2027-01-02T00:00:00Z","registration_closes_at":"2027-01-01T00:00:00Z"`, store.VersionMismatch},
		"it closes at once, times alike": {`"registration_opens_at":"2027-01-02T00:00:00Z","registration_closes_at":"2027-01-02T01:00:00+01:00"`, store.VersionMismatch},
	} {
		edit := c.edit
		if !strings.Contains(edit, `"version"`) {
			edit += `,"version":-1`
		}
		for _, by := range []string{"", organizer, `"actor_kind":"operator",`, `"actor_kind":"unproven",`, `"actor_kind":"agent",`} {
			if got := s.send(s.forge("edit_event", by+`"edit":{`+edit+`}`)); got.Outcome != c.want {
				t.Errorf("%s, by %q: %s, want %s", name, by, got.Outcome, c.want)
			}
		}
	}
	for name, by := range map[string]string{
		"an organizer of others": fmt.Sprintf(`"actor_kind":"organizer","actor_id":%q,`, store.NewID().Hex()),
		"nobody as organizer":    `"actor_kind":"organizer",`,
		"a person":               fmt.Sprintf(`"actor_kind":"person","actor_id":%q,`, before.OrganizerID.Hex()),
		"the user of nobody":     fmt.Sprintf(`"actor_kind":"unproven","actor_id":%q,`, before.OrganizerID.Hex()),
	} {
		for _, edit := range []string{`"title":"taken"`, `"cancel":true`, `"capacity":1`} {
			if got := s.send(s.forge("edit_event", by+`"edit":{"version":-1,`+edit+`}`)); got.Outcome != messages.OutcomeInvalid {
				t.Errorf("%s of %s: %s", edit, name, got.Outcome)
			}
		}
	}
	if after := s.read(); !after.Equal(before) {
		t.Fatalf("the event was %+v and is %+v", before, after)
	}
	if got := s.send(s.forge("edit_event", organizer+`"edit":{"version":-1,"title":"Right","capacity":1000000000}`)); got.Outcome != store.Edited {
		t.Errorf("a right edit of the organizer: %s", got.Outcome)
	}
}

// TestForgedChangesOfRegistrations: who claims to be a person acts as that one only, and who claims to
// be the organizer is the event's.
func TestForgedChangesOfRegistrations(t *testing.T) {
	s := newSite(t, worker.Config{}, pass)
	event, guest := s.read(), store.NewID()
	as := func(kind string, actor, user store.ID) string {
		return fmt.Sprintf(`"actor_kind":%q,"actor_id":%q,"user_id":%q`, kind, actor.Hex(), user.Hex())
	}
	for i, c := range []struct {
		kind, fields string
		want         messages.Outcome
	}{
		{"register", as("person", guest, store.NewID()), messages.OutcomeInvalid},
		{"register", as("organizer", event.OrganizerID, guest), messages.OutcomeInvalid},
		{"register", as("unproven", store.NewID(), guest), messages.OutcomeInvalid},
		{"register", as("person", guest, guest), store.Registered},
		{"cancel", as("person", store.NewID(), guest), messages.OutcomeInvalid},
		{"cancel", as("organizer", guest, guest), messages.OutcomeInvalid},
		{"cancel", as("organizer", store.NewID(), guest), messages.OutcomeInvalid},
		{"recount", `"actor_kind":"person","actor_id":"` + guest.Hex() + `"`, messages.OutcomeInvalid},
		{"recount", `"actor_kind":"organizer","actor_id":"` + event.OrganizerID.Hex() + `"`, messages.OutcomeInvalid},
		{"recount", `"actor_kind":"unproven"`, messages.OutcomeInvalid},
		{"recount", `"actor_kind":"operator"`, store.Recounted},
		{"register", as("person", guest, guest), store.AlreadyRegistered},
		{"cancel", as("organizer", event.OrganizerID, guest), store.Cancelled},
	} {
		if got := s.send(s.forge(c.kind, c.fields)); got.Outcome != c.want {
			t.Errorf("%d, a %s with %s: %s, want %s", i, c.kind, c.fields, got.Outcome, c.want)
		}
	}
	if roster := storetest.Check(t, s.store, s.event); len(roster) != 0 {
		t.Errorf("%+v is registered", roster)
	}
}

// TestRepliesGoToInboxesOnly: whatever reply subject a message names, nothing but an inbox gets a
// message from the worker, and a request without one changes nothing.
func TestRepliesGoToInboxesOnly(t *testing.T) {
	s := newSite(t, worker.Config{}, pass)
	victim, err := s.connect("victim").SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	register := func() []byte { return s.forge("register", fmt.Sprintf(`"user_id":%q`, store.NewID().Hex())) }
	sent := 0
	for _, reply := range []string{
		"orders.new", "eventio", "victim", s.names().Revocations(), s.names().Seats() + ".worker", messages.SharedSeats,
		"$SRV.PING." + messages.ServiceName, "$SYS.REQ.SERVER.PING", "_INBOX", "_INBOX.victim", "_INBOXES.a.b", "a._INBOX.a.b",
		"_INBOX.a." + strings.Repeat("x", 300),
	} {
		for _, data := range [][]byte{register(), []byte("garbage"), []byte(`{"kind":"probe","request_id":"p","remaining_ms":1000}`)} {
			if err := s.conn.PublishRequest(s.names().Seats(), reply, data); err != nil {
				t.Fatal(err)
			}
			sent++
		}
	}
	if got := s.ask(s.event); got != store.Registered { // after all of the above
		t.Fatalf("outcome is %s", got)
	}
	if roster := storetest.Check(t, s.store, s.event); len(roster) != 1 {
		t.Errorf("%d are registered by requests that nobody can be answered for", len(roster)-1)
	}
	for {
		msg, err := victim.NextMsg(100 * time.Millisecond)
		if errors.Is(err, nats.ErrTimeout) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if isReply := bytes.Contains(msg.Data, []byte(`"outcome"`)); isReply && !messages.IsInbox(msg.Subject) {
			t.Errorf("the worker sends %s to %s", msg.Data, msg.Subject)
		}
	}
}

// TestOneForgedTimeHarmsNobody: a message that names an API process's inbox and says that it was
// sent in thirty years takes no time from that process's own requests, before them, between them
// and after them.
func TestOneForgedTimeHarmsNobody(t *testing.T) {
	s := newSite(t, worker.Config{}, pass)
	inbox := messageInbox(t, s)
	forge := func() {
		t.Helper()
		data := []byte(fmt.Sprintf(`{"kind":"register","request_id":"forged","event_id":%q,"user_id":%q,"remaining_ms":5000,"sent_ms":%d}`,
			s.event.Hex(), store.NewID().Hex(), int64(1)<<40))
		if err := s.conn.PublishRequest(s.names().Seats(), inbox+".forged", data); err != nil {
			t.Fatal(err)
		}
	}
	forge()
	for i, began := 0, time.Now(); i < 97 || time.Since(began) < 1500*time.Millisecond; i++ { // the worker knows the clock after 1 s
		if got := s.ask(s.event); got != store.Registered {
			t.Fatalf("request %d is answered %s", i, got)
		}
		if i%10 == 5 {
			forge()
		}
	}
}

// messageInbox returns the inbox of the site's requester, as somebody learns it who listens.
func messageInbox(t *testing.T, s *site) string {
	t.Helper()
	tap, err := s.connect("listener").SubscribeSync(s.names().Seats() + ".>")
	if err != nil {
		t.Fatal(err)
	}
	shared, err := s.connect("listener").SubscribeSync(s.names().Seats())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tap.SetPendingLimits(-1, -1), shared.SetPendingLimits(-1, -1)); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		s.ask(s.event)
		for _, sub := range []*nats.Subscription{tap, shared} {
			if msg, err := sub.NextMsg(50 * time.Millisecond); err == nil {
				requester, _ := messages.SplitReplySubject(msg.Reply)
				return requester
			}
		}
	}
	t.Fatal("no request was heard")
	return ""
}

// TestHostileMessages sends many random messages of every kind, among them such as break rules one
// at a time, to a worker on a real NATS server. Nothing ever gets out of its bounds, the worker
// lives, every message with an inbox is answered, and an honest neighbour is served.
func TestHostileMessages(t *testing.T) {
	s := newSite(t, worker.Config{}, pass)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	inbox := s.conn.NewInbox()
	var names []string
	answers, err := s.conn.SubscribeSync(inbox + ".*")
	if err != nil {
		t.Fatal(err)
	}
	answered := make(map[string]bool)
	unanswered := func() bool {
		return slices.ContainsFunc(names, func(name string) bool { return !answered[name] })
	}
	// Nothing is under way when everything is answered: then the store can be looked at.
	collect := func() {
		for unanswered() {
			msg, err := answers.NextMsg(limit)
			if err != nil {
				return // said at the end
			}
			_, name := messages.SplitReplySubject(msg.Subject)
			answered[name] = true
			replies, err := messages.DecodeReplies(msg.Data)
			if err != nil {
				t.Fatalf("the worker answers %q: %v", msg.Data, err)
			}
			for _, r := range replies {
				if r.Message != "" {
					answered[r.Message] = true
				}
			}
		}
	}
	for round := range 20 {
		for i := range 50 {
			name := fmt.Sprintf("m%d-%d", round, i)
			names = append(names, name)
			if err := s.conn.PublishRequest(s.names().Seats(), inbox+"."+name, hostile(random, s.event)); err != nil {
				t.Fatal(err)
			}
		}
		collect()
		// Whoever asks now comes behind all that was taken, also what is answered after others of its message.
		if got := s.ask(s.event); got != store.Registered && got != store.SoldOut && got != store.EventCancelled &&
			got != store.Waitlisted && got != store.RegistrationClosed && got != store.RegistrationNotOpen {
			t.Fatalf("in round %d the neighbour is answered %q", round, got)
		}
		checkBounds(t, s.read())
		storetest.Check(t, s.store, s.event)
	}
	if e := s.read(); e.Version == 1 {
		t.Error("no edit was right, so nothing is shown")
	}
	for _, name := range names {
		if !answered[name] {
			t.Errorf("message %s is not answered", name)
		}
	}
}

// FuzzHostileMessages gives a worker whatever the fuzzer makes of a message and of its reply subject.
func FuzzHostileMessages(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		f.Add(hostile(random, store.ID{1}), "_INBOX.a.b")
	}
	f.Add([]byte("{}\n{}\n"), "orders.new")
	f.Add([]byte(`{"kind":"probe","request_id":"p","remaining_ms":1}`), "")
	s := newSite(f, worker.Config{}, pass)
	f.Fuzz(func(t *testing.T, data []byte, reply string) {
		s.t = t
		msg := &nats.Msg{Subject: s.names().Seats(), Reply: reply, Data: data}
		s.worker.Receive(msg)
		if got := s.ask(s.event); got == "" || got == messages.OutcomeUnknown || got == messages.OutcomeInvalid || got == messages.OutcomeFailed {
			t.Fatalf("the neighbour of %q is answered %q", data, got)
		}
		checkBounds(t, s.read())
	})
}

// checkBounds fails when a field of an event is one that the API would have refused.
func checkBounds(t *testing.T, e store.Event) {
	t.Helper()
	edit := store.Edit{
		Title: &e.Title, Description: &e.Description, Venue: &e.Venue, TimeZone: &e.TimeZone, StartsAt: &e.StartsAt,
		EndsAt: &e.EndsAt, OpensAt: &e.OpensAt, ClosesAt: &e.ClosesAt, Capacity: &e.Capacity,
	}
	if wrong := append(edit.Check(), e.CheckTimes()...); len(wrong) > 0 {
		t.Fatalf("%v: %+v", wrong, e)
	}
}

// hostile returns a message that is wrong in some way, or in none.
func hostile(random *rand.Rand, event store.ID) []byte {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	number := func() string {
		return pick("0", "1", "2", "-1", "-2", "5", "300", "1000000000", "1000000001", "2000000000000", "9223372036854775807", "9223372036854775808", "1e3", "1.5", "null", `"1"`)
	}
	text := func() string {
		return pick(`""`, `"a"`, `" a"`, `"a\nb"`, `"\u0000"`, `"\ud800"`, "\"\xff\"", "null", "7", `"`+strings.Repeat("x", 200)+`"`, `"`+strings.Repeat("é", 201)+`"`,
			`"`+strings.Repeat("x", 10_001)+`"`, `"`+strings.Repeat("x", 100_000)+`"`, `"Europe/Berlin"`, `"../etc"`, `"Local"`, `"`+"\u202e"+`a"`)
	}
	at := func() string {
		return pick(`"2027-01-01T00:00:00Z"`, `"2031-01-01T00:00:00+02:00"`, `"0000-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59-23:59"`,
			`"2027-01-01T00:00:00.123456789Z"`, `"2027-02-30T00:00:00Z"`, `"x"`, "null", "17")
	}
	id := func() string {
		return pick(`"`+event.Hex()+`"`, `"`+store.ID{7}.Hex()+`"`, `"`+store.ID{}.Hex()+`"`, `"xyz"`, `""`, "null", `{"$ne":1}`)
	}
	lines := 1 + random.IntN(3)
	if random.IntN(50) == 0 {
		return []byte(strings.Repeat(pick("{}", "[]", "\x00", `{"kind":"probe"}`)+"\n", 1+random.IntN(2000)))
	}
	var out strings.Builder
	for range lines {
		fields := map[string]string{
			"kind": `"` + pick("register", "cancel", "edit_event", "recount", "edit_event", "edit_event") + `"`, "request_id": fmt.Sprintf(`"r%d"`, random.IntN(1000)),
			"event_id": `"` + event.Hex() + `"`, "remaining_ms": "5000",
		}
		switch fields["kind"] {
		case `"register"`, `"cancel"`:
			fields["user_id"] = `"` + (store.ID{9, byte(random.IntN(8))}).Hex() + `"`
		case `"edit_event"`:
			edit := []string{`"version":` + pick("-1", "-1", "-1", "1", number())}
			for _, f := range []struct {
				name  string
				value func() string
			}{
				{"title", text}, {"description", text}, {"place", text}, {"time_zone", text}, {"capacity", number}, {"starts_at", at}, {"ends_at", at},
				{"registration_opens_at", at}, {"registration_closes_at", at}, {"waitlist", func() string { return pick("true", "false", "null", "1") }},
			} {
				if random.IntN(6) == 0 {
					edit = append(edit, fmt.Sprintf("%q:%s", f.name, f.value()))
				}
			}
			fields["edit"] = "{" + strings.Join(edit, ",") + "}"
		}
		for _, f := range []struct {
			name  string
			value func() string
		}{
			{"kind", func() string { return pick(`"probe"`, `"delete"`, `""`, "1", `"recount"`) }}, {"event_id", id}, {"user_id", id}, {"actor_id", id},
			{"actor_kind", func() string {
				return pick(`"person"`, `"organizer"`, `"operator"`, `"key"`, `"unproven"`, `"agent"`, "1", "null")
			}},
			{"request_id", text}, {"trace_id", text}, {"number", number}, {"remaining_ms", number}, {"sent_ms", func() string { return pick(number(), "1099511627776", "1099511627777") }},
			{"keyed", func() string { return pick("true", "false", "2") }}, {"edit", func() string { return pick("null", "{}", "[]", `{"version":-1,"cancel":1}`) }},
		} {
			if random.IntN(14) == 0 {
				fields[f.name] = f.value()
			}
		}
		line := make([]string, 0, len(fields))
		for name, value := range fields {
			line = append(line, fmt.Sprintf("%q:%s", name, value))
		}
		out.WriteString("{" + strings.Join(line, ",") + "}\n")
	}
	data := []byte(out.String())
	switch random.IntN(20) {
	case 0:
		data = data[:random.IntN(len(data))]
	case 1:
		data[random.IntN(len(data))] ^= byte(1 + random.IntN(255))
	case 2:
		data = append(data, data...)
	}
	return data
}
