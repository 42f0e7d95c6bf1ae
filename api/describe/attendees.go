package describe

import (
	"fmt"
	"net/http"

	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
)

// CSVMedia is the media type of a guest list that spreadsheets read (RFC 4180).
const CSVMedia = "text/csv; charset=utf-8; header=present"

// ListAttendees documents GET /api/events/{id}/attendees.
func ListAttendees() Operation {
	return Operation{
		ID: "listAttendees", Tag: "registrations", Summary: "The guest list of an event",
		Description: "By the organizer: who is registered and who waits, with name and address. With limit it is a page; without it, the whole list, streamed, as JSON or CSV. " +
			"A page with q may be short, even empty, and still have a next one: follow it until there is none. " +
			"Without name and email is whose account was erased, or who never signed up here, which trusted mode allows.",
		Parameters: attendeeParameters(),
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The attendees.", Body: []wire.Attendee{}, Headers: []string{"Link", "ETag"},
				Also: CSVMedia, Example: []wire.Attendee{exampleAttendee()}},
			notModified(),
		},
		Problems: []problem.Code{problem.EventNotFound, problem.Overloaded},
	}
}

func attendeeParameters() []openapi.Parameter {
	oneOf := func(name, description string, values ...string) openapi.Parameter {
		return openapi.Parameter{Name: name, In: "query", Description: description, Schema: &openapi.Schema{Type: "string", Enum: values}}
	}
	return append(pageParameters(),
		oneOf("status", "Only who has a seat, or only who is on the waiting list.", string(wire.Confirmed), string(wire.Waitlisted)),
		openapi.Parameter{Name: "q", In: "query",
			Description: "Only who has each of these words at the beginning of a word of their name or address, or as their number or user id. Case and accents do not count, nor does what is neither letter nor digit. At most 10 words.",
			Schema:      (&openapi.Schema{Type: "string", Pattern: searchPattern}).Length(1, input.MaxSearch)},
		oneOf("sort", fmt.Sprintf("The order. name and registered_at need limit, and are for events with at most %d registrations: 400 for larger ones.", input.MaxSorted),
			wire.SortNumber, wire.SortNumberDescending, wire.SortName, wire.SortTime),
		oneOf("format", "json or csv; without it the Accept header says so. csv is always the whole list.", wire.FormatJSON, wire.FormatCSV),
		openapi.Parameter{Name: "bom", In: "query", Description: "true: a CSV file begins with a byte order mark, by which some spreadsheets know UTF-8.",
			Schema: &openapi.Schema{Type: "boolean"}},
		oneOf("separator", "What is between the fields of a CSV file; spreadsheets in languages with a decimal comma want the semicolon.", wire.SeparatorComma, wire.SeparatorSemicolon),
		openapi.Parameter{Name: "Accept", In: "header", Description: "text/csv for CSV.", Schema: &openapi.Schema{Type: "string"}},
		tagParameter(),
	)
}

func exampleAttendee() wire.Attendee {
	u := exampleUser()
	return wire.Attendee{UserID: u.ID, Name: u.Name, Email: u.Email, Number: 1, Status: wire.Confirmed, RegisteredAt: u.CreatedAt}
}
