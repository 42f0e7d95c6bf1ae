package web

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/eventio/eventio/internal/zone"
)

// eventView is an event for people, in a language.
type eventView struct {
	ID          string    `json:"id"`
	OrganizerID string    `json:"organizer_id"`
	Title       string    `json:"title"`
	Description string    `json:"description"`
	Capacity    int64     `json:"capacity"`
	TicketsSold int64     `json:"tickets_sold"`
	StartsAt    time.Time `json:"starts_at"`
	EndsAt      time.Time `json:"ends_at"`
	Place       string    `json:"place"`
	TimeZone    string    `json:"time_zone"`
	Waiting     int64     `json:"waiting"`
	OpensAt     time.Time `json:"registration_opens_at"`
	ClosesAt    time.Time `json:"registration_closes_at"`
	CreatedAt   time.Time `json:"created_at"`
	State       string    `json:"state"`
	// Registration says whether one can register.
	Registration string `json:"registration_state"`

	When     string   `json:"-"` // in Zone
	WhenDay  string   `json:"-"` // the same in two parts
	WhenTime string   `json:"-"`
	Month    string   `json:"-"` // short
	Day      int      `json:"-"`
	Zone     string   `json:"-"`
	Opens    string   `json:"-"`
	Sentence string   `json:"-"` // what Registration means
	Left     int64    `json:"-"`
	Schema   jsonLD   `json:"-"`
	location location `json:"-"`
}

type location struct{ *time.Location }

func newEventView(t texts, data []byte) (*eventView, error) {
	var e eventView
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	where, err := zone.Load(e.TimeZone)
	if err != nil {
		where = time.UTC
	}
	e.location, e.Zone = location{where}, where.String()
	from, to := e.StartsAt.In(where), e.EndsAt.In(where)
	e.When, e.WhenDay, e.WhenTime = t.span(from, to)
	e.Month, e.Day = t.month(from), from.Day()
	if !e.OpensAt.IsZero() {
		e.Opens = t.day(e.OpensAt.In(where)) + ", " + e.OpensAt.In(where).Format("15:04")
	}
	e.Left = max(0, e.Capacity-e.TicketsSold)
	e.Sentence = e.sentence(t)
	e.Schema = schemaOf(e)
	return &e, nil
}

// sentence says in a few words whether one can register.
func (e eventView) sentence(t texts) string {
	switch e.Registration {
	case "open":
		return t.say("places.left", "n", e.Left)
	case "opens_soon":
		return t.say("page.opens", "when", e.Opens, "zone", e.Zone)
	case "full", "waitlist", "closed", "ended", "cancelled":
		return t.say("badge." + e.Registration)
	}
	return ""
}

// summary is what a shared link shows below the title.
func (e eventView) summary(t texts) string {
	parts := []string{e.When + " (" + e.Zone + ")"}
	if e.Place != "" {
		parts = append(parts, e.Place)
	}
	parts = append(parts, e.Sentence)
	if e.Description != "" {
		parts = append(parts, firstLine(e.Description, 140))
	}
	return strings.Join(parts, " · ")
}

// jsonLD is an Event of schema.org, for search engines.
type jsonLD struct {
	Context   string       `json:"@context"`
	Type      string       `json:"@type"`
	Name      string       `json:"name"`
	Text      string       `json:"description,omitempty"`
	StartDate string       `json:"startDate"`
	EndDate   string       `json:"endDate"`
	Status    string       `json:"eventStatus"`
	Place     *jsonLDPlace `json:"location,omitempty"`
	Capacity  int64        `json:"maximumAttendeeCapacity"`
	Remaining int64        `json:"remainingAttendeeCapacity"`
}

type jsonLDPlace struct {
	Type    string `json:"@type"`
	Name    string `json:"name"`
	Address string `json:"address"`
}

func schemaOf(e eventView) jsonLD {
	const vocabulary = "https://schema.org"
	l := jsonLD{
		Context: vocabulary, Type: "Event", Name: e.Title, Text: e.Description, Status: vocabulary + "/EventScheduled",
		StartDate: e.StartsAt.In(e.location.Location).Format(time.RFC3339), EndDate: e.EndsAt.In(e.location.Location).Format(time.RFC3339),
		Capacity: e.Capacity, Remaining: e.Left,
	}
	if e.State == "cancelled" {
		l.Status = vocabulary + "/EventCancelled"
	}
	if e.Place != "" {
		l.Place = &jsonLDPlace{"Place", e.Place, e.Place}
	}
	return l
}
