// Package security writes the messages about what matters to the security of an Event.io: who logged
// in, who was refused, what was ended, removed or erased, and by whom. It is the only place that
// writes them. Each has a stable name in the field security_event, for whoever feeds them to a SIEM;
// docs/security.md has the table of the names, and a test compares it with the one here.
//
// # Guarantees
//
//   - They are written whatever --log-level says.
//   - They have ids and an address, and no other personal data: no name, no e-mail address, no
//     password, no token.
//   - A name is never changed, and never used again for something else. New ones may come, and new
//     fields.
//
// A message is written when what it tells is stored, or refused. That of a change whose outcome is
// unknown is missing, and the line of the request says unknown_outcome.
package security

import (
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/pkg/store"
)

// Field is the name of the field by which these messages are found.
const Field = "security_event"

// Event is the name of what happened, for programs.
type Event string

// The events.
const (
	AccountCreated      Event = "account_created"
	LoginSucceeded      Event = "login_succeeded"
	LoginFailed         Event = "login_failed"
	LoginRefused        Event = "login_refused"
	LoggedOut           Event = "logged_out"
	SessionsEnded       Event = "sessions_ended"
	TokenRefused        Event = "token_refused"
	TokenIssued         Event = "token_issued"
	AccessDenied        Event = "access_denied"
	RateLimited         Event = "rate_limited"
	PasswordChanged     Event = "password_changed"
	EmailChanged        Event = "email_changed"
	AccountLocked       Event = "account_locked"
	AccountUnlocked     Event = "account_unlocked"
	AccountExported     Event = "account_exported"
	AccountErased       Event = "account_erased"
	RegistrationRemoved Event = "registration_removed"
	EventCancelled      Event = "event_cancelled"
	EventDeleted        Event = "event_deleted"
	EmailProven         Event = "email_proven"
	EmailFreed          Event = "email_freed"
	PasswordResetAsked  Event = "password_reset_asked"
	EmailProofAsked     Event = "email_proof_asked"
	QuotaUsedUp         Event = "quota_used_up"
	WebhookChanged      Event = "webhook_changed"
	KeyCreated          Event = "key_created"
	KeyEnded            Event = "key_ended"
	IdentityLinked      Event = "identity_linked"
	IdentityUnlinked    Event = "identity_unlinked"
	PasswordGuessing    Event = "password_guessing"
)

// Kind is an event with what is said of it.
type Kind struct {
	Event Event
	// Warns tells that somebody may have to look: the level is warn, and else info.
	Warns bool
	// Meaning is a sentence, for the log and for docs/security.md.
	Meaning string
	// Fields are those that its messages have beside those of all: actor_id, actor_kind, actor_proof, token_id,
	// client_address, request_id and trace_id, each where it is known.
	Fields []string
}

// kinds has a row for each event. Nothing changes it.
var kinds = []Kind{
	{AccountCreated, false, "somebody signed up", []string{"user_id"}},
	{LoginSucceeded, false, "somebody logged in", []string{"user_id"}},
	{LoginFailed, true, "a log-in, or a change of a password, was refused: a wrong password (user_id says whose), or an address that nobody has", []string{"reason"}},
	{LoginRefused, true, "the right password of an account that is locked", []string{"user_id"}},
	{LoggedOut, false, "somebody logged out, which ended their token", []string{"user_id"}},
	{SessionsEnded, false, "log-ins of an account were ended: one from the list (session_id), or all of them", []string{"user_id"}},
	{TokenRefused, true, "a token was sent that is not believed: expired, ended before its time, invalid, or one of several", []string{"route", "reason"}},
	{TokenIssued, true, "an operator made a token that speaks for a user, or many for made-up users", []string{"count"}},
	{AccessDenied, true, "a request was refused with 403; the reason is the code of the problem", []string{"route", "reason"}},
	{RateLimited, true, "a request was refused with 429; the reason is the code of the problem", []string{"route", "reason"}},
	{PasswordChanged, false, "a password was changed, which ended all log-ins of the account; with the reason reset by a link that was mailed", []string{"user_id"}},
	{EmailChanged, false, "the e-mail address of an account was changed", []string{"user_id"}},
	{AccountLocked, true, "an operator locked an account", []string{"user_id"}},
	{AccountUnlocked, true, "an operator unlocked an account", []string{"user_id"}},
	{AccountExported, false, "all data of an account was handed out", []string{"user_id"}},
	{AccountErased, true, "an account was erased", []string{"user_id"}},
	{RegistrationRemoved, false, "an organizer removed the registration of somebody else", []string{"event_id", "user_id"}},
	{EventCancelled, false, "an event was cancelled, also because its organizer's account was erased", []string{"event_id"}},
	{EventDeleted, true, "an operator deleted an event with its registrations; user_id was its organizer", []string{"event_id", "user_id"}},
	{EmailProven, false, "the e-mail address of an account was noted as proven", []string{"user_id"}},
	{EmailFreed, true, "an address that was not proven was taken from an account, whose log-ins ended", []string{"user_id"}},
	{PasswordResetAsked, false, "somebody asked for a link to set a new password; whose is not looked up", nil},
	{EmailProofAsked, false, "somebody asked for a link to prove an address", []string{"user_id"}},
	{IdentityLinked, true, "an operator had whom an issuer or a gateway names count as this user", []string{"user_id"}},
	{IdentityUnlinked, true, "an operator had whom an issuer or a gateway names count as a person of their own again", []string{"user_id"}},
	{PasswordGuessing, true, "somebody guesses the password of an account, from however many addresses; it is slowed down, and told once; count is how many were wrong", []string{"user_id", "count"}},
	{QuotaUsedUp, true, "a quota of a person or a network is used up for the day; the reason is its kind; once a day and process", []string{"reason"}},
	{WebhookChanged, false, "a webhook was created, edited or deleted, or has a new secret; the reason says which; user_id is its owner", []string{"user_id", "reason"}},
	{KeyCreated, true, "a key for a program was made, which acts for its owner (user_id)", []string{"user_id", "key_id"}},
	{KeyEnded, false, "a key for a program was ended", []string{"user_id", "key_id"}},
}

