package describe

import (
	"net/http"
	"time"

	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
)

// ReadUser documents the operation.
func ReadUser() Operation {
	return Operation{
		ID: "readUser", Tag: "users", Summary: "Read one's own account",
		Description: "Nobody else's.",
		Answers:     []Answer{{Status: http.StatusOK, Description: "The user.", Body: wire.User{}, Example: wire.UserOf(exampleUser())}},
		Problems:    []problem.Code{problem.UserNotFound, problem.Overloaded},
	}
}

// EditUser documents the operation.
func EditUser() Operation {
	return Operation{
		ID: "editUser", Tag: "users", Summary: "Change one's own account",
		Description: "A JSON Merge Patch (RFC 7396): what is left out stays. Another e-mail address needs a log-in within the last 5 minutes; else it is 403 login_too_old. " +
			"The patch may be the whole user as it was read: read-only fields are refused when they differ.",
		Body:    wire.UserEdit{},
		Media:   []string{"application/merge-patch+json"},
		Example: wire.UserEdit{Name: wire.Set("Ada Lovelace")},
		Answers: []Answer{{Status: http.StatusOK, Description: "The user as it is now.", Body: wire.User{}, Example: wire.UserOf(exampleUser())}},
		Problems: []problem.Code{problem.UserNotFound, problem.EmailTaken, problem.LoginTooOld, problem.Overloaded,
			problem.StorageFull, problem.UnknownOutcome},
	}
}

// DeleteUser documents the operation.
func DeleteUser() Operation {
	return Operation{
		ID: "deleteUser", Tag: "users", Summary: "Erase one's own account",
		Description: "Cannot be undone, and needs a log-in within the last 5 minutes; else it is 403 login_too_old. All registrations for events that have not ended " +
			"are cancelled, and so are the person's own events that have not ended. What is over stays under the id, which means nobody any more. " +
			"All tokens end, in every process within 5 s. After 503 or 504 a repetition goes on where it stopped; 401 then says that it is done.",
		Answers: []Answer{{Status: http.StatusNoContent, Description: "Nobody is known by this id any more."}},
		Problems: []problem.Code{problem.LoginTooOld, problem.Overloaded,
			problem.StorageFull, problem.UnknownOutcome},
	}
}

// ExportUser documents the operation.
func ExportUser() Operation {
	u := exampleUser()
	body := wire.ExportedUser{ID: u.ID, Name: u.Name, Email: u.Email, CreatedAt: u.CreatedAt}
	return Operation{
		ID: "exportUser", Tag: "users", Summary: "Take one's data along",
		Description: "Everything that is stored about the person but the hash of the password, as one array: the user, the log-ins that are remembered, the events that they organize, and their registrations, cancelled ones too, with what happened to them. Streamed.",
		Answers: []Answer{{Status: http.StatusOK, Description: "The records.", Body: []wire.Export{},
			Headers: []string{"Content-Disposition"}, Example: []wire.Export{{Type: wire.ExportUser, User: &body}}}},
		Problems: []problem.Code{problem.UserNotFound, problem.Overloaded},
	}
}

// ListSessions documents the operation.
func ListSessions() Operation {
	u := exampleUser()
	return Operation{
		ID: "listSessions", Tag: "users", Summary: "List one's log-ins",
		Description: "Those whose tokens still count, the newest first, at most 200.",
		Answers: []Answer{{Status: http.StatusOK, Description: "The log-ins.", Body: []wire.LoginSession{}, Example: []wire.LoginSession{
			{ID: u.ID, Client: "curl/8.5.0", CreatedAt: u.CreatedAt, ExpiresAt: u.CreatedAt.Add(time.Hour), Current: true},
		}}},
		Problems: []problem.Code{problem.UserNotFound, problem.Overloaded},
	}
}

// EndSession documents the operation.
func EndSession() Operation {
	return Operation{
		ID: "endSession", Tag: "users", Summary: "End one log-in",
		Description: "Its tokens end, in every process within 5 s. One that has ended already, or is somebody else's, is 204 too, and nothing is changed.",
		Answers:     []Answer{{Status: http.StatusNoContent, Description: "It has ended."}},
		Problems:    []problem.Code{problem.UserNotFound, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// EndSessions documents the operation.
func EndSessions() Operation {
	return Operation{
		ID: "endSessions", Tag: "users", Summary: "Log out everywhere",
		Description: "All tokens of the person end, this one too, in every process within 5 s.",
		Answers:     []Answer{{Status: http.StatusNoContent, Description: "They have ended."}},
		Problems:    []problem.Code{problem.UserNotFound, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// CreateKey documents the operation.
func CreateKey() Operation {
	body := exampleKey()
	body.Key = "eventio_3N8wq0JmR1cVxkZy7uTfLhGd2PbSaE5oYiW9nQtKMr61zXv4B"
	return Operation{
		ID: "createKey", Tag: "users", Summary: "Make a key for a program",
		Description: "The program sends it as Authorization: Bearer, and acts for its owner as far as its scopes go. It is in this answer and never told again. Needs a log-in within the last 5 minutes; else it is 403 login_too_old. " +
			"A person has at most 20. A key makes no keys. It goes on when the password changes, and ends with its account.",
		Body:    wire.NewAPIKey{},
		Example: wire.NewAPIKey{Name: body.Name, Scopes: body.Scopes},
		Answers: []Answer{{Status: http.StatusCreated, Description: "The new key.", Body: wire.APIKey{}, Headers: []string{"Location"}, Example: body,
			Links: map[string]openapi.Link{"end": {OperationID: "endKey", Parameters: map[string]string{"path.key_id": "$response.body#/id"}}}}},
		Problems: []problem.Code{problem.LoginTooOld, problem.AccountLocked, problem.QuotaExceeded, problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

// ListKeys documents the operation.
func ListKeys() Operation {
	return Operation{
		ID: "listKeys", Tag: "users", Summary: "List one's keys",
		Description: "Those that have not ended, the newest first, without the keys themselves.",
		Answers:     []Answer{{Status: http.StatusOK, Description: "The keys.", Body: []wire.APIKey{}, Example: []wire.APIKey{exampleKey()}}},
		Problems:    []problem.Code{problem.Overloaded},
	}
}

// EndKey documents the operation.
func EndKey() Operation {
	return Operation{
		ID: "endKey", Tag: "users", Summary: "End a key",
		Description: "It ends in every process within 5 s. One that has ended already, or is somebody else's, is 204 too, and nothing is changed.",
		Answers:     []Answer{{Status: http.StatusNoContent, Description: "It has ended."}},
		Problems:    []problem.Code{problem.Overloaded, problem.StorageFull, problem.UnknownOutcome},
	}
}

func exampleKey() wire.APIKey {
	u := exampleUser()
	return wire.APIKey{
		ID: u.ID, Name: "box office", Scopes: []string{"read", "register"}, CreatedAt: u.CreatedAt, ExpiresAt: u.CreatedAt.AddDate(0, 3, 0), LastUsedAt: u.CreatedAt.Add(time.Hour),
	}
}
