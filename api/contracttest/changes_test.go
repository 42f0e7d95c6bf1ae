package contracttest

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// told lists changes as revision, type and number.
func told(changes []client.Change) string {
	var all []string
	for _, c := range changes {
		all = append(all, fmt.Sprintf("%d %s %d", c.Revision, c.Type, c.Number))
	}
	return strings.Join(all, ", ")
}

// story makes an event with a waiting list and a record of 7 revisions, through one process.
func story(t *testing.T, s *site) (event string, users [3]string) {
	t.Helper()
	body := strings.Replace(eventBody("Opening", "1", "2027-05-01T18:00:00Z"), "{", `{"waitlist":true,`, 1)
	_, event = s.created(events, body)
	for i := range users {
		users[i] = store.NewID().Hex()
		if a := s.do(0, "PUT", event+"/registrations/"+users[i], "", "Idempotency-Key", "=key-"+fmt.Sprint(i)); a.status > 202 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	s.do(0, "DELETE", event+"/registrations/"+users[0], "").want(t, 204)
	s.do(0, "DELETE", event+"/registrations/"+users[2], "").want(t, 204)
	s.do(0, "PATCH", event, `{"capacity":5,"title":"Encore"}`, "If-Match", "*").want(t, 200)
	return event, users
}

const wantStory = "2 registered 1, 3 waitlisted 2, 4 waitlisted 3, 5 cancelled 1, 5 promoted 2, 6 cancelled 3, 7 edited 0"

func TestTheChangesOfAnEvent(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		event, users := story(t, s)
		path := event + "/changes"
		all := decode[[]client.Change](t, s.do(1, "GET", path, "").want(t, 200).body)
		if got := told(all); got != wantStory {
			t.Fatalf("got %s", got)
		}
		if c := all[0]; c.UserID.Hex() != users[0] || c.RequestID != "=key-0" || c.Actor.Kind != "unproven" || c.TicketsSold != 1 || c.Capacity != 1 ||
			c.At.IsZero() || !strings.HasPrefix(c.ID, c.EventID.Hex()+".2.") {
			t.Errorf("the first is %+v", c)
		}
		if c := all[4]; c.UserID.Hex() != users[1] || c.Cause != all[3].ID || c.RequestID != all[3].RequestID || c.Waiting != 1 {
			t.Errorf("who moved up: %+v", c)
		}
		if all[3].Status != client.StatusConfirmed || all[5].Status != client.StatusWaitlisted {
			t.Errorf("who left: %+v, %+v", all[3], all[5])
		}
		if c := all[6]; !slices.Equal(c.Fields, []string{"title", "capacity"}) || c.Capacity != 5 {
			t.Errorf("the edit is %+v", c)
		}
		t.Run("pages and resumption", func(t *testing.T) {
			for limit := 1; limit <= 8; limit++ {
				var got []client.Change
				for next := fmt.Sprintf("%s?limit=%d", path, limit); next != ""; {
					a := s.do(1, "GET", next, "").want(t, 200)
					page := decode[[]client.Change](t, a.body)
					if len(page) == 0 || len(page) > limit+1 {
						t.Errorf("with limit=%d %d changes", limit, len(page))
					}
					got, next = append(got, page...), a.next(t)
				}
				if told(got) != wantStory {
					t.Errorf("with limit=%d: %s", limit, told(got))
				}
			}
			for after := range 8 {
				got := decode[[]client.Change](t, s.get(fmt.Sprintf("%s?after=%d", path, after)).want(t, 200).body)
				want := slices.DeleteFunc(slices.Clone(all), func(c client.Change) bool { return c.Revision <= int64(after) })
				if told(got) != told(want) {
					t.Errorf("after=%d: %s, want %s", after, told(got), told(want))
				}
			}
		})
		t.Run("wrong queries", func(t *testing.T) {
			for _, c := range []struct{ query, field string }{
				{"after=-1", "after"}, {"after=%2B1", "after"}, {"after=1.5", "after"}, {"after=9223372036854775808", "after"},
				{"after=8", "after"}, {"limit=0", "limit"}, {"limit=1001", "limit"}, {"wait=51s", "wait"}, {"wait=5", "wait"}, {"wait=-1s", "wait"},
				{"wait=1m", "wait"}, {"wait=05s", "wait"}, {"wait=1s5s", "wait"}, {"cursor=x", "cursor"},
			} {
				s.get(path+"?"+c.query).want(t, 400, "invalid", c.field)
			}
			s.get(events+"/"+store.NewID().Hex()+"/changes").want(t, 404, "event_not_found")
		})
		t.Run("pace", func(t *testing.T) {
			minutes := decode[[]client.Minute](t, s.get(event+"/pace?minutes=5").want(t, 200).body)
			var sum client.Minute
			for _, m := range minutes {
				sum.Registrations, sum.Cancelled = sum.Registrations+m.Registrations, sum.Cancelled+m.Cancelled
				sum.TicketsSold, sum.Waiting = m.TicketsSold, m.Waiting
			}
			if sum != (client.Minute{Registrations: 3, Cancelled: 2, TicketsSold: 1}) || len(minutes) > 2 {
				t.Errorf("%+v in %+v", sum, minutes)
			}
		})
		t.Run("ETag and cache", func(t *testing.T) {
			a := s.get(path).want(t, 200)
			if a.header.Get("Cache-Control") != "no-store" || !slices.Contains(a.header.Values("Vary"), "Accept") {
				t.Errorf("headers are %v", a.header)
			}
			s.get(path, "If-None-Match", a.header.Get("ETag")).want(t, 304)
		})
		t.Run("CSV", func(t *testing.T) {
			for accept, want := range map[string]bool{
				"text/csv": true, "text/csv;q=0.9, application/json;q=0.5": true, "application/json, text/csv": false, "*/*": false, "text/*": false,
				"text/csv;q=0": false, "text/csv;q=0.4, application/json": false, "text/html,application/xhtml+xml,*/*;q=0.8": false, ";": false,
			} {
				if a := s.get(path, "Accept", accept).want(t, 200); strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") != want {
					t.Errorf("%s gives %s", accept, a.header.Get("Content-Type"))
				}
			}
			whole := s.get(path, "Accept", "text/csv")
			page := s.get(path+"?limit=100", "Accept", "text/csv")
			if string(whole.body) != string(page.body) {
				t.Errorf("%s is not %s", whole.body, page.body)
			}
			rows, err := csv.NewReader(strings.NewReader(string(whole.body))).ReadAll()
			if err != nil || len(rows) != 8 || rows[0][0] != "id" || rows[1][3] != "registered" || rows[7][11] != "title capacity" {
				t.Fatalf("%v in %q", err, rows)
			}
			if got := rows[1][10]; got != "'=key-0" {
				t.Errorf("a formula is %q", got)
			}
		})
	})
}

