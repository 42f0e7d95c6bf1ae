package mail

import (
	"strings"

	ics "github.com/arran4/golang-ical"

	"github.com/eventio/eventio/internal/text"
	"github.com/eventio/eventio/pkg/store/outbox"
)

// calendarMethod says what the calendar of a mail does (RFC 5546); "": the mail has none, as for those
// who wait.
func calendarMethod(l letter) ics.Method {
	seated := l.Number <= l.event.ConfirmedThrough
	switch {
	case l.Kind == outbox.Registered, l.Kind == outbox.Promoted, l.Kind == outbox.EventChanged && seated:
		return ics.MethodRequest
	case l.Kind == outbox.Cancelled, l.Kind == outbox.EventCancelled && seated:
		return ics.MethodCancel
	default:
		return ""
	}
}

// calendar writes the event for the person's calendar. The UID is the event's, as in the file that the
// pages offer, and SEQUENCE the revision of the change, so whichever mail arrives last, the latest
// change counts: a cancellation also takes away what a page has added.
func (c composer) calendar(l letter, method ics.Method) string {
	cal := ics.NewCalendarFor("Event.io")
	cal.SetMethod(method)
	e := cal.AddEvent(l.EventID.Hex() + "@eventio")
	e.SetDtStampTime(l.CreatedAt)
	e.SetStartAt(l.event.StartsAt)
	e.SetEndAt(l.event.EndsAt)
	e.SetSequence(int(l.Revision))
	e.SetSummary(oneLine(l.event.Title))
	if l.event.Venue != "" {
		e.SetLocation(oneLine(l.event.Venue))
	}
	if l.event.Description != "" {
		e.SetDescription(l.event.Description)
	}
	e.SetURL(c.site.PublicURL + "/events/" + l.EventID.Hex())
	e.SetOrganizer("mailto:"+text.ForMail(c.site.From.Address), ics.WithCN(quoteless(c.site.From.Name)))
	status, part := ics.ObjectStatusConfirmed, ics.ParticipationStatusAccepted
	if method == ics.MethodCancel {
		status, part = ics.ObjectStatusCancelled, ics.ParticipationStatusDeclined
	}
	e.SetStatus(status)
	e.AddAttendee("mailto:"+text.ForMail(l.to()), ics.WithCN(quoteless(oneLine(l.user.Name))), part, ics.WithRSVP(false))
	return cal.Serialize(ics.WithNewLineWindows)
}

// quoteless leaves out what a parameter of a calendar cannot have (RFC 5545, section 3.2): quotes and
// control characters.
func quoteless(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '"' || r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, name)
}
