package web

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// serveCalendar sends an event as a file that calendars take (RFC 5545).
func (s *site) serveCalendar(w http.ResponseWriter, r *http.Request, id string) {
	a := s.ask(r, "/api/events/"+id)
	e, err := newEventView(s.texts[languageOf(w, r)], a.body)
	switch {
	case a.status == http.StatusNotFound || a.status == http.StatusBadRequest:
		s.servePage(w, r, visit{page: pageEvent, status: http.StatusNotFound, eventID: id})
		return
	case a.status != http.StatusOK || err != nil:
		http.Error(w, "503: try again in a moment.", http.StatusServiceUnavailable)
		return
	}
	h := w.Header()
	h.Set("Content-Type", calendarType)
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Disposition", `attachment; filename="event.ics"`)
	s.serveBody(w, r, http.StatusOK, []byte(calendar(*e)))
}

// calendar writes an event in the form of RFC 5545. The UID is the event's, so that a calendar
// that gets it again takes it for the same one.
func calendar(e eventView) string {
	utc := func(t time.Time) string { return t.UTC().Format("20060102T150405Z") }
	status := "CONFIRMED"
	if e.State == "cancelled" {
		status = "CANCELLED"
	}
	lines := []string{
		"BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Event.io//Event.io//EN", "METHOD:PUBLISH",
		"BEGIN:VEVENT", "UID:" + e.ID + "@eventio", "DTSTAMP:" + utc(e.CreatedAt),
		"DTSTART:" + utc(e.StartsAt), "DTEND:" + utc(e.EndsAt), "SUMMARY:" + calendarText(e.Title),
	}
	if e.Place != "" {
		lines = append(lines, "LOCATION:"+calendarText(e.Place))
	}
	if e.Description != "" {
		lines = append(lines, "DESCRIPTION:"+calendarText(e.Description))
	}
	lines = append(lines, "STATUS:"+status, "END:VEVENT", "END:VCALENDAR")
	var out strings.Builder
	for _, line := range lines {
		fold(&out, line)
	}
	return out.String()
}

// calendarText escapes a text (RFC 5545, section 3.3.11).
func calendarText(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`, "\t", " ").Replace(text)
}

// fold writes a line of at most 75 bytes, and what is over in further ones that begin with a
// blank (RFC 5545, section 3.1). No character is cut.
func fold(out *strings.Builder, line string) {
	const most = 75
	room := most
	for _, r := range line {
		if n := utf8.RuneLen(r); n > room {
			out.WriteString("\r\n ")
			room = most - 1
		}
		out.WriteRune(r)
		room -= utf8.RuneLen(r)
	}
	out.WriteString("\r\n")
}
