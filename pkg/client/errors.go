package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// ErrUnknownOutcome matches, by errors.Is, each error that leaves it unknown whether the change
// was made. No other error of a call that changes something leaves that open.
var ErrUnknownOutcome = errors.New("the outcome is unknown")

// Error is the error of a call. Unwrap gives its cause: a *Problem, the error of the context, or
// one of net and net/http.
type Error struct {
	// Call is the name of the method, like Register.
	Call string
	// Key is the Idempotency-Key under which the call was sent. A repetition with it is safe.
	// It is empty where the operation takes none.
	Key string
	// Attempts is how many requests were sent, or begun.
	Attempts int
	// Unknown tells that the change may have been made; the error matches ErrUnknownOutcome.
	Unknown bool

	cause error
}

// Error describes the call, its cause and what is known of the outcome.
func (e *Error) Error() string {
	text := "eventio client: " + e.Call + ": " + e.cause.Error()
	if e.Attempts > 1 {
		text += fmt.Sprintf(" (attempt %d)", e.Attempts)
	}
	if e.Unknown {
		text += "; the change may have been made"
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is ErrUnknownOutcome and the outcome is unknown.
func (e *Error) Is(target error) bool { return target == ErrUnknownOutcome && e.Unknown }

// Code says why the API refused a request. Codes never change their meaning; a server that is
// newer than this package may have others. A code is an error, for errors.Is.
type Code string

// Error returns the code itself.
func (c Code) Error() string { return string(c) }

// The codes of the API. docs/api.md has their statuses and meanings.
const (
	CodeInvalid               Code = "invalid"
	CodeAlreadyRegistered     Code = "already_registered"
	CodeAlreadyWaitlisted     Code = "already_waitlisted"
	CodeUnauthenticated       Code = "unauthenticated"
	CodeForbidden             Code = "forbidden"
	CodeEmailUnproven         Code = "email_unproven"
	CodeNotAdmitted           Code = "not_admitted"
	CodeLoginTooOld           Code = "login_too_old"
	CodeAccountLocked         Code = "account_locked"
	CodeNotFound              Code = "not_found"
	CodeNoMail                Code = "no_mail"
	CodeLinkInvalid           Code = "link_invalid"
	CodeEventNotFound         Code = "event_not_found"
	CodeRegistrationNotFound  Code = "registration_not_found"
	CodeUserNotFound          Code = "user_not_found"
	CodeWebhookNotFound       Code = "webhook_not_found"
	CodeWebhookOff            Code = "webhook_off"
	CodeMethodNotAllowed      Code = "method_not_allowed"
	CodeEmailTaken            Code = "email_taken"
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
	CodeQuotaExceeded         Code = "quota_exceeded"
	CodeInternal              Code = "internal"
	CodeOverloaded            Code = "overloaded"
	CodeStorageFull           Code = "storage_full"
	CodeUnknownOutcome        Code = "unknown_outcome"
)

// decides reports whether a refusal with this code says that a request under a key was not
// carried out, in this attempt and in those before it. Others, like unauthenticated, are said
// before anybody looks whether an earlier attempt has arrived.
func (c Code) decides() bool {
	o := store.Outcome(c) // every refusal of a seat request is one
	return c == CodeEmailTaken || slices.Contains(store.Register.Outcomes(), o) || slices.Contains(store.Cancel.Outcomes(), o)
}

// Problem is an answer that is no success: the problem document (RFC 9457) of the API, or what
// can be said of the answer of something before it.
type Problem struct {
	// Code is empty when the answer is no problem document: a proxy's, for instance.
	Code Code `json:"code"`
	// Status is that of HTTP.
	Status int `json:"status"`
	// Title says in a few words what is wrong, and Detail what to do, both for people.
	Title  string `json:"title"`
	Detail string `json:"detail"`
	// Fields are the wrong fields, when Code is CodeInvalid.
	Fields []FieldError `json:"errors"`
	// Position is the place in the waiting list, when Code is CodeAlreadyWaitlisted.
	Position int64 `json:"position"`
	// RetryAfter is the time after which the server wants to be asked again; 0: it says none.
	RetryAfter time.Duration `json:"-"`
	// RequestID names the request in the service's logs.
	RequestID string `json:"-"`
}

// FieldError says which field of a request is wrong, and what it should be.
type FieldError struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Error returns the status, the code and the detail.
func (p *Problem) Error() string {
	var text strings.Builder
	text.WriteString(strconv.Itoa(p.Status))
	if p.Code != "" {
		text.WriteString(" " + string(p.Code))
	}
	if detail := strings.TrimSuffix(p.Detail, "."); detail != "" {
		text.WriteString(": " + detail)
	}
	for _, f := range p.Fields {
		if len(p.Fields) > 1 { // one is in the detail already
			fmt.Fprintf(&text, "; %s %s", f.Field, f.Reason)
		}
	}
	return text.String()
}

// Unwrap returns the code, so that errors.Is(err, CodeSoldOut) works.
func (p *Problem) Unwrap() error {
	if p.Code == "" {
		return nil
	}
	return p.Code
}

// problemOf reads the problem that an answer is. body may be cut off.
func problemOf(res *http.Response, body []byte) *Problem {
	p := &Problem{}
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")) // a bad one is not ours
	if media != "application/problem+json" || json.Unmarshal(body, p) != nil {
		p = &Problem{Title: http.StatusText(res.StatusCode), Detail: "the answer is no problem document; does Event.io run there?"}
	}
	p.Status, p.RetryAfter, p.RequestID = res.StatusCode, retryAfter(res.Header), res.Header.Get("X-Request-Id")
	return p
}

// retryAfter reads the header in both of its forms (RFC 9110, section 10.2.3).
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// repeatable reports whether the same request may get another answer soon.
func (p *Problem) repeatable() bool {
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return p.Code == CodeRequestInProgress
}

// doubtful reports whether the request that got this answer may have been carried out.
func (p *Problem) doubtful() bool {
	switch p.Code {
	case CodeRequestInProgress:
		return true
	case CodeOverloaded, CodeStorageFull:
		return false
	}
	return p.Status >= http.StatusInternalServerError
}
