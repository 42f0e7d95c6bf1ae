package serve

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/eventio/eventio/api/problem"
	"github.com/eventio/eventio/internal/fairqueue"
	"github.com/eventio/eventio/internal/throttle"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// storeErrors has the problem of each error of a store that a client can act on. The first row
// that matches counts. Nothing changes the table.
var storeErrors = []struct {
	err  error
	code problem.Code
}{
	{store.ErrEventNotFound, problem.EventNotFound},
	{store.ErrRegistrationNotFound, problem.RegistrationNotFound},
	{store.ErrUserNotFound, problem.UserNotFound},
	{store.ErrWebhookNotFound, problem.WebhookNotFound},
	{store.ErrEmailTaken, problem.EmailTaken},
	{store.ErrInProgress, problem.RequestInProgress},
	{store.ErrKeyReused, problem.KeyReused},
	{store.ErrUnavailable, problem.Overloaded},
	{store.ErrStorageFull, problem.StorageFull},
}

// codeOf returns the code of the problem that an outcome is when it is not what was asked for: the same
// word, but for the outcomes named here. It reports false for one that is no answer to a client: a
// success, and whatever is our own fault.
func codeOf(o messages.Outcome) (problem.Code, bool) {
	switch o {
	case messages.OutcomeFailed:
		return problem.Internal, true
	case messages.OutcomeInvalid: // not what problem.Invalid means: the client's request was sound
		return "", false
	}
	code := problem.New(problem.Code(o)).Code // Internal for a word that is no code
	return code, messages.ValidOutcome(o) && string(code) == string(o)
}

// ProblemOf returns the problem for any error of a handler. What is not known here is internal, and
// its text reaches the log only.
func ProblemOf(err error) *problem.Problem {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	if slowed, ok := errors.AsType[*throttle.SlowedError](err); ok {
		p := problem.Newf(problem.RateLimited, "Wrong passwords for this account slow it down; try again after the time in Retry-After.").Because(err)
		p.RetryAfter = spread(slowed.RetryAfter)
		return p
	}
	if busy, ok := errors.AsType[*fairqueue.BusyError](err); ok {
		p := problem.New(problem.Overloaded).Because(err)
		// Each is told another time already: a second later at most keeps them from meeting.
		p.RetryAfter = busy.RetryAfter + rand.N(time.Second)
		return p
	}
	if used, ok := errors.AsType[*store.QuotaError](err); ok {
		p := problem.New(problem.QuotaExceeded).Because(err)
		p.RetryAfter = spread(time.Until(used.Until))
		return p
	}
	for _, known := range storeErrors {
		if errors.Is(err, known.err) {
			return problem.New(known.code).Because(err)
		}
	}
	return problem.New(problem.Internal).Because(err)
}

// spread returns a time from wait on, up to half as long again and a second: who waits equally long
// comes back together.
func spread(wait time.Duration) time.Duration {
	return wait + rand.N(wait/2+time.Second)
}

// Refusal returns the problem for an answer whose outcome is not what was asked for.
func Refusal(a messages.Answer) *problem.Problem {
	code, known := codeOf(a.Reply.Outcome)
	if !known {
		return problem.Newf(problem.Internal, "The service sent itself a request that it did not accept; tell the operator the X-Request-Id of this answer.").Because(a.Cause)
	}
	p := problem.New(code).Because(a.Cause)
	if code == problem.RegistrationNotOpen {
		p.Detail = "Registration opens at " + a.Reply.OpensAt.UTC().Format(time.RFC3339) + "."
		p.RetryAfter = max(time.Second, cmp.Or(OpensIn(a.Reply), time.Until(a.Reply.OpensAt)))
	}
	return p
}

// OpensIn returns how long it is until registration opens, by the worker's clock, which counts; 0: it does not say.
func OpensIn(r messages.SeatReply) time.Duration {
	return time.Duration(min(max(0, r.OpensInMillis), math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

// UnlessStored translates the error of a single write: one that the store does not explain may
// have been stored all the same.
func UnlessStored(err error) error {
	if err == nil || surelyNotStored(err) {
		return err
	}
	return problem.New(problem.UnknownOutcome).Because(err)
}

// surelyNotStored reports errors of a write after which nothing is stored.
func surelyNotStored(err error) bool {
	for _, known := range []error{store.ErrEmailTaken, store.ErrEventNotFound, store.ErrUserNotFound, store.ErrWebhookNotFound, store.ErrNothingStored} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