// TestWaitingForAChange: a change through one process answers who waits at the other, within a second.
func TestWaitingForAChange(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		event, _ := story(t, s)
		path := event + "/changes?limit=10&wait=20s&after="
		s.do(1, "GET", path+"6", "").want(t, 200) // does not wait
		for revision := 7; revision < 10; revision++ {
			var answers sync.WaitGroup
			for process := range 2 {
				answers.Go(func() {
					a, err := s.send(process, "GET", fmt.Sprint(path, revision), "")
					if err != nil || a.status != 200 {
						t.Errorf("%v, %d %s", err, a.status, a.body)
						return
					}
					if changes := decode[[]client.Change](t, a.body); len(changes) != 1 || changes[0].Revision != int64(revision)+1 {
						t.Errorf("after %d: %s", revision, a.body)
					}
				})
			}
			s.awaitWaits(t, 2)
			begun := time.Now()
			s.do(0, "PUT", event+"/registrations/"+store.NewID().Hex(), "")
			answers.Wait()
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("who waits is answered after %v", took)
			}
		}
		begun := time.Now()
		a := s.get(event+"/changes?wait=1s&after=10").want(t, 200)
		if took := time.Since(begun); strings.TrimSpace(string(a.body)) != "[]" || took < time.Second || took > 10*time.Second {
			t.Errorf("after %v: %s", took, a.body)
		}
		head := time.Now()
		s.do(0, http.MethodHead, event+"/changes?wait=20s&after=10", "").want(t, 200)
		if time.Since(head) > 10*time.Second {
			t.Error("HEAD waits")
		}
	})
}

