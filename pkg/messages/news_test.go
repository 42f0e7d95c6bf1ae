package messages_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
)

// TestNewsOfNoSuchFormIsLeftOut: whoever may publish can send any message.
func TestNewsOfNoSuchFormIsLeftOut(t *testing.T) {
	event := `"event_id":"6650a1f2c3d4e5f607182930"`
	for _, tt := range []struct {
		name, data    string
		event, people bool
	}{
		{"news_of_an_event", `{"v":1,` + event + `,"revision":7}`, true, true},
		{"fields_of_a_newer_version_are_ignored", `{"v":1,` + event + `,"revision":7,"users":"","more":[1]}`, true, true},
		{"news_of_a_person", `{"v":1,` + event + `,"users":"AAAAAAAAAAAAAAAA"}`, false, true},
		{"the_first_revision", `{"v":1,` + event + `,"revision":1}`, true, true},
		{"revision_0", `{"v":1,` + event + `,"revision":0}`, false, true},
		{"as_many_people_as_may_be", `{"v":1,` + event + `,"users":"` + strings.Repeat("AAAAAAAAAAAAAAAA", 1024) + `"}`, false, true},
		{"half_a_person", `{"v":1,` + event + `,"users":"AAAAAAAA"}`, false, false},
		{"more_people_than_may_be", `{"v":1,` + event + `,"users":"` + strings.Repeat("AAAAAAAAAAAAAAAA", 1025) + `"}`, false, false},
		{"another_version", `{"v":2,` + event + `,"revision":7}`, false, false},
		{"no_event", `{"v":1,"revision":7}`, false, false},
		{"a_revision_below_1", `{"v":1,` + event + `,"revision":-1}`, false, true},
		{"a_revision_that_is_none", `{"v":1,` + event + `,"revision":1e99}`, false, true},
		{"two", `{"v":1,` + event + `,"revision":7}` + "\n" + `{"v":1,` + event + `,"revision":8}`, false, false},
		{"empty", ``, false, false},
		{"not_json", `\x00`, false, false},
		{"too_large", `{"v":1,` + event + `,"revision":7,"x":"` + strings.Repeat("x", messages.MaxMessage) + `"}`, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := messages.DecodeEventNews([]byte(tt.data)); (err == nil) != tt.event {
				t.Errorf("as news of an event: %v", err)
			}
			if _, err := messages.DecodePeopleNews([]byte(tt.data)); (err == nil) != tt.people {
				t.Errorf("as news of people: %v", err)
			}
		})
	}
}

func FuzzDecodeNews(f *testing.F) {
	f.Add([]byte(`{"v":1,"event_id":"6650a1f2c3d4e5f607182930","revision":7}`))
	f.Add([]byte(`{"v":1,"event_id":"6650a1f2c3d4e5f607182930","users":"AAAAAAAAAAAAAAAA"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := messages.DecodeEventNews(data); err == nil && (n.EventID.IsZero() || n.Revision < 1) {
			t.Errorf("%+v is read", n)
		}
		if n, err := messages.DecodePeopleNews(data); err == nil {
			if ids, named := n.UserIDs(); named != (len(ids) > 0) || len(ids) > 1024 {
				t.Errorf("%d people", len(ids))
			}
		}
	})
}

// TestNewsReachesWhoListens: of the event and the database that are meant, until they stop.
func TestNewsReachesWhoListens(t *testing.T) {
	server := testenv.StartNATS(t)
	conn, err := messages.Connect(server.URL(), "test", zerolog.Nop())
	must(t, err)
	defer conn.Close()
	link := messages.Link{Conn: conn, Namespace: messages.Namespace{Prefix: "eventio", Database: "a"}}
	other := messages.Link{Conn: link.Conn, Namespace: messages.Namespace{Prefix: "eventio", Database: "b"}}
	event, another, user := messages.ID{1}, messages.ID{2}, messages.ID{3}
	events, people := make(chan messages.EventNews, 10), make(chan messages.PeopleNews, 10)
	stop, err := link.ListenEvent(event, func(n messages.EventNews) { events <- n })
	must(t, err)
	stopPeople, err := link.ListenPeople(func(n messages.PeopleNews) { people <- n })
	must(t, err)
	defer stopPeople()
	must(t, messages.PublishEventNews(other, event, 1))
	must(t, messages.PublishEventNews(link, another, 2))
	must(t, link.Conn.Publish(link.Namespace.EventNews(event), []byte(`{"v":1,"event_id":"020000000000000000000000","revision":3}`)))
	must(t, link.Conn.Publish(link.Namespace.EventNews(event), []byte("no news")))
	must(t, messages.PublishEventNews(link, event, 4))
	must(t, messages.PublishPeopleNews(other, event, []messages.ID{user}))
	must(t, messages.PublishPeopleNews(link, event, []messages.ID{user, another}))
	must(t, messages.PublishPeopleNews(link, event, make([]messages.ID, 2000)))
	if n := <-events; n.EventID != event || n.Revision != 4 {
		t.Errorf("the first news is %+v", n)
	}
	if ids, named := (<-people).UserIDs(); !named || len(ids) != 2 || ids[0] != user || ids[1] != another {
		t.Errorf("news of %v", ids)
	}
	if _, named := (<-people).UserIDs(); named {
		t.Error("too many are named")
	}
	stop()
	must(t, messages.PublishEventNews(link, event, 5))
	must(t, link.Conn.FlushTimeout(5*time.Second))
	if len(events) != 0 {
		t.Error("news comes to who has stopped to listen")
	}
}

// TestHowManyNewsNames checks that as many people as may be are named, and nobody of more.
func TestHowManyNewsNames(t *testing.T) {
	for n, named := range map[int]int{0: 0, 1: 1, 1024: 1024, 1025: 0, 5000: 0} {
		users := make([]messages.ID, n)
		for i := range users {
			users[i] = messages.ID{byte(i), byte(i >> 8), 1}
		}
		ids, any := messages.NewPeopleNews(messages.ID{1}, users).UserIDs()
		if len(ids) != named || any != (named > 0) || named > 0 && !slices.Equal(ids, users) {
			t.Errorf("of %d people %d are named", n, len(ids))
		}
	}
}

// TestNewsWithoutAConnection checks that no news goes or comes over a link that cannot carry it, and that the
// caller is told.
func TestNewsWithoutAConnection(t *testing.T) {
	if (*messages.Requester)(nil).Link() != (messages.Link{}) {
		t.Error("no requester has a link")
	}
	conn, err := messages.Connect(testenv.StartNATS(t).URL(), "test", zerolog.Nop())
	must(t, err)
	defer conn.Close()
	good := messages.Namespace{Prefix: "eventio", Database: "a"}
	gone, err := messages.Connect(testenv.StartNATS(t).URL(), "test", zerolog.Nop())
	must(t, err)
	gone.Close()
	closed := messages.Link{Conn: gone, Namespace: good}
	for name, link := range map[string]messages.Link{"none": {}, "no namespace": {Conn: conn}, "a closed one": closed} {
		if _, err := link.ListenEvent(messages.ID{1}, func(messages.EventNews) {}); err == nil {
			t.Errorf("%s: it listens to an event", name)
		}
		if _, err := link.ListenPeople(func(messages.PeopleNews) {}); err == nil {
			t.Errorf("%s: it listens to people", name)
		}
	}
	if messages.PublishEventNews(closed, messages.ID{1}, 1) == nil || messages.PublishPeopleNews(closed, messages.ID{1}, nil) == nil {
		t.Error("news is published on a closed connection")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
