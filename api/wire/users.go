package wire

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/eventio/eventio/pkg/store"
)

// NewUser is the body of a sign-up.
type NewUser struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Password string `json:"password"` // at least 8 characters, at most 256 bytes
}

// Credentials is the body of a log-in.
type Credentials struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

// PasswordChange is the body that changes a password.
type PasswordChange struct {
	OldPassword string `json:"old_password"`
	NewPassword string `json:"new_password"`
}

// Session is the answer to who has signed up or logged in: the user and a token.
type Session struct {
	ID             store.ID  `json:"id"`
	Name           string    `json:"name"`
	Email          string    `json:"email"`
	CreatedAt      time.Time `json:"created_at"`
	Token          string    `json:"token"`
	TokenExpiresAt time.Time `json:"token_expires_at"`
}

// CurrentUser tells whom a token speaks for. It never has the token: a script that can read it
// could take it elsewhere.
type CurrentUser struct {
	ID        store.ID  `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
	// EmailProvenAt is when the person has proven that the address is theirs.
	EmailProvenAt time.Time `json:"email_proven_at,omitzero"`
	// ExpiresAt is when the session ends unless it is renewed. It is only told where there is a
	// cookie.
	ExpiresAt time.Time `json:"session_expires_at,omitzero"`
}

// User is what a person is told of their own account.
type User struct {
	ID    store.ID `json:"id"`
	Name  string   `json:"name"`
	Email string   `json:"email"`
	// EmailProvenAt is when the person has proven that the address is theirs.
	EmailProvenAt time.Time `json:"email_proven_at,omitzero"`
	CreatedAt     time.Time `json:"created_at"`
}

// UserOf makes the body of a user.
func UserOf(u store.User) User {
	return User{ID: u.ID, Name: u.Name, Email: u.Email, EmailProvenAt: u.EmailProvenAt, CreatedAt: u.CreatedAt}
}

// UserEdit is the body of an edit of a user: a JSON Merge Patch (RFC 7396). What is left out stays
// as it is.
type UserEdit struct {
	Name  Optional[string] `json:"name,omitzero"`
	Email Optional[string] `json:"email,omitzero"`
}

// UserPatch is the body of an edit as it is read: what it changes, and all that it has beside that,
// which may be the rest of a user that was read.
type UserPatch struct {
	UserEdit
	Others jsontext.Value `json:",embed"`
}

// LoginSession is a log-in of a person, whose tokens can be ended.
type LoginSession struct {
	ID        store.ID  `json:"id"`
	Client    string    `json:"client"` // the User-Agent of the log-in, shortened
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Current   bool      `json:"current"` // the one that the request was sent with
	// EndedAt is when it was ended before its time. Exports tell of such log-ins, lists have none.
	EndedAt time.Time `json:"ended_at,omitzero"`
}

// Export is one record of what is stored of a person: Type says which of the others there is.
type Export struct {
	Type         ExportType          `json:"type"`
	User         *ExportedUser       `json:"user,omitzero"`
	Session      *LoginSession       `json:"session,omitzero"`
	Event        *Event              `json:"event,omitzero"` // that the person organizes
	Registration *ExportedAttendance `json:"registration,omitzero"`
	Webhook      *Webhook            `json:"webhook,omitzero"`
	APIKey       *APIKey             `json:"api_key,omitzero"`
}

// ExportedUser is the account of a person with everything that is stored of it, but the hash of the
// password.
type ExportedUser struct {
	ID        store.ID  `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
	// TokensEndedAt is when all tokens were last ended: by a new password, or by a log-out
	// everywhere.
	TokensEndedAt time.Time `json:"tokens_ended_at,omitzero"`
	// EmailProvenAt is when the person has proven that the address is theirs.
	EmailProvenAt time.Time `json:"email_proven_at,omitzero"`
	// MailLanguage is the language of mails to the person, and EventMailOffAt when they switched those
	// about events off.
	MailLanguage   string    `json:"mail_language,omitzero"`
	EventMailOffAt time.Time `json:"event_mail_off_at,omitzero"`
	// LockedAt is when an operator locked the account.
	LockedAt time.Time `json:"locked_at,omitzero"`
	// Linked are the ids of whom other issuers or a gateway have proven and who count as this person.
	Linked []store.ID `json:"linked,omitzero"`
}

// ExportType says what a record of an export is about.
type ExportType string

// The types of records, in the order of an export.
const (
	ExportUser         ExportType = "user"
	ExportSession      ExportType = "session"
	ExportEvent        ExportType = "event"
	ExportRegistration ExportType = "registration"
	ExportWebhook      ExportType = "webhook"
	ExportAPIKey       ExportType = "api_key"
)

// ExportedAttendance is a registration of a person with everything that is stored about it.
type ExportedAttendance struct {
	EventID      store.ID  `json:"event_id"`
	EventTitle   string    `json:"event_title"`
	RegisteredAt time.Time `json:"registered_at"`
	Number       int64     `json:"number"`
	Status       Status    `json:"status"`
	CancelledAt  time.Time `json:"cancelled_at,omitzero"`
	// RequestIDs are the idempotency keys of the person's requests that are remembered.
	RequestIDs []string `json:"request_ids"`
	// Changes is what the record of changes tells of the registration.
	Changes []Change `json:"changes,omitzero"`
}
