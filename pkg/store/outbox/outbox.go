// Package outbox defines how a store keeps the mails that are to be sent, the tokens of the links in
// them, and what people want of mail. Both adapters implement Outbox and pass the suite in outboxtest.
//
// A mail is stored before it is sent, so it does not matter which process dies when: an API process
// that was asked for one, or a notifier that read of a change. A mail has a key that is made from what it
// tells. Who stores the same one again changes nothing, also when it was sent long ago.
//
// No token is stored, only its SHA-256 digest: a notifier makes the token when it sends the mail.
package outbox

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Kind says what a mail tells.
type Kind string

// The kinds of mails. They are stored: never rename, never reuse.
const (
	Registered     Kind = "registered"      // the person has a seat
	Waiting        Kind = "waiting"         // the person is on the waiting list
	Promoted       Kind = "promoted"        // the person has moved up from the waiting list
	Cancelled      Kind = "cancelled"       // the person's registration was cancelled
	LeftLine       Kind = "left_line"       // the same, of one who waited
	EventChanged   Kind = "event_changed"   // the organizer has changed what matters to those who come
	EventCancelled Kind = "event_cancelled" // the organizer has cancelled the event
	PasswordReset  Kind = "password_reset"  // the link that sets a new password
	EmailProof     Kind = "email_proof"     // the link that proves an address
)

// Asked reports whether somebody has asked for the mail itself. Such mails are always sent; what is
// told of events can be switched off.
func (k Kind) Asked() bool { return k == PasswordReset || k == EmailProof }

// Mail is one mail to one person.
type Mail struct {
	// Key names the mail for good, in at most 200 letters, digits, hyphens and underscores.
	Key  string
	Kind Kind
	// UserID is who gets it. It is zero for PasswordReset, which goes to whoever has the Address
	// when it is sent.
	UserID store.ID
	// Address is where PasswordReset and EmailProof go; "": to the address that the user has when the
	// mail is sent. It is removed when the mail is done.
	Address string
	// Language is that in which somebody asked for the mail: en or de; "": the one that is known of the user.
	Language string
	// EventID, Revision and Number are those of the change that the mail tells.
	EventID          store.ID
	Revision, Number int64
	CreatedAt        time.Time
	// ExpiresAt is when the mail is no longer worth sending.
	ExpiresAt time.Time
	// DueAt is when it may be sent next.
	DueAt time.Time
	// Attempt counts the claims of the mail, from 1. Only the latest one counts.
	Attempt int64
}

// Ahead is how much earlier than others a mail is made due for which somebody waits: it is claimed before
// those about events, however many there are.
const Ahead = 7 * 24 * time.Hour

// Token is what a link in a mail allows, once.
type Token struct {
	Hash    [sha256.Size]byte
	Kind    Kind // PasswordReset or EmailProof
	UserID  store.ID
	Address string // that was proven by whoever has the token
	// PasswordVersion is the user's when the token was made. A token of an earlier version counts
	// no more.
	PasswordVersion int64
	ExpiresAt       time.Time
}

// NewToken returns a text that nobody can guess, for a link.
func NewToken() string {
	var random [32]byte
	rand.Read(random[:])
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// Hash returns the digest under which a token is stored. The token is random, so a fast one is enough.
func Hash(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// Settings are what a person wants of mail.
type Settings struct {
	UserID store.ID
	// Token is in the links that switch mails about events off. It allows nothing else, and so it is
	// stored as it is: links in old mails must go on working.
	Token    string
	Language string    // en or de; "": not known
	OffAt    time.Time // when mails about events were switched off; zero: they are on
}

// Errors of an Outbox.
var (
	// ErrNoToken says that there is no such token: it was used, has expired, or never was.
	ErrNoToken = errors.New("no such token")
	// ErrClaimLost says that a mail was claimed anew since.
	ErrClaimLost = errors.New("another process has claimed the mail")
)

// Outbox keeps mails. Its writes are durable when they return, and may be repeated. It is safe for
// concurrent use from any number of processes. Errors of every method, beside those that it names:
// store.ErrUnavailable, store.ErrStorageFull, and store.ErrNothingStored for a fault that does not
// pass.
type Outbox interface {
	// AddMails stores mails of which none with the same key is stored. After an error some of them may be.
	AddMails(ctx context.Context, mails []Mail) error
	// ClaimMails returns at most limit mails that are due at now, the one that is due longest first,
	// and makes them due again at until: nobody else gets them before that. The clocks of processes must
	// differ by less than a claim lasts beyond the time that sending takes.
	ClaimMails(ctx context.Context, now, until time.Time, limit int) ([]Mail, error)
	// FinishMail notes that a claimed mail needs nothing more, and removes its address. The rest stays
	// until the given time, so that it is not stored anew. Errors: ErrClaimLost.
	FinishMail(ctx context.Context, m Mail, until time.Time) error
	// PutOffMail makes a claimed mail due at its DueAt. Errors: ErrClaimLost.
	PutOffMail(ctx context.Context, m Mail) error
	// ForgetMails removes finished mails and tokens whose time has come, and returns how many, or 0
	// when the database does that by itself.
	ForgetMails(ctx context.Context, now time.Time) (int, error)

	// AddToken stores a token.
	AddToken(ctx context.Context, t Token) error
	// Token reads a token that has not expired at now. Errors: ErrNoToken.
	Token(ctx context.Context, hash [sha256.Size]byte, now time.Time) (Token, error)
	// DropTokens removes all tokens of a kind that a user has.
	DropTokens(ctx context.Context, userID store.ID, kind Kind) error

	// MailSettings reads what the user of fresh wants. Where nothing is stored yet, it stores and returns
	// fresh; when that has no Token it only reads. Errors: ErrNoToken, for nothing.
	MailSettings(ctx context.Context, fresh Settings) (Settings, error)
	// MailSettingsOf reads the settings with a token. Errors: ErrNoToken.
	MailSettingsOf(ctx context.Context, token string) (Settings, error)
	// SetMailSettings stores the Language and OffAt of a user whose settings are stored.
	SetMailSettings(ctx context.Context, s Settings) error
}
