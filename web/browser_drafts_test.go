//go:build browser

package web

import (
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
)

// events reads the events of an organizer.
func (s *service) events(organizer string) []map[string]any {
	s.t.Helper()
	return s.list("/api/events?organizer_id=" + organizer)
}

// typing returns an organizer with an event for 5 people, who has typed another title and not saved it, and the event's path.
func (s *service) typing() (ada *visitor, path string) {
	s.t.Helper()
	ada = newVisitor(s.t, startChromium(s.t), s)
	ada.signedUp("Ada")
	path = ada.newEvent(map[string]string{"title": "Harbour night", "capacity": "5"})
	ada.open(path + "/edit")
	ada.fill(map[string]string{"title": "Harbour nights"})
	return ada, path
}

// TestDraftOfAnEdit: what was typed before lies over what is there now, and nothing else of then comes back.
func TestDraftOfAnEdit(t *testing.T) {
	t.Parallel()
	s := startEventio(t)
	ada, path := s.typing()
	ada.open(path + "/edit")
	ada.sees("draft", "typed before")
	ada.until(`document.getElementById('title').value === 'Harbour nights' && document.getElementById('draft-moved').hidden`)

	ada.open(path + "/manage")
	ada.fill(map[string]string{"capacity": "50"})
	ada.click("#form button[type=submit]")
	ada.sees("flash", "Saved")
	ada.open(path + "/edit")
	ada.until(`document.getElementById('title').value === 'Harbour nights' && document.getElementById('capacity').value === '50'`)
	ada.sees("draft-moved", "edited since")
	ada.look("edit-draft-moved")
	ada.click("form button[type=submit]")
	ada.sees("flash", "Saved")
	if e := s.events(ada.userID())[0]; e["title"] != "Harbour nights" || e["capacity"] != 50.0 {
		t.Errorf("the event is %v for %v people", e["title"], e["capacity"])
	}
	// What is typed back is no draft, and a draft of all fields, of a version before, counts for nothing.
	ada.open(path + "/edit")
	ada.fill(map[string]string{"capacity": "51"})
	ada.fill(map[string]string{"capacity": "50"})
	ada.until(`!Object.keys(localStorage).some((name) => name.startsWith('draft:'))`)
	ada.until(`localStorage.setItem('draft:' + location.pathname.split('/')[2], JSON.stringify({title: 'Harbour night', capacity: '5'})) === undefined`)
	ada.open(path + "/edit")
	ada.until(`document.getElementById('capacity').value === '50' && document.getElementById('draft').hidden`)
}

// TestEditsMeet: an edit that another one has overtaken keeps what was typed, and only that.
func TestEditsMeet(t *testing.T) {
	t.Parallel()
	s := startEventio(t)
	ada, path := s.typing()
	other := newTab(ada)
	other.open(path + "/manage")
	other.fill(map[string]string{"capacity": "50"})
	other.click("#form button[type=submit]")
	other.sees("flash", "Saved")
	ada.click("form button[type=submit]")
	ada.sees("form-error", "Somebody else edited the event")
	ada.until(`document.getElementById('title').value === 'Harbour nights' && document.getElementById('capacity').value === '50'`)
	ada.click("form button[type=submit]")
	ada.sees("flash", "Saved")
	if e := s.events(ada.userID())[0]; e["title"] != "Harbour nights" || e["capacity"] != 50.0 {
		t.Errorf("the event is %v for %v people", e["title"], e["capacity"])
	}
}

// TestLostAnnouncement: an event whose answer was lost is announced once, also by a page that was loaded
// again, or whose session had ended meanwhile.
func TestLostAnnouncement(t *testing.T) {
	t.Parallel()
	s := startEventio(t)
	ada := newVisitor(t, startChromium(t), s)
	ada.signedUp("Ada")
	start := time.Now().Add(24 * time.Hour)
	ada.open("/events/new")
	a := interceptAt(ada, "*/api/events", fetch.RequestStageResponse, lost)
	ada.fill(map[string]string{
		"title": "Harbour night", "capacity": "5",
		"starts_at": start.Format("2006-01-02T15:04"), "ends_at": start.Add(time.Hour).Format("2006-01-02T15:04"),
	})
	ada.fill(map[string]string{"title": "Harbour nights"})
	ada.click("form button[type=submit]")
	ada.sees("form-error", "No answer arrived")
	a.set(refusal(http.StatusUnauthorized, "unauthenticated", ""))
	ada.click("form button[type=submit]")
	ada.sees("form-error", "You are not logged in any more")
	a.set()
	ada.open("/events/new")
	ada.sees("draft", "typed before")
	ada.click("form button[type=submit]")
	ada.sees("flash", "Your event is announced.")
	if all := s.events(ada.userID()); len(all) != 1 {
		t.Errorf("%d events were made: %v", len(all), all)
	}
	// Another content is another event.
	ada.newEvent(map[string]string{"title": "Harbour night"})
	if all := s.events(ada.userID()); len(all) != 2 {
		t.Errorf("%d events were made: %v", len(all), all)
	}
}
