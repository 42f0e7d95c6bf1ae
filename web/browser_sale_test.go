//go:build browser

package web

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/sqlitestore"
)

// stored stops the service, has work done on its database, and starts it again at its address.
func (s *service) stored(work func(st *sqlitestore.Store)) {
	s.t.Helper()
	if err := s.process.Stop(); err != nil {
		s.t.Fatal(err)
	}
	st, err := sqlitestore.Open(s.t.Context(), filepath.Join(s.data, "eventio.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	work(st)
	if err := st.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.start(strings.TrimPrefix(s.base, "http://"))
}

// sale stores an event whose sale has gone on for 41 minutes: a rush, and then fewer and fewer. Five
// people left again. It returns the event and how many registrations were made.
func (s *service) sale(organizer store.ID) (event string, made int) {
	s.t.Helper()
	ctx, now := s.t.Context(), time.Now().UTC()
	opened := now.Truncate(time.Minute).Add(-40 * time.Minute)
	starts := now.Add(30 * 24 * time.Hour).Truncate(time.Hour)
	e := store.Event{
		ID: store.NewID(), OrganizerID: organizer, Title: "Northern lights on the roof", Venue: "Old observatory, Tromsø", TimeZone: "Europe/Berlin",
		Description: "A night outside, with blankets and hot soup.", Capacity: 480, Waitlist: true,
		OpensAt: opened, StartsAt: starts, EndsAt: starts.Add(3 * time.Hour), CreatedAt: now.Add(-24 * time.Hour),
	}
	names := []string{"Amelia Chen", "Bo Lindqvist", "Chiara Conti", "Dmitri Volkov", "Esi Mensah", "Farid Rahimi", "Grace Hopper", "Hana Sato", "Ines Duarte", "Jonas Weber"}
	s.stored(func(st *sqlitestore.Store) {
		if err := st.CreateEvent(ctx, e); err != nil {
			s.t.Fatal(err)
		}
		dice := rand.New(rand.NewPCG(1, 2))
		for minute := range 41 {
			var batch []store.SeatRequest
			at := opened.Add(time.Duration(minute) * time.Minute)
			for range 150/(minute+2) + 2 + dice.IntN(5) {
				user := store.User{ID: store.NewID(), Name: fmt.Sprintf("Guest %d", made+1), PasswordHash: "none", CreatedAt: at}
				if made < len(names) {
					user.Name = names[made]
				}
				user.Email = strings.ToLower(strings.ReplaceAll(user.Name, " ", ".")) + "@example.org"
				if err := st.CreateUser(ctx, user); err != nil {
					s.t.Fatal(err)
				}
				batch = append(batch, store.SeatRequest{Kind: store.Register, EventID: e.ID, UserID: user.ID, RequestID: user.ID.Hex(), At: at})
				made++
			}
			if minute%8 == 7 {
				leaver := batch[0]
				leaver.Kind, leaver.RequestID = store.Cancel, "leave"
				batch = append(batch, leaver)
			}
			if _, err := st.Apply(ctx, batch); err != nil {
				s.t.Fatal(err)
			}
		}
	})
	return e.ID.Hex(), made
}

// TestSale: the organizer's page while a sale goes on: what was, from the record of changes, and what comes,
// by itself.
func TestSale(t *testing.T) {
	t.Parallel()
	s, browser := startEventio(t), startChromium(t)
	ada := newVisitor(t, browser, s)
	ada.signedUp("Ada Lovelace")
	organizer, err := store.ParseID(ada.userID())
	if err != nil {
		t.Fatal(err)
	}
	event, made := s.sale(organizer)
	bars := `document.querySelectorAll('#pace-bars .pace-made').length`
	registrations := func(n int) string { return fmt.Sprintf("%d registrations in the last hour", n) }
	tell(t, map[string]*visitor{"ada": ada}, []step{
		{"what_was_is_there_after_a_reload", func(t *testing.T) {
			ada.open("/events/" + event + "/manage")
			ada.sees("pace-summary", registrations(made))
			ada.sees("pace-summary", "5 taken back")
			ada.sees("pace-summary", "most in one minute: ")
			if n := must[int](ada, bars); n != 41 {
				t.Errorf("%d bars", n)
			}
			if n := must[int](ada, `document.querySelectorAll('#pace-bars .pace-left').length`); n != 5 {
				t.Errorf("%d bars of who left", n)
			}
			ada.until(`[...document.querySelectorAll('#pace-bars rect')].every((bar) => bar.getBBox().y >= 0 && bar.getBBox().y + bar.getBBox().height <= 118)`)
			ada.listens()
			ada.look("manage-sale")
		}},
		{"it_counts_on_by_itself", func(t *testing.T) {
			s.crowd(event, 7)
			ada.sees("pace-summary", registrations(made+7))
			first := s.person()
			first.register(event)
			if status, _ := first.call(http.MethodDelete, "/api/events/"+event+"/registrations/"+first.id, nil); status != http.StatusNoContent {
				t.Fatalf("leave: %d", status)
			}
			ada.sees("pace-summary", registrations(made+8))
			ada.sees("pace-summary", "6 taken back")
		}},
		{"an_event_that_nobody_wants_says_so", func(*testing.T) {
			ada.newEvent(map[string]string{"title": "Very early swim"})
			ada.sees("pace-summary", "Nobody has registered in the last hour")
			ada.sees("pace-now", "0")
		}},
		{"who_is_refused_is_counted", func(t *testing.T) {
			small := strings.TrimPrefix(ada.newEvent(map[string]string{"title": "Very small swim", "capacity": "1"}), "/events/")
			s.person().register(small)
			for range 3 {
				if status, _ := s.person().call(http.MethodPost, "/api/events/"+small+"/registrations", map[string]any{}); status != http.StatusConflict {
					t.Fatalf("a place too many: %d", status)
				}
			}
			ada.sees("pace-summary", "1 registration in the last hour")
			ada.sees("pace-summary", "sold out: said 3 times")
			ada.look("manage-refused")
		}},
		{"in_German", func(*testing.T) {
			ada.open("/events/" + event + "/manage?lang=de")
			ada.sees("pace-summary", fmt.Sprintf("%d Anmeldungen in der letzten Stunde", made+8))
			ada.do(chromedp.Evaluate[chromedp.Void](`window.scrollTo(0, 0)`))
			ada.look("manage-sale-german")
		}},
	})
}
