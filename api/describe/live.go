package describe

import (
	"net/http"

	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/api/problem"
)

// EventStreamMedia is the media type of server-sent events.
const EventStreamMedia = "text/event-stream"

// LiveEvent documents GET /api/events/{id}/live.
func LiveEvent() Operation {
	return Operation{
		ID: "liveEvent", Tag: "events", Summary: "Follow where an event stands",
		Description: "Server-sent events (the HTML standard), for EventSource. A message state has, as JSON, event_id, revision, version (which grows with each edit), capacity, tickets_sold, waiting, " +
			"state and registration_state: one at once, and one whenever they change, at most four a second and fewer when very many listen; each has everything, so none needs the one before. " +
			"The id of a message is the revision; with it in Last-Event-ID nothing older comes. A message gone says that the event was deleted. " +
			"The stream ends now and then, and when the process ends: come back after the time in retry. A message heartbeat comes when nothing else has for 15 s.",
		Parameters: []openapi.Parameter{lastEventID()},
		Answers:    []Answer{liveAnswer("id: 7\nevent: state\ndata: {\"event_id\":\"6650a1f2c3d4e5f60718293a\",\"revision\":7,\"version\":1,\"capacity\":100,\"tickets_sold\":42,\"waiting\":0,\"state\":\"upcoming\",\"registration_state\":\"open\"}\n\n")},
		Problems:   []problem.Code{problem.EventNotFound, problem.Overloaded},
	}
}

// LiveUser documents GET /api/users/{user_id}/live.
func LiveUser() Operation {
	return Operation{
		ID: "liveUser", Tag: "users", Summary: "Follow what happens to a user's registrations",
		Description: "By the user themself. Server-sent events: a message change has, as JSON, one change as in listUserChanges. Read what there is when the stream has opened; " +
			"from then on nothing is missed. After a lost connection send the id of the last message as Last-Event-ID, as EventSource does by itself: what was missed comes first, " +
			"and a change may come twice, each time with the same id in it. The registrations of the 100 newest events are followed. The stream ends when the token has ended.",
		Parameters: []openapi.Parameter{lastEventID()},
		Answers:    []Answer{liveAnswer("id: 1767225600000-6650a1f2c3d4e5f60718293a.8.2\nevent: change\ndata: {\"id\":\"6650a1f2c3d4e5f60718293a.8.2\",\"type\":\"promoted\",\"number\":3}\n\n")},
		Problems:   []problem.Code{problem.Overloaded},
	}
}

func lastEventID() openapi.Parameter {
	return openapi.Parameter{Name: "Last-Event-ID", In: "header", Description: "The id of the last message that came.", Schema: &openapi.Schema{Type: "string"}}
}

func liveAnswer(example string) Answer {
	return Answer{Status: http.StatusOK, Description: "The stream, which has no end of its own.", Body: "", Media: EventStreamMedia, Example: example}
}
