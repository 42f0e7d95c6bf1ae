package api

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Code says what went wrong, for programs. Never rename, never reuse.
type Code string

// The codes of problem documents.
const (
	CodeInvalid               Code = "invalid"
	CodeAlreadyRegistered     Code = "already_registered"
	CodeUnauthenticated       Code = "unauthenticated"
	CodeForbidden             Code = "forbidden"
	CodeNotFound              Code = "not_found"
	CodeEventNotFound         Code = "event_not_found"
	CodeRegistrationNotFound  Code = "registration_not_found"
	CodeUserNotFound          Code = "user_not_found"
	CodeMethodNotAllowed      Code = "method_not_allowed"
	CodeEmailTaken            Code = "email_taken"
	CodeAlreadyWaitlisted     Code = "already_waitlisted"
	CodeSoldOut               Code = "sold_out"
	CodeRegistrationNotOpen   Code = "registration_not_open"
	CodeRegistrationClosed    Code = "registration_closed"
	CodeRegistrationCancelled Code = "registration_cancelled"
	CodeEventCancelled        Code = "event_cancelled"
	CodeCapacityBelowSold     Code = "capacity_below_sold"
	CodeVersionMismatch       Code = "version_mismatch"
	CodeRegistrationChanged   Code = "registration_changed"
	CodePreconditionRequired  Code = "precondition_required"
	CodeRequestInProgress     Code = "request_in_progress"
	CodeKeyReused             Code = "idempotency_key_reused"
	CodeTooLarge              Code = "too_large"
	CodeUnsupportedMediaType  Code = "unsupported_media_type"
	CodeRateLimited           Code = "rate_limited"
	CodeInternal              Code = "internal"
	CodeOverloaded            Code = "overloaded"
	CodeStorageFull           Code = "storage_full"
	CodeUnknownOutcome        Code = "unknown_outcome"
)

// meanings has the one table from codes to what a client sees.
func meaning(c Code) (status int, title string) {
	switch c {
	case CodeInvalid:
		return http.StatusBadRequest, "The request is not valid"
	case CodeAlreadyRegistered:
		return http.StatusBadRequest, "Already registered for this event"
	case CodeUnauthenticated:
		return http.StatusUnauthorized, "Who you are is not proven"
	case CodeForbidden:
		return http.StatusForbidden, "You may not do this"
	case CodeNotFound:
		return http.StatusNotFound, "There is nothing at this path"
	case CodeEventNotFound:
		return http.StatusNotFound, "There is no such event"
	case CodeRegistrationNotFound:
		return http.StatusNotFound, "This user is not registered for the event"
	case CodeRequestInProgress:
		return http.StatusConflict, "The first request with this key is still running"
	case CodeKeyReused:
		return http.StatusUnprocessableEntity, "The idempotency key belongs to another request"
	case CodeUserNotFound:
		return http.StatusNotFound, "There is no such user"
	case CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed, "This path does not take this method"
	case CodeEmailTaken:
		return http.StatusConflict, "This e-mail address is taken"
	case CodeSoldOut:
		return http.StatusConflict, "The event is sold out"
	case CodeAlreadyWaitlisted:
		return http.StatusBadRequest, "Already in the waiting list of this event"
	case CodeRegistrationNotOpen:
		return http.StatusConflict, "Registration has not opened yet"
	case CodeRegistrationClosed:
		return http.StatusConflict, "Registration is closed"
	case CodeRegistrationCancelled:
		return http.StatusConflict, "The registration of this request was cancelled"
	case CodeEventCancelled:
		return http.StatusConflict, "The event is cancelled"
	case CodeCapacityBelowSold:
		return http.StatusConflict, "More places are taken than would be left"
	case CodeVersionMismatch:
		return http.StatusPreconditionFailed, "The event was edited meanwhile"
	case CodeRegistrationChanged:
		return http.StatusPreconditionFailed, "The registration is not the one that was meant"
	case CodePreconditionRequired:
		return http.StatusPreconditionRequired, "If-Match is required"
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge, "The request is too large"
	case CodeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType, "The body's type is not supported"
	case CodeRateLimited:
		return http.StatusTooManyRequests, "Too many requests"
	case CodeOverloaded:
		return http.StatusServiceUnavailable, "The service cannot take this request now"
	case CodeStorageFull:
		return http.StatusServiceUnavailable, "The service has no room to store anything"
	case CodeUnknownOutcome:
		return http.StatusGatewayTimeout, "The outcome is not known"
	}
	return http.StatusInternalServerError, "Something went wrong on our side"
}

const (
	headerRetry     = "Retry-After"
	headerChallenge = "WWW-Authenticate"
)

// header is the one that a problem carries beside its document, or "".
func (c Code) header() string {
	switch c {
	case CodeRequestInProgress, CodeRegistrationNotOpen, CodeRateLimited, CodeOverloaded, CodeStorageFull, CodeUnknownOutcome:
		return headerRetry
	case CodeUnauthenticated:
		return headerChallenge
	}
	return ""
}

// FieldError says which field is wrong, and what it should be.
type FieldError struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Problem is an RFC 9457 problem document, and the error of a request that ends in one.
type Problem struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Code   Code         `json:"code"`
	Errors []FieldError `json:"errors,omitempty"`
	// Position is the place in the waiting list, when Code is CodeAlreadyWaitlisted.
	Position int64 `json:"position,omitzero"`

	cause error         // for the log only
	retry time.Duration // for Retry-After; 0: a short time with jitter
}

