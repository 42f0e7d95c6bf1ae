package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// maxAnswer bounds an answer that is read whole, in bytes: a page of 1000 events whose texts are
// as long as they may be has less.
const maxAnswer = 64 << 20

// errTimeout is the cause of an attempt that took longer than Retry.Timeout.
var errTimeout = errors.New("no answer within the timeout of an attempt")

// repetition says when a request may be sent again. Its zero value is: whenever, because a
// repetition changes nothing that the first one did not.
type repetition int

const (
	// undoubted: only while no earlier attempt may have arrived.
	undoubted repetition = iota + 1
	// never: the first answer is what is asked for.
	never
)

// call is a request, sent as often as its policy and the answers say.
type call struct {
	name         string // of the method of Client
	method, path string
	query        url.Values
	body         any // nil: none
	changes      bool
	repetition   repetition
	key          string // of the request; empty: it takes none
	ifMatch      string
	lastEventID  string        // of a stream that is opened again
	wait         time.Duration // the API may hold back its answer for so long, beside the timeout of an attempt
}

// newKey makes an Idempotency-Key that nobody else makes.
func newKey() string { return rand.Text() }

// attempt is what came of sending a call once.
type attempt struct {
	err     error
	doubt   bool          // it may have arrived and been carried out
	decided bool          // the answer says that no attempt was carried out
	again   bool          // another attempt may end better
	after   time.Duration // before it, by the server's word; 0: it says none
}

// do sends a call until it has a definite answer. take reads each answer of 2xx; its error means
// that the connection broke, unless it is a finalError.
func (c *Client) do(ctx context.Context, q call, take func(*http.Response) error) error {
	failed := &Error{Call: q.name, Key: q.key}
	var body []byte
	if q.body != nil {
		var err error
		if body, err = json.Marshal(q.body); err != nil {
			failed.cause = fmt.Errorf("encode the request: %w", err)
			return failed
		}
	}
	for {
		if err := ctx.Err(); err != nil {
			failed.cause = errors.Join(err, failed.cause)
			return failed
		}
		failed.Attempts++
		a := c.send(ctx, q, body, take)
		if a.err == nil {
			return nil
		}
		failed.cause = a.err
		if q.changes {
			failed.Unknown = (failed.Unknown || a.doubt) && (q.key == "" || !a.decided)
		}
		wait, more := c.config.Retry.next(failed.Attempts, a.after)
		if !a.again || !more || q.repetition == never || q.repetition == undoubted && failed.Unknown {
			return failed
		}
		if slept, err := sleep(ctx, wait); !slept {
			if err != nil {
				failed.cause = fmt.Errorf("%w; before it: %w", err, a.err)
			}
			return failed
		}
	}
}

// send sends a call once.
func (c *Client) send(ctx context.Context, q call, body []byte, take func(*http.Response) error) attempt {
	// The reader of a stream stops the timer when the stream has begun.
	sending, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(c.config.Retry.Timeout+q.wait, func() { cancel(errTimeout) })
	defer timer.Stop()
	// net/http repeats a request itself when a connection breaks that was used before, and the
	// answer is then not that to the first one.
	var written atomic.Int64
	traced := httptrace.WithClientTrace(sending, &httptrace.ClientTrace{WroteHeaders: func() { written.Add(1) }})
	req, err := c.request(traced, q, body)
	if err != nil {
		return attempt{err: err}
	}
	res, err := c.config.HTTP.Do(req)
	if err != nil {
		a := broken(ctx, sending, err)
		a.doubt = a.doubt || written.Load() > 0 // of several connections only the last one may not have been made
		return a
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // the status says enough
		p := problemOf(res, text)
		return attempt{
			err: p, doubt: p.doubtful() || written.Load() > 1, decided: p.Code.decides(), again: p.repeatable(), after: p.RetryAfter,
		}
	}
	res.Body = &timedBody{res.Body, timer}
	if err := take(res); err != nil {
		if final, ok := errors.AsType[finalError](err); ok {
			return attempt{err: final.error, doubt: true}
		}
		return broken(ctx, sending, err)
	}
	return attempt{}
}

// timedBody is the body of an answer, with the timer of its attempt.
type timedBody struct {
	io.ReadCloser
	timer *time.Timer
}

// finalError is the error of an answer that another attempt would not make better.
type finalError struct{ error }

// broken is an attempt whose connection could not be made or broke.
func broken(ctx, sending context.Context, err error) attempt {
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	unmade := errors.As(err, &dial) && (dial.Op == "dial" || dial.Op == "proxyconnect")
	untrusted := errors.As(err, &certificate)
	if ctx.Err() == nil && errors.Is(context.Cause(sending), errTimeout) {
		err = errTimeout
	}
	return attempt{err: err, doubt: !unmade && !untrusted, again: ctx.Err() == nil && !untrusted}
}

// request makes the HTTP request of a call.
func (c *Client) request(ctx context.Context, q call, body []byte) (*http.Request, error) {
	address := c.base + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, address, reader)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range map[string]string{"Idempotency-Key": q.key, "If-Match": q.ifMatch, "Last-Event-ID": q.lastEventID} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if c.config.Token != nil {
		token, err := c.config.Token(ctx)
		if err != nil {
			return nil, fmt.Errorf("get a token: %w", err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
	}
	return req, nil
}

// into returns what reads an answer whole, as JSON, into the value at to; nil: nothing is kept.
// then, if there is one, looks at the answer after that.
func into(to any, then func(*http.Response)) func(*http.Response) error {
	return func(res *http.Response) error {
		data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
		if err != nil {
			return err
		}
		if to != nil {
			if len(data) > maxAnswer {
				return finalError{fmt.Errorf("the answer has more than %d bytes", maxAnswer)}
			}
			if err := json.Unmarshal(data, to); err != nil {
				return finalError{fmt.Errorf("the answer is not understood; does Event.io run there? %w", err)}
			}
		}
		if then != nil {
			then(res)
		}
		return nil
	}
}
