package store

import (
	"context"
	"iter"
	"time"
)

// Session is one log-in of a user: the tokens that carry its id end with it.
type Session struct {
	ID     ID
	UserID ID
	// PasswordVersion is that of the user at the log-in. A session with an earlier version than the
	// user's has ended.
	PasswordVersion int64
	// Client is what the client's software called itself, shortened, for the person to recognize
	// the session by; "": it said nothing.
	Client    string
	CreatedAt time.Time
	// ExpiresAt is when the last token of the session ends by itself.
	ExpiresAt time.Time
	// EndedAt is when the session was ended before its time, by the store's clock; zero: it was not.
	EndedAt time.Time
}

// EndedSession says that a session was ended before its time.
type EndedSession struct {
	ID ID
	// EndedAt is the store's time, and not that of the process that ended the session: it says from
	// where to read on.
	EndedAt time.Time
	// ExpiresAt is when the session may be forgotten, because its tokens have expired.
	ExpiresAt time.Time
}

const (
	// MaxSessions bounds how many sessions of a user are listed.
	MaxSessions = 200
	// SessionKept is how long a session is kept after it has expired: longer than the clocks of
	// processes are apart.
	SessionKept = time.Hour
)

// Sessions keeps the log-ins. Whether a token is believed does not need it on the way of a request:
// processes read EndedSessions now and then. Errors of every method, beside those that it names:
// ErrUnavailable, and ErrNothingStored for a fault that does not pass.
type Sessions interface {
	// CreateSession stores a session. It may be repeated.
	CreateSession(ctx context.Context, s Session) error
	// UserSessions reads the sessions of a user that were not ended and that expire after now, the
	// newest first, at most MaxSessions. It does not compare the PasswordVersion.
	UserSessions(ctx context.Context, userID ID, now time.Time) ([]Session, error)
	// SessionHistory reads all sessions of a user that are stored, also those that were ended or have
	// expired, the newest first. It yields an error at most once, as the last element.
	SessionHistory(ctx context.Context, userID ID) iter.Seq2[Session, error]
	// ExtendSession moves the ExpiresAt of a session to that of s, if that is later. One that is not
	// stored is stored. It reports whether the session goes on: one that was ended stays as it is.
	ExtendSession(ctx context.Context, s Session) (alive bool, err error)
	// EndSession ends the session with the ID of s if it is of the UserID of s, and moves its
	// ExpiresAt to that of s, if that is later. One that is not stored is stored as ended when s has
	// an ExpiresAt. It may be repeated.
	EndSession(ctx context.Context, s Session) error
	// EndedSessions reads the sessions that were ended at or after since, by the clock of the
	// store. It sees every end that was acknowledged before the call. It yields an error at most
	// once, as the last element.
	EndedSessions(ctx context.Context, since time.Time) iter.Seq2[EndedSession, error]
}

// ErasedVersion is the PasswordVersion in the Revocation of a user who was erased: no token has it.
const ErasedVersion = 1<<63 - 1

// Accounts changes and erases users, beside what Users does. Its writes are durable when they
// return, and may be repeated. Errors of every method, beside those that it names: ErrUserNotFound,
// ErrUnavailable, and ErrNothingStored for a fault that does not pass.
type Accounts interface {
	// EndTokens ends all tokens of a user: it increments the PasswordVersion and sets the
	// PasswordChangedAt to at. It returns the user as stored.
	EndTokens(ctx context.Context, id ID, at time.Time) (User, error)
	// LockUser does what EndTokens does, ends the API keys of the user, and sets LockedAt to at. A locked user stays as they are.
	LockUser(ctx context.Context, id ID, at time.Time) (User, error)
	// UnlockUser sets LockedAt to the zero time.
	UnlockUser(ctx context.Context, id ID) (User, error)
	// EditUser stores the Name and Email of u, and nothing else of it. Another address than before is
	// not proven. Errors: ErrEmailTaken.
	EditUser(ctx context.Context, u User) error
	// EraseUser forgets a person: it removes the user and their sessions, ends their API keys and forgets what these were called, remembers the id as
	// erased at the given time, and takes the request ids from their registrations and from the
	// record of changes (changes.Forget). Registrations that are not cancelled stay, under the id that means nobody any more, so that counts and
	// numbers stay true; cancelled ones are removed. The caller has cancelled what is to come. A process whose user of
	// the database may not change registrations leaves all of that about them to Retention.ForgetErased.
	// Erasing somebody who is erased, or an id that was nobody's, is no error.
	EraseUser(ctx context.Context, id ID, at time.Time) error
	// ErasedAt returns when a user was erased; the zero time: never.
	ErasedAt(ctx context.Context, id ID) (time.Time, error)
}

// ErasedRequest takes the place of the RequestID in registrations of a user who was erased.
const ErasedRequest = "erased"

// Retention forgets what is not needed any more.
type Retention interface {
	// ForgetCancelled removes registrations that were cancelled before the given time, at most
	// limit of them, and returns how many; their request ids go from the record of changes too. What
	// was asked under these is new after that. No other registration, number or counter changes. Cancelled registrations whose time
	// is not known, because an older version has written them, count as cancelled now.
	ForgetCancelled(ctx context.Context, before time.Time, limit int) (int, error)
	// ForgetErased scrubs the registrations of users, at most limit of them, whom a process has erased that may
	// not change registrations, and returns of how many. See Accounts.EraseUser. No counter changes.
	ForgetErased(ctx context.Context, limit int) (int, error)
	// ForgetKeys removes idempotency keys, sessions, API keys and counts of refusals that have expired, and returns how many, or
	// 0 when the database does that by itself.
	ForgetKeys(ctx context.Context) (int, error)
}
