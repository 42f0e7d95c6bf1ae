package describe

import (
	"fmt"
	"net/http"
	"time"

	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
)

// EventChanges documents GET /api/events/{id}/changes.
func EventChanges() Operation {
	return Operation{
		ID: "listEventChanges", Tag: "events", Summary: "List the changes of an event",
		Description: "By the organizer: who came, left and moved up, and what was edited, in order, by whom and when. Send the revision of the last change that you have " +
			"as after: nothing is missed and nothing comes twice, since every revision has at least one change and is told as a whole. " +
			"With limit it is a page, without it everything, streamed. With wait the answer is held back until there is a change, or the wait is over and the list is empty. " +
			"Accept: text/csv gives CSV.",
		Parameters: []openapi.Parameter{
			{Name: "after", In: "query", Description: "Only changes of later revisions.", Schema: &openapi.Schema{Type: "integer", Format: "int64", Minimum: new(int64)}},
			{Name: "limit", In: "query", Description: "Asks for a page: it ends with the revision that brings it to so many changes.",
				Schema: (&openapi.Schema{Type: "integer"}).Between(1, input.MaxPage)},
			{Name: "wait", In: "query", Description: "How long to wait for a change when there is none, in seconds, like 25s; at most 50s.",
				Schema: &openapi.Schema{Type: "string", Pattern: input.WaitPattern}},
			tagParameter(),
		},
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The changes.", Body: []wire.Change{}, Also: CSVMedia, Headers: []string{"Link", "ETag"}, Example: []wire.Change{exampleChange()}},
			notModified(),
		},
		Problems: []problem.Code{problem.EventNotFound, problem.Overloaded},
	}
}

// ReadPace documents GET /api/events/{id}/pace.
func ReadPace() Operation {
	e := exampleEvent()
	return Operation{
		ID: "readPace", Tag: "events", Summary: "How many register, minute by minute",
		Description: "By the organizer: how many registrations were made and cancelled in each of the latest minutes, the oldest first; the last one is not over. " +
			"Minutes before the event was made, or before its record of changes begins, are left out. " +
			"refused counts how often somebody was told that the event is sold out, a second or two late; who asked three times counts three times, and what a process " +
			"that died had not yet handed on is missing.",
		Parameters: []openapi.Parameter{
			{Name: "minutes", In: "query", Description: fmt.Sprintf("How many minutes; without it %d.", input.DefaultMinutes),
				Schema: (&openapi.Schema{Type: "integer"}).Between(1, input.MaxMinutes)},
		},
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The minutes.", Body: []wire.Minute{},
				Example: []wire.Minute{{At: e.CreatedAt.Truncate(time.Minute), Registrations: 412, Cancelled: 3, TicketsSold: 409, Refused: 58}}},
		},
		Problems: []problem.Code{problem.EventNotFound, problem.Overloaded},
	}
}

// UserChanges documents GET /api/users/{user_id}/changes.
func UserChanges() Operation {
	return Operation{
		ID: "listUserChanges", Tag: "users", Summary: "List what happened to a user's registrations",
		Description: "By the user themself: the newest event first, and in order within an event. A page has whole registrations, so it may be longer than limit; " +
			"it may also be shorter and still have a next one. Of who else did something only the role is told. Accept: text/csv gives CSV.",
		Parameters: append(pageParameters(), tagParameter()),
		Answers: []Answer{
			{Status: http.StatusOK, Description: "The changes.", Body: []wire.Change{}, Also: CSVMedia, Headers: []string{"Link", "ETag"}, Example: []wire.Change{exampleChange()}},
			notModified(),
		},
		Problems: []problem.Code{problem.Overloaded},
	}
}

func exampleChange() wire.Change {
	e, u := exampleEvent(), exampleUser()
	row := store.ChangeRecord{
		EventID: e.ID, Revision: 2, At: u.CreatedAt, After: store.Counters{Capacity: 1, TicketsSold: 1, LastNumber: 1, ConfirmedThrough: 1},
		Actions: []store.Action{{
			Kind: store.Register, UserID: u.ID, Number: 1, RequestID: "4f1c", At: u.CreatedAt, Actor: store.Actor{Kind: store.ActorPerson, ID: u.ID},
		}},
	}
	return wire.ChangeOf(row, changes.Items(row)[0])
}
