package problem

import (
	"iter"
	"net/http"
)

// Code says what went wrong, for programs. A code is never renamed, and never used again for
// something else.
type Code string

// The codes of problem documents.
const (
	Invalid               Code = "invalid"
	AlreadyRegistered     Code = "already_registered"
	AlreadyWaitlisted     Code = "already_waitlisted"
	Unauthenticated       Code = "unauthenticated"
	Forbidden             Code = "forbidden"
	EmailUnproven         Code = "email_unproven"
	NotAdmitted           Code = "not_admitted"
	LoginTooOld           Code = "login_too_old"
	AccountLocked         Code = "account_locked"
	NotFound              Code = "not_found"
	EventNotFound         Code = "event_not_found"
	RegistrationNotFound  Code = "registration_not_found"
	UserNotFound          Code = "user_not_found"
	WebhookNotFound       Code = "webhook_not_found"
	WebhookOff            Code = "webhook_off"
	NoMail                Code = "no_mail"
	LinkInvalid           Code = "link_invalid"
	MethodNotAllowed      Code = "method_not_allowed"
	EmailTaken            Code = "email_taken"
	SoldOut               Code = "sold_out"
	RegistrationNotOpen   Code = "registration_not_open"
	RegistrationClosed    Code = "registration_closed"
	RegistrationCancelled Code = "registration_cancelled"
	EventCancelled        Code = "event_cancelled"
	CapacityBelowSold     Code = "capacity_below_sold"
	VersionMismatch       Code = "version_mismatch"
	RegistrationChanged   Code = "registration_changed"
	PreconditionRequired  Code = "precondition_required"
	RequestInProgress     Code = "request_in_progress"
	KeyReused             Code = "idempotency_key_reused"
	TooLarge              Code = "too_large"
	UnsupportedMediaType  Code = "unsupported_media_type"
	RateLimited           Code = "rate_limited"
	QuotaExceeded         Code = "quota_exceeded"
	Internal              Code = "internal"
	Overloaded            Code = "overloaded"
	StorageFull           Code = "storage_full"
	UnknownOutcome        Code = "unknown_outcome"
)

// Headers that problems carry beside their documents.
const (
	HeaderRetryAfter = "Retry-After"
	HeaderChallenge  = "WWW-Authenticate"
)

// meaning is what a code tells a client.
type meaning struct {
	code   Code
	status int
	title  string
	detail string // what the client can do, where nobody knows anything more exact
	header string // the one that the answer carries; empty: none
}