func (p *Problem) Error() string {
	if p.cause != nil {
		return fmt.Sprintf("%s: %v", p.Code, p.cause)
	}
	return string(p.Code)
}

func (p *Problem) Unwrap() error { return p.cause }

// problem makes a problem document whose detail tells the client what to do.
func problem(c Code, detail string) *Problem {
	status, title := meaning(c)
	return &Problem{Type: "urn:eventio:problem:" + string(c), Title: title, Status: status, Detail: detail, Code: c}
}

// invalid is the problem of a request with wrong fields.
func invalid(errs ...FieldError) *Problem {
	detail := "Mend the fields listed in errors and send the request again."
	if len(errs) == 1 {
		detail = fmt.Sprintf("%s %s.", errs[0].Field, errs[0].Reason)
	}
	p := problem(CodeInvalid, detail)
	p.Errors = errs
	return p
}

// asProblem finds the problem document for any error of a handler. What is not known here
// is internal, and its text reaches the log only.
func asProblem(err error) *Problem {
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, store.ErrEventNotFound):
		p = problem(CodeEventNotFound, "No event has this id; GET /api/events lists them.")
	case errors.Is(err, store.ErrRegistrationNotFound):
		p = problem(CodeRegistrationNotFound, "PUT to this path registers the user.")
	case errors.Is(err, store.ErrInProgress):
		p = problem(CodeRequestInProgress, "Its answer is given to whoever repeats it after the time in Retry-After.")
	case errors.Is(err, store.ErrKeyReused):
		p = problem(CodeKeyReused, "Nothing was changed; send another request with another Idempotency-Key.")
	case errors.Is(err, store.ErrUserNotFound):
		p = problem(CodeUserNotFound, "No user has this id.")
	case errors.Is(err, store.ErrEmailTaken):
		p = problem(CodeEmailTaken, "Log in, or sign up with another address.")
	case errors.Is(err, store.ErrUnavailable):
		p = problem(CodeOverloaded, "Nothing was changed; try again after the time in Retry-After.")
	case errors.Is(err, store.ErrStorageFull):
		p = problem(CodeStorageFull, "Nothing was changed; the operator must make room. Try again after the time in Retry-After.")
	default:
		p = problem(CodeInternal, "Try again; if it stays, tell the operator the X-Request-Id of this answer.")
	}
	p.cause = err
	return p
}

// seatProblem is the problem document for a reply that is not what was asked for.
func seatProblem(reply messages.SeatReply, cause error) *Problem {
	var p *Problem
	switch reply.Outcome {
	case messages.OutcomeAlreadyRegistered:
		p = problem(CodeAlreadyRegistered, "This user already holds a seat of this event; nothing was changed.")
	case messages.OutcomeAlreadyWaitlisted:
		p = problem(CodeAlreadyWaitlisted, "This user already waits for a place; nothing was changed.")
	case messages.OutcomeSoldOut:
		p = problem(CodeSoldOut, "All places are taken; nothing was changed.")
	case messages.OutcomeEventNotFound:
		return asProblem(store.ErrEventNotFound)
	case messages.OutcomeRegistrationNotOpen:
		p = problem(CodeRegistrationNotOpen, "Registration opens at "+reply.OpensAt.UTC().Format(time.RFC3339)+".")
		p.retry = max(time.Second, time.Until(reply.OpensAt))
	case messages.OutcomeRegistrationClosed:
		p = problem(CodeRegistrationClosed, "The time for registrations is over; nothing was changed.")
	case messages.OutcomeRegistrationCancelled:
		p = problem(CodeRegistrationCancelled, "It is not brought back; to register anew send another Idempotency-Key.")
	case messages.OutcomeEventCancelled:
		p = problem(CodeEventCancelled, "It takes no registrations and no edits any more; nothing was changed.")
	case messages.OutcomeCapacityBelowSold:
		p = problem(CodeCapacityBelowSold, "Nothing was changed; cancel registrations first, or choose a capacity of at least tickets_sold.")
	case messages.OutcomeVersionMismatch:
		p = problem(CodeVersionMismatch, "Nothing was changed; read the event, look at it, and send the edit with its new ETag.")
	case messages.OutcomeRegistrationChanged:
		p = problem(CodeRegistrationChanged, "Nothing was changed; read the registration, look at it, and send its new ETag.")
	case messages.OutcomeOverloaded:
		p = asProblem(store.ErrUnavailable)
	case messages.OutcomeStorageFull:
		p = asProblem(store.ErrStorageFull)
	case messages.OutcomeFailed:
		p = asProblem(store.ErrNothingStored)
	case messages.OutcomeUnknown:
		p = unknownOutcome()
	default:
		p = problem(CodeInternal, "The request was not understood by the service itself; tell the operator.")
	}
	p.cause = cause
	return p
}

func unknownOutcome() *Problem {
	return problem(CodeUnknownOutcome, "The answer was lost and the change may have been made; repeating the request is safe.")
}

// write sends the document.
func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	switch p.Code.header() {
	case headerRetry:
		seconds := 1 + rand.IntN(3) // jitter: equal waits make the next herd
		if p.retry > 0 {
			seconds = int(math.Ceil(p.retry.Seconds()))
		}
		if p.Code != CodeRateLimited { // whose limit has set it
			h.Set(headerRetry, strconv.Itoa(seconds))
		}
	case headerChallenge:
		h.Set(headerChallenge, `Bearer realm="eventio"`)
	}
	body, err := json.Marshal(p)
	if err != nil { // cannot happen: the struct has only strings and numbers
		panic(err)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
