package describe

import (
	"reflect"
	"time"

	"github.com/eventio/eventio/api/describe/openapi"
	"github.com/eventio/eventio/api/input"
	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/passwords"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Classes of characters for patterns: the same as unicode.IsSpace and unicode.IsControl.
const (
	blank   = `\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`
	control = `\u0000-\u001f\u007f-\u009f`
	// unseen are the other characters of the basic plane that package text takes nowhere: nobody sees them, or
	// they turn the direction of others. It refuses more that a pattern would be too long for, such as
	// what Unicode does not assign.
	unseen = `\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff`
	// linePattern matches what input.Fields.Line takes: something between blanks, without controls and what nobody sees.
	linePattern = `^[` + blank + `]*[^` + blank + control + unseen + `]([^` + control + unseen + `]*[^` + blank + control + unseen + `])?[` + blank + `]*$`
	// linkPattern matches what a link in a mail has after the #.
	linkPattern = `^[A-Za-z0-9_-]*$`
	// optionalLinePattern matches what input.Fields.OptionalLine takes: a line, or nothing.
	optionalLinePattern = `^$|` + linePattern
	// textPattern matches what input.Fields.Text takes: no controls but tabs and line ends, and nothing that nobody
	// sees. White space at the ends does not count.
	textPattern = `^[` + blank + `]*[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f` + unseen + `]*[` + blank + `]*$`
	// searchPattern matches what input.Fields.Search takes: words, without controls.
	searchPattern = `^[^` + control + `]*[^` + blank + control + `][^` + control + `]*$`
	// passwordPattern matches what passwords.Check takes: not blank, no null bytes.
	passwordPattern = `^[^\u0000]*[^` + blank + `\u0000][^\u0000]*$`
	// newPasswordPattern matches what passwords.Policy takes: nothing that not every keyboard can type again.
	newPasswordPattern = `^[^` + control + unseen + `]*[^` + blank + control + unseen + `][^` + control + unseen + `]*$`
	// idPattern leaves out the id of zeros, with a length of idLength.
	idPattern  = `^[0-9a-fA-F]*[1-9a-fA-F][0-9a-fA-F]*$`
	keyPattern = `^[\u0021-\u007e]([\u0020-\u007e]*[\u0021-\u007e])?$` // HTTP itself strips blanks at the ends
)

// idLength is the length of an id in hexadecimal digits.
const idLength = 2 * len(store.ID{})

// schemas returns what the Go types of bodies cannot say, from the constants that package input
// checks by.
func schemas() openapi.Schemas {
	id := openapi.Named{Name: "ID", Schema: &openapi.Schema{
		Type: "string", Pattern: idPattern, Description: "24 hexadecimal digits, not all zero; upper case is taken and means the same.",
		Examples: []any{"6b056f1db8a8b20890367b25"},
	}}
	id.Schema.Length(idLength, idLength)
	text := func(description, pattern string, least, most int) *openapi.Schema {
		return (&openapi.Schema{Type: "string", Pattern: pattern, Description: description}).Length(least, most)
	}
	instant := func(description string) *openapi.Schema {
		return &openapi.Schema{Type: "string", Format: "date-time", Description: description}
	}
	// orNull is for what may be left out: null says the same, and takes it away in an edit.
	orNull := func(s *openapi.Schema) *openapi.Schema {
		s.Type += "|null"
		return s
	}
	self := func(description string) *openapi.Schema {
		s := *id.Schema
		s.Description = description
		return orNull(&s)
	}
	capacity := (&openapi.Schema{Type: "integer", Format: "int64", Description: "Seats."}).Between(1, input.MaxCapacity)
	zone := orNull(&openapi.Schema{Type: "string", Description: "A name of the IANA time zone database, like Europe/Berlin, or empty for none."})
	email := func() *openapi.Schema {
		s := text("An e-mail address. It is trimmed, its domain is stored in lower case and in letters, whether sent so or in punycode (UTS 46), and what is before the @ composed (RFC 8265, UsernameCasePreserved). All forms of it, in every case, are one address.", "", 3, input.MaxEmail)
		s.Format = "email"
		return s
	}
	password := func(description string) *openapi.Schema {
		return text(description, passwordPattern, 1, passwords.MaxBytes)
	}
	newPassword := func() *openapi.Schema {
		return text("At least 8 characters, and at most 256 bytes of UTF-8, in the normal form of RFC 8265 (OpaqueString), so that it is one password on every keyboard: composed, and every kind of blank as U+0020. "+
			"Nothing is trimmed, and case counts. Control characters, and what else RFC 8264 disallows in passwords, are refused.", newPasswordPattern, passwords.MinLength, passwords.MaxBytes)
	}
	line := func(more string, pattern string, least, most int) *openapi.Schema {
		return text(more+"One line, which is trimmed and stored composed (NFC). Characters that nobody sees or that turn the direction are refused, except where emoji and scripts need them.", pattern, least, most)
	}
	lines := func(more string) *openapi.Schema {
		return orNull(text(more+"May have several lines; is trimmed and stored composed (NFC). Characters that nobody sees or that turn the direction are refused, except where emoji and scripts need them.", textPattern, 0, input.MaxDescription))
	}
	var (
		newUserType, credentialsType = reflect.TypeFor[wire.NewUser](), reflect.TypeFor[wire.Credentials]()
		newEventType, problemType    = reflect.TypeFor[wire.NewEvent](), reflect.TypeFor[problem.Problem]()
		newRegistrationType          = reflect.TypeFor[wire.NewRegistration]()
		passwordChangeType           = reflect.TypeFor[wire.PasswordChange]()
		editType                     = reflect.TypeFor[wire.EventEdit]()
		eventType                    = reflect.TypeFor[wire.Event]()
		userEditType                 = reflect.TypeFor[wire.UserEdit]()
		newWebhookType, hookEditType = reflect.TypeFor[wire.NewWebhook](), reflect.TypeFor[wire.WebhookEdit]()
		resetType, newPasswordType   = reflect.TypeFor[wire.PasswordReset](), reflect.TypeFor[wire.NewPassword]()
		newKeyType                   = reflect.TypeFor[wire.NewAPIKey]()
		proofType, proofTokenType    = reflect.TypeFor[wire.EmailProof](), reflect.TypeFor[wire.ProofToken]()
	)
	return openapi.Schemas{
		Known: map[reflect.Type]openapi.Named{
			reflect.TypeFor[store.ID](): id,
			reflect.TypeFor[time.Time](): {Name: "Time", Schema: &openapi.Schema{
				Type: "string", Format: "date-time", Description: "RFC 3339, in UTC, with milliseconds at most.", Examples: []any{"2027-05-01T18:00:00Z"},
			}},
		},
		Names: map[reflect.Type]string{
			newUserType: "NewUser", credentialsType: "Credentials", newEventType: "NewEvent", newRegistrationType: "NewRegistration",
			reflect.TypeFor[wire.Session](): "Session", reflect.TypeFor[wire.CurrentUser](): "CurrentUser", passwordChangeType: "PasswordChange", editType: "EventEdit", reflect.TypeFor[wire.UserRegistration](): "Holding", reflect.TypeFor[wire.Event](): "Event", reflect.TypeFor[wire.Registration](): "Registration", reflect.TypeFor[wire.Attendee](): "Attendee",
			reflect.TypeFor[wire.Health](): "Status", problemType: "Problem", reflect.TypeFor[problem.FieldError](): "FieldError",
			reflect.TypeFor[anything]():    "OpenAPI",
			reflect.TypeFor[wire.Change](): "Change", reflect.TypeFor[wire.Actor](): "Actor", reflect.TypeFor[wire.NumberRange](): "NumberRange", reflect.TypeFor[wire.Minute](): "Minute",
			reflect.TypeFor[wire.User](): "User", userEditType: "UserEdit", reflect.TypeFor[wire.LoginSession](): "LoginSession",
			newWebhookType: "NewWebhook", hookEditType: "WebhookEdit", reflect.TypeFor[wire.Webhook](): "Webhook", reflect.TypeFor[wire.WebhookCall](): "WebhookCall",
			reflect.TypeFor[wire.WebhookMessage](): "WebhookMessage", reflect.TypeFor[wire.WebhookData](): "WebhookData",
			newKeyType: "NewAPIKey", reflect.TypeFor[wire.APIKey](): "APIKey",
			resetType: "PasswordReset", newPasswordType: "NewPassword", proofType: "EmailProof", proofTokenType: "ProofToken", reflect.TypeFor[wire.MailSettings](): "MailSettings",
			reflect.TypeFor[wire.Export](): "Export", reflect.TypeFor[wire.ExportedUser](): "ExportedUser", reflect.TypeFor[wire.ExportedAttendance](): "ExportedRegistration",
		},
		Closed: []reflect.Type{passwordChangeType, editType, userEditType, hookEditType, newKeyType},
		Fields: map[openapi.Field]*openapi.Schema{
			{Type: newUserType, Name: "name"}:                    line("", linePattern, 1, input.MaxName),
			{Type: newUserType, Name: "email"}:                   email(),
			{Type: newUserType, Name: "password"}:                newPassword(),
			{Type: credentialsType, Name: "email"}:               email(),
			{Type: credentialsType, Name: "password"}:            password("The password of the sign-up, composed or decomposed."),
			{Type: passwordChangeType, Name: "old_password"}:     password("The password until now."),
			{Type: passwordChangeType, Name: "new_password"}:     newPassword(),
			{Type: newEventType, Name: "organizer_id"}:           self("Who it belongs to. With a token it may be left out and is the token's user; without one, in trusted mode, it is required."),
			{Type: newEventType, Name: "title"}:                  line("", linePattern, 1, input.MaxTitle),
			{Type: newEventType, Name: "description"}:            lines("May be left out. "),
			{Type: newEventType, Name: "capacity"}:               capacity,
			{Type: newEventType, Name: "starts_at"}:              instant("RFC 3339, with any offset; kept in milliseconds."),
			{Type: newEventType, Name: "ends_at"}:                instant("After starts_at."),
			{Type: newRegistrationType, Name: "user_id"}:         self("Who is to be registered. With a token it may be left out and is the token's user; without one, in trusted mode, it is required."),
			{Type: newEventType, Name: "place"}:                  orNull(line("May be left out. ", optionalLinePattern, 0, input.MaxPlace)),
			{Type: newEventType, Name: "time_zone"}:              zone,
			{Type: newEventType, Name: "waitlist"}:               {Type: "boolean|null", Description: "Whether a full event takes people onto a waiting list. Default false."},
			{Type: newEventType, Name: "requires_proven_email"}:  {Type: "boolean|null", Description: "Whether only people whose e-mail addresses are proven may register. Default false."},
			{Type: newEventType, Name: "registration_opens_at"}:  orNull(instant("Nobody can register before it. Before ends_at. May be left out.")),
			{Type: newEventType, Name: "registration_closes_at"}: orNull(instant("Nobody can register from then on. May be left out.")),
			{Type: eventType, Name: "state"}:                     stateSchema(),
			{Type: eventType, Name: "registration_state"}:        registrationStateSchema(),
			{Type: editType, Name: "title"}:                      line("", linePattern, 1, input.MaxTitle),
			{Type: editType, Name: "description"}:                lines(""),
			{Type: editType, Name: "place"}:                      orNull(line("", optionalLinePattern, 0, input.MaxPlace)),
			{Type: editType, Name: "time_zone"}:                  zone,
			{Type: editType, Name: "waitlist"}:                   {Type: "boolean|null", Description: "Switched off, the list takes nobody and keeps who is in it."},
			{Type: editType, Name: "requires_proven_email"}:      {Type: "boolean|null", Description: "Switched on, who is registered stays so."},
			{Type: editType, Name: "capacity"}:                   capacity,
			{Type: editType, Name: "starts_at"}:                  instant("RFC 3339, with any offset; kept in milliseconds."),
			{Type: editType, Name: "ends_at"}:                    instant("After starts_at."),
			{Type: editType, Name: "registration_opens_at"}:      orNull(instant("Nobody can register before it. Before ends_at. null takes it away.")),
			{Type: editType, Name: "registration_closes_at"}:     orNull(instant("Nobody can register from then on. null takes it away.")),
			{Type: userEditType, Name: "name"}:                   line("", linePattern, 1, input.MaxName),
			{Type: userEditType, Name: "email"}:                  email(),
			{Type: newWebhookType, Name: "url"}:                  text("Where to call: https, a public address, no user, no fragment.", "", 1, MaxWebhookURL),
			{Type: newWebhookType, Name: "owner_id"}:             self("Whose events it is told of. With a token it may be left out and is the token's user; without one, in trusted mode, it is required."),
			{Type: newWebhookType, Name: "all_events"}:           {Type: "boolean|null", Description: "Everybody's events; only for operators. Default false."},
			{Type: hookEditType, Name: "url"}:                    text("Where to call: https, a public address, no user, no fragment.", "", 1, MaxWebhookURL),
			{Type: hookEditType, Name: "active"}:                 {Type: "boolean", Description: "Whether it is called."},
			{Type: newKeyType, Name: "name"}:                     line("What the program is called. ", linePattern, 1, input.MaxName),
			{Type: newKeyType, Name: "scopes"}:                   {Type: "array", Items: &openapi.Schema{Type: "string", Enum: []string{"read", "register", "organize"}}, Description: "What it may do: read what is the owner's and their events' (read), change registrations as its owner may (register), make and change events and webhooks (organize). At least one."},
			{Type: newKeyType, Name: "expires_at"}:               orNull(instant("When it ends: in the future, within 2 years. By default after 90 days.")),
			{Type: resetType, Name: "email"}:                     email(),
			{Type: newPasswordType, Name: "token"}:               text("What follows the # in the link.", linkPattern, 43, 43),
			{Type: newPasswordType, Name: "password"}:            newPassword(),
			{Type: proofType, Name: "email"}:                     email(),
			{Type: proofTokenType, Name: "token"}:                text("What follows the # in the link.", linkPattern, 43, 43),
			{Type: problemType, Name: "code"}:                    {Type: "string", Description: "Says what went wrong, for programs. Expect new ones."},
			{Type: problemType, Name: "status"}:                  {Type: "integer", Description: "The status of the answer."},
		},
	}
}

func idSchema(schemas *openapi.Schemas) *openapi.Schema {
	return schemas.Of(reflect.TypeFor[store.ID]())
}

func requestIDSchema() *openapi.Schema {
	return (&openapi.Schema{Type: "string", Pattern: `^[A-Za-z0-9._\-]+$`}).Length(1, messages.MaxTraceID)
}

// anything is a JSON object that is not described further.
type anything struct{}

// Parameters that several operations share.

func keyParameter(description string) openapi.Parameter {
	return openapi.Parameter{
		Name: wire.HeaderIdempotencyKey, In: "header", Description: description,
		Schema: (&openapi.Schema{Type: "string", Pattern: keyPattern}).Length(1, messages.MaxRequestID),
	}
}

func admissionParameter() openapi.Parameter {
	return openapi.Parameter{
		Name: "Eventio-Admission", In: "header", Description: "The admission of a gateway that stands before the queue, where the operator has one: 403 not_admitted without.",
		Schema: &openapi.Schema{Type: "string"},
	}
}

func preferParameter() openapi.Parameter {
	return openapi.Parameter{
		Name: "Prefer", In: "header", Description: "handling=strict refuses fields of the body that would be ignored (RFC 7240).",
		Schema: &openapi.Schema{Type: "string", Examples: []any{"handling=strict"}},
	}
}

func tagParameter() openapi.Parameter {
	return openapi.Parameter{
		Name: "If-None-Match", In: "header", Description: "ETags that the client has; 304 when one still holds. What a gateway that compresses adds to one, such as -gzip, does not count.",
		Schema: &openapi.Schema{Type: "string"},
	}
}

func pageParameters() []openapi.Parameter {
	return []openapi.Parameter{
		{Name: "limit", In: "query", Description: "Asks for a page of that many items. Without it the whole list is streamed.",
			Schema: (&openapi.Schema{Type: "integer"}).Between(1, input.MaxPage)},
		{Name: "cursor", In: "query", Description: "Where the page begins: from the Link of another page of this list, with the same filters.",
			Schema: &openapi.Schema{Type: "string"}},
	}
}

func statusParameter() openapi.Parameter {
	return openapi.Parameter{
		Name: "status", In: "query", Description: "Which list: the confirmed registrations, or the waiting list.",
		Schema: &openapi.Schema{Type: "string", Enum: []string{string(wire.Confirmed), string(wire.Waitlisted)}, Default: string(wire.Confirmed)},
	}
}

func whenParameter() openapi.Parameter {
	return openapi.Parameter{
		Name: "when", In: "query", Description: "Only those of events that have not ended yet, or only of those that have.",
		Schema: &openapi.Schema{Type: "string", Enum: []string{string(wire.Upcoming), string(wire.Past)}},
	}
}

func matchParameter() openapi.Parameter {
	return openapi.Parameter{
		Name: "If-Match", In: "header", Required: true,
		Description: "The ETag of the event that was read, a list of ETags of which one must hold, or *. The version counts: the edit fails when another one came between, and not when seats were taken.",
		Schema:      &openapi.Schema{Type: "string"},
	}
}

func registrationMatchParameter() openapi.Parameter {
	return openapi.Parameter{
		Name: "If-Match", In: "header",
		Description: "The ETag of the registration that is meant, a list of ETags of which one must be its own, or * for whichever there is. Only the number counts: it stays the same when the registration moves up from the waiting list. " +
			"412 when the user has another registration, or never had this one; 204 when this one is cancelled already.",
		Schema: &openapi.Schema{Type: "string"},
	}
}

func eventParameters() []openapi.Parameter {
	instant := &openapi.Schema{Type: "string", Format: "date-time"}
	return append(pageParameters(),
		openapi.Parameter{Name: "from", In: "query", Description: "Only events that start at this time or later.", Schema: instant},
		openapi.Parameter{Name: "to", In: "query", Description: "Only events that start before this time.", Schema: instant},
		openapi.Parameter{Name: "ends_after", In: "query", Description: "Only events that end after this time. No index has that, so a page may be short, and have a next one.", Schema: instant},
		openapi.Parameter{Name: "q", In: "query",
			Description: "Only events that have each of these words at the beginning of a word of their title, place or description. Case, accents and the form in which they are typed do not count, nor does what is neither letter nor digit. At most 10 words.",
			Schema:      (&openapi.Schema{Type: "string", Pattern: searchPattern}).Length(1, input.MaxSearch)},
		openapi.Parameter{Name: "organizer_id", In: "query", Description: "Only events of this organizer.",
			Schema: (&openapi.Schema{Type: "string", Pattern: idPattern}).Length(idLength, idLength)},
		openapi.Parameter{Name: "available", In: "query", Description: "true: only events for which one can register now, so that registration_state is open.", Schema: &openapi.Schema{Type: "boolean"}},
		openapi.Parameter{Name: "sort", In: "query", Description: "The order; events of equal start are ordered by id.",
			Schema: &openapi.Schema{Type: "string", Enum: []string{wire.SortEarliest, wire.SortLatest}, Default: wire.SortEarliest}},
	)
}