// Kinds returns what is said of each event, in the order of the documentation.
func Kinds() []Kind { return append([]Kind(nil), kinds...) }

// Actor says who did something.
type Actor struct {
	// ID is the person whom a token proved; zero: nobody was proven.
	ID store.ID
	// Kind is the role in which they acted: person, organizer or operator. Empty: nobody was proven.
	Kind string
	// Proof says how they were proven; empty: nobody was, or it is a command.
	Proof string
	// TokenID is the id of that token; zero: it has none.
	TokenID store.ID
	// KeyID is the id of the API key by which they were proven; zero: it was another proof.
	KeyID store.ID
	// Address is what rate limits count by; empty: none, as for a command.
	Address string
	// RequestID is that of the request's line in the log.
	RequestID string
	// TraceID is that of the trace to which the request belongs; empty: it is not traced.
	TraceID string
}

// Operator is who runs a command: whoever may use the database.
func Operator() Actor { return Actor{Kind: "operator"} }

// About says what something was done to. The zero value of a field is left out.
type About struct {
	User  store.ID
	Event store.ID
	// Session is the id of the token that was ended or made.
	Session store.ID
	// Route is the method and the pattern of a path.
	Route string
	// Key is the id of an API key that was made or ended.
	Key store.ID
	// Reason is a word of a closed set, or the code of a problem.
	Reason string
	Count  int
}

// Log writes the message that an event happened. It panics on an event that has no row in the table.
func Log(log zerolog.Logger, event Event, by Actor, about About) {
	k := kindOf(event)
	level := zerolog.InfoLevel
	if k.Warns {
		level = zerolog.WarnLevel
	}
	line := log.Log().Str(zerolog.LevelFieldName, level.String()).Str(Field, string(event)).EmbedObject(by).EmbedObject(about)
	line.Msg("security: " + k.Meaning)
}

func kindOf(event Event) Kind {
	for _, k := range kinds {
		if k.Event == event {
			return k
		}
	}
	panic("security: no row for the event " + string(event))
}

// MarshalZerologObject writes what is known into a line of a log.
func (a Actor) MarshalZerologObject(e *zerolog.Event) {
	id(e, "actor_id", a.ID)
	text(e, "actor_kind", a.Kind)
	text(e, "actor_proof", a.Proof)
	id(e, "token_id", a.TokenID)
	id(e, "key_id", a.KeyID)
	text(e, "client_address", a.Address)
	text(e, "request_id", a.RequestID)
	text(e, "trace_id", a.TraceID)
}

// MarshalZerologObject writes what is there into a line of a log.
func (a About) MarshalZerologObject(e *zerolog.Event) {
	id(e, "event_id", a.Event)
	id(e, "user_id", a.User)
	id(e, "session_id", a.Session)
	id(e, "key_id", a.Key)
	text(e, "route", a.Route)
	text(e, "reason", a.Reason)
	if a.Count != 0 {
		e.Int("count", a.Count)
	}
}

func id(e *zerolog.Event, name string, id store.ID) {
	if !id.IsZero() {
		e.Str(name, id.Hex())
	}
}

func text(e *zerolog.Event, name, text string) {
	if text != "" {
		e.Str(name, text)
	}
}
