package api

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// Code says what went wrong, for programs. Never rename, never reuse.
type Code string

// The codes of problem documents.
const (
	CodeInvalid              Code = "invalid"
	CodeAlreadyRegistered    Code = "already_registered"
	CodeUnauthenticated      Code = "unauthenticated"
	CodeForbidden            Code = "forbidden"
	CodeNotFound             Code = "not_found"
	CodeEventNotFound        Code = "event_not_found"
	CodeUserNotFound         Code = "user_not_found"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeEmailTaken           Code = "email_taken"
	CodeSoldOut              Code = "sold_out"
	CodeTooLarge             Code = "too_large"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeRateLimited          Code = "rate_limited"
	CodeInternal             Code = "internal"
	CodeOverloaded           Code = "overloaded"
	CodeUnknownOutcome       Code = "unknown_outcome"
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
	case CodeUserNotFound:
		return http.StatusNotFound, "There is no such user"
	case CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed, "This path does not take this method"
	case CodeEmailTaken:
		return http.StatusConflict, "This e-mail address is taken"
	case CodeSoldOut:
		return http.StatusConflict, "The event is sold out"
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge, "The request is too large"
	case CodeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType, "The body's type is not supported"
	case CodeRateLimited:
		return http.StatusTooManyRequests, "Too many requests"
	case CodeOverloaded:
		return http.StatusServiceUnavailable, "The service cannot take this request now"
	case CodeUnknownOutcome:
		return http.StatusGatewayTimeout, "The outcome is not known"
	}
	return http.StatusInternalServerError, "Something went wrong on our side"
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

	cause error // for the log only
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
	case errors.Is(err, store.ErrUserNotFound):
		p = problem(CodeUserNotFound, "No user has this id.")
	case errors.Is(err, store.ErrEmailTaken):
		p = problem(CodeEmailTaken, "Log in, or sign up with another address.")
	case errors.Is(err, store.ErrUnavailable):
		p = problem(CodeOverloaded, "Nothing was changed; try again after the time in Retry-After.")
	default:
		p = problem(CodeInternal, "Try again; if it stays, tell the operator the time of this answer.")
	}
	p.cause = err
	return p
}

// seatProblem is the problem document for an outcome that is not a seat.
func seatProblem(o messages.Outcome, cause error) *Problem {
	var p *Problem
	switch o {
	case messages.OutcomeAlreadyRegistered:
		p = problem(CodeAlreadyRegistered, "This user already holds a seat of this event; nothing was changed.")
	case messages.OutcomeSoldOut:
		p = problem(CodeSoldOut, "All places are taken; nothing was changed.")
	case messages.OutcomeEventNotFound:
		return asProblem(store.ErrEventNotFound)
	case messages.OutcomeOverloaded:
		p = asProblem(store.ErrUnavailable)
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
	switch p.Status {
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		// Seconds, with jitter: equal waits make the next herd.
		h.Set("Retry-After", strconv.Itoa(1+rand.IntN(3)))
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="eventio"`)
	}
	body, err := json.Marshal(p)
	if err != nil { // cannot happen: the struct has only strings and numbers
		panic(err)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