// TestADrainEndsWaits: who waits is answered when the process begins to drain, and who comes then is
// told so.
func TestADrainEndsWaits(t *testing.T) {
	s := newSite(t, "sqlite", options{})
	event, _ := story(t, s)
	answered := make(chan answer)
	go func() {
		a, _ := s.send(0, "GET", event+"/changes?wait=50s&after=7", "")
		answered <- a
	}()
	s.awaitWaits(t, 1)
	s.handlers[0].EndWaits()
	s.handlers[0].EndWaits()
	if a := <-answered; a.status != 200 || strings.TrimSpace(string(a.body)) != "[]" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.get(event+"/changes?wait=50s&after=7").want(t, 503, "overloaded"); a.header.Get("Retry-After") == "" {
		t.Errorf("headers are %v", a.header)
	}
	s.get(event+"/changes?wait=50s&after=6").want(t, 200)
	s.get(event+"/changes?after=7").want(t, 200)
}

// TestTheChangesOfAPerson: they are told what happened to them, and nothing of others.
func TestTheChangesOfAPerson(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		first, users := story(t, s)
		var order []string
		for range 3 {
			_, event := s.created(events, eventBody("Opening", "1", "2027-05-01T18:00:00Z"))
			s.do(0, "PUT", event+"/registrations/"+users[1], "").want(t, 201)
			order = append([]string{strings.TrimPrefix(event, events+"/")}, order...)
		}
		path := "/api/users/" + users[1] + "/changes"
		all := decode[[]client.Change](t, s.do(1, "GET", path, "").want(t, 200).body)
		if got, want := told(all), "2 registered 1, 2 registered 1, 2 registered 1, 3 waitlisted 2, 5 promoted 2"; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		for i, id := range append(order, strings.TrimPrefix(first, events+"/")) {
			if all[i].EventID.Hex() != id {
				t.Errorf("change %d is of %s", i, all[i].EventID.Hex())
			}
		}
		if c := all[4]; c.RequestID != "" || c.Cause != "" || c.Actor == nil || !c.Actor.ID.IsZero() || c.UserID.Hex() != users[1] {
			t.Errorf("another person's request is told: %+v", c)
		}
		if c := all[3]; c.RequestID != "=key-1" || c.Actor.ID.Hex() != users[1] {
			t.Errorf("their own is not told: %+v", c)
		}
		var paged []client.Change
		for next := path + "?limit=1"; next != ""; {
			a := s.get(next).want(t, 200)
			paged, next = append(paged, decode[[]client.Change](t, a.body)...), a.next(t)
		}
		if told(paged) != told(all) {
			t.Errorf("in pages: %s", told(paged))
		}
		if rows, err := csv.NewReader(strings.NewReader(string(s.get(path, "Accept", "text/csv").body))).ReadAll(); err != nil || len(rows) != 6 {
			t.Errorf("%v, %q", err, rows)
		}
		if a := s.get("/api/users/"+store.NewID().Hex()+"/changes").want(t, 200); strings.TrimSpace(string(a.body)) != "[]" {
			t.Errorf("a stranger's are %s", a.body)
		}
		for _, query := range []string{"limit=0", "cursor=x", "after=1", "wait=1s"} {
			s.get(path+"?"+query).want(t, 400, "invalid")
		}
	})
}

// TestALongRecordIsStreamed: it is read piece by piece, and each piece goes on where the one before ended.
func TestALongRecordIsStreamed(t *testing.T) {
	forEachStore(t, options{}, func(t *testing.T, s *site) {
		_, event := s.created(events, eventBody("Opening", "1000", "2027-05-01T18:00:00Z"))
		id, err := store.ParseID(strings.TrimPrefix(event, events+"/"))
		if err != nil {
			t.Fatal(err)
		}
		for range 230 {
			user := store.NewID()
			if _, err := s.store.Apply(t.Context(), []store.SeatRequest{{Kind: store.Register, EventID: id, UserID: user, RequestID: "r", At: time.Now()}}); err != nil {
				t.Fatal(err)
			}
		}
		a := s.get(event+"/changes").want(t, 200)
		all := decode[[]client.Change](t, a.body)
		if len(all) != 230 || all[229].Revision != 231 || a.header.Get("ETag") != "" {
			t.Errorf("%d changes, %v", len(all), a.header)
		}
		rows, err := csv.NewReader(strings.NewReader(string(s.get(event+"/changes", "Accept", "text/csv").body))).ReadAll()
		if err != nil || len(rows) != 231 {
			t.Errorf("%v, %d lines", err, len(rows))
		}
		var followed []client.Change
		for c, err := range s.people(1).FollowEvent(t.Context(), id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if followed = append(followed, c); len(followed) == 230 {
				break
			}
		}
		if told(followed) != told(all) {
			t.Errorf("followed are %s", told(followed))
		}
	})
}