// meanings has a row for every code, in the order of their statuses. Nothing changes it.
var meanings = []meaning{
	{Invalid, http.StatusBadRequest, "The request is not valid",
		"Fix the fields listed in errors and send the request again.", ""},
	{AlreadyRegistered, http.StatusBadRequest, "Already registered for this event",
		"This user is already registered for this event; nothing was changed.", ""},
	{AlreadyWaitlisted, http.StatusBadRequest, "Already on the waiting list of this event",
		"This user is already on the waiting list; nothing was changed.", ""},
	{Unauthenticated, http.StatusUnauthorized, "Authentication required",
		"Log in at POST /api/login and send the token in the header Authorization: Bearer.", HeaderChallenge},
	{Forbidden, http.StatusForbidden, "Permission denied",
		"The caller may not do this; nothing was changed.", ""},
	{EmailUnproven, http.StatusForbidden, "The event asks for a proven e-mail address",
		"Prove that the e-mail address of the account is yours, and register then; nothing was changed.", ""},
	{NotAdmitted, http.StatusForbidden, "No admission",
		"Registrations need an admission of this site, in the header Eventio-Admission; get a new one where this event is announced.", ""},
	{LoginTooOld, http.StatusForbidden, "The log-in is too old for this",
		"Nothing was changed. Log in again at POST /api/login, and repeat the request with the new token within 5 minutes.", ""},
	{AccountLocked, http.StatusForbidden, "The account is locked",
		"The operator has locked this account, and can unlock it.", ""},
	{NotFound, http.StatusNotFound, "No such path",
		"GET /docs lists the paths of the API.", ""},
	{EventNotFound, http.StatusNotFound, "Event not found",
		"No event has this id; GET /api/events lists them.", ""},
	{RegistrationNotFound, http.StatusNotFound, "Registration not found",
		"This user is not registered for the event; PUT to this path registers them.", ""},
	{UserNotFound, http.StatusNotFound, "User not found",
		"No user has this id.", ""},
	{WebhookNotFound, http.StatusNotFound, "Webhook not found",
		"No webhook has this id; GET /api/webhooks lists them.", ""},
	{NoMail, http.StatusNotFound, "This service sends no mail",
		"Ask whoever runs it: they can set a new password, or note that an address is proven.", ""},
	{MethodNotAllowed, http.StatusMethodNotAllowed, "Method not allowed",
		"The Allow header lists the methods of this path.", ""},
	{EmailTaken, http.StatusConflict, "The e-mail address is in use",
		"Log in, or sign up with another address.", ""},
	{SoldOut, http.StatusConflict, "The event is sold out",
		"Every seat is taken; nothing was changed.", ""},
	{RegistrationNotOpen, http.StatusConflict, "Registration has not opened yet",
		"Registration opens after the time in Retry-After; nothing was changed.", HeaderRetryAfter},
	{RegistrationClosed, http.StatusConflict, "Registration is closed",
		"Registration for this event has ended; nothing was changed.", ""},
	{RegistrationCancelled, http.StatusConflict, "The registration was cancelled",
		"The registration that was made under this Idempotency-Key was cancelled; to register again, send another key.", ""},
	{EventCancelled, http.StatusConflict, "The event is cancelled",
		"A cancelled event takes no registrations and no edits; nothing was changed.", ""},
	{CapacityBelowSold, http.StatusConflict, "The capacity is below the number of seats taken",
		"Nothing was changed; cancel registrations first, or choose a capacity of at least tickets_sold.", ""},
	{WebhookOff, http.StatusConflict, "The webhook is switched off",
		"Nothing was changed; switch the webhook on first.", ""},
	{RequestInProgress, http.StatusConflict, "A request with this Idempotency-Key is in progress",
		"Repeat the request after the time in Retry-After to get its answer.", HeaderRetryAfter},
	{LinkInvalid, http.StatusGone, "The link does not count any more",
		"It was used, has expired, or was made for somebody else; nothing was changed. Ask for a new one.", ""},
	{VersionMismatch, http.StatusPreconditionFailed, "The event was edited since it was read",
		"Nothing was changed; read the event again, and send the edit with its new ETag.", ""},
	{RegistrationChanged, http.StatusPreconditionFailed, "The registration does not match If-Match",
		"Nothing was changed; read the registration again, and send its new ETag.", ""},
	{TooLarge, http.StatusRequestEntityTooLarge, "The request is too large",
		"Send a smaller body.", ""},
	{UnsupportedMediaType, http.StatusUnsupportedMediaType, "The media type is not supported",
		"Send JSON with Content-Type: application/json.", ""},
	{KeyReused, http.StatusUnprocessableEntity, "The Idempotency-Key was used for another request",
		"Nothing was changed; send another request with another Idempotency-Key.", ""},
	{PreconditionRequired, http.StatusPreconditionRequired, "If-Match is required",
		"Read the event and send its ETag in If-Match, so that no edit of somebody else is lost.", ""},
	{RateLimited, http.StatusTooManyRequests, "Too many requests",
		"Try again after the time in Retry-After.", HeaderRetryAfter},
	{QuotaExceeded, http.StatusTooManyRequests, "The quota of the day is used up",
		"Nothing was changed; try again after the time in Retry-After, when the next day begins in UTC.", HeaderRetryAfter},
	{Internal, http.StatusInternalServerError, "Internal error",
		"Try again; if it fails again, tell the operator the X-Request-Id of this answer.", ""},
	{Overloaded, http.StatusServiceUnavailable, "The service is not available",
		"Nothing was changed; try again after the time in Retry-After.", HeaderRetryAfter},
	{StorageFull, http.StatusServiceUnavailable, "The storage of the service is full",
		"Nothing was changed; the operator must free space. Try again after the time in Retry-After.", HeaderRetryAfter},
	{UnknownOutcome, http.StatusGatewayTimeout, "The outcome is unknown",
		"The answer was lost and the change may have been made; repeating the request is safe.", HeaderRetryAfter},
}

// Codes gives every code, in the order of their statuses.
func Codes() iter.Seq[Code] {
	return func(yield func(Code) bool) {
		for _, m := range meanings {
			if !yield(m.code) {
				return
			}
		}
	}
}

// meaning finds the row of c. A code that has none is an internal error to a client.
func (c Code) meaning() meaning { return usualOf(c).meaning }

// Status returns the HTTP status of answers with this code.
func (c Code) Status() int { return c.meaning().status }

// Title returns what the code means in a few words, for people.
func (c Code) Title() string { return c.meaning().title }

// Header returns the name of the header that answers with this code carry, or "".
func (c Code) Header() string { return c.meaning().header }
