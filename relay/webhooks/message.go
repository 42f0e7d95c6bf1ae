package webhooks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/store"
)

// message is one call.
type message struct {
	id   string
	body wire.WebhookMessage
	test bool
}

// newMessage makes the call that tells of changes. A repetition of the same changes, and no others, has the same id.
func newMessage(w store.Webhook, changes []wire.Change) message {
	h := sha256.New()
	h.Write(w.ID[:])
	for _, c := range changes {
		_, _ = io.WriteString(h, c.ID+"\n") // a hash takes all
	}
	return message{id: messageID(h.Sum(nil)), body: wire.WebhookMessage{
		Type: wire.WebhookChanges, Data: wire.WebhookData{WebhookID: w.ID, Changes: changes},
	}}
}

// newTest makes a call that tells of nothing.
func newTest(w store.Webhook) message {
	id := store.NewID()
	return message{id: messageID(id[:]), test: true, body: wire.WebhookMessage{
		Type: wire.WebhookTest, Data: wire.WebhookData{WebhookID: w.ID, Changes: []wire.Change{}},
	}}
}

func messageID(b []byte) string { return "msg_" + hex.EncodeToString(b[:min(len(b), 16)]) }

// answer is what became of a call.
type answer struct {
	call       store.WebhookCall
	ok, gone   bool
	retryAfter time.Duration
}

// send calls a webhook, signed by each of its secrets.
func send(ctx context.Context, client *http.Client, w store.Webhook, m message) answer {
	now := time.Now().UTC()
	m.body.Timestamp = now.Truncate(time.Millisecond)
	a := answer{call: store.WebhookCall{At: m.body.Timestamp, MessageID: m.id, Test: m.test, Changes: len(m.body.Data.Changes)}}
	res, err := request(ctx, client, w, m, now)
	if err == nil {
		defer res.Body.Close()
		var kept []byte
		kept, err = io.ReadAll(io.LimitReader(res.Body, keptAnswer))
		a.call.Status, a.call.Answer = res.StatusCode, text(kept)
		a.ok, a.gone = res.StatusCode/100 == 2, res.StatusCode == http.StatusGone
		a.retryAfter = retryAfter(res.Header.Get("Retry-After"), now)
		if a.ok {
			err = nil // what it says does not matter
		}
	}
	a.call.Millis = time.Since(now).Milliseconds()
	switch {
	case err != nil:
		a.ok, a.call.Error = false, reason(err)
	case !a.ok:
		a.call.Error = "the answer is " + strconv.Itoa(a.call.Status)
	}
	return a
}

func request(ctx context.Context, client *http.Client, w store.Webhook, m message, now time.Time) (*http.Response, error) {
	body, err := json.Marshal(m.body)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	var signatures []string
	for _, secret := range w.Secrets {
		if !secret.EndsAt.IsZero() && now.After(secret.EndsAt) {
			continue
		}
		signer, err := standardwebhooks.NewWebhookRaw(secret.Key)
		if err != nil {
			return nil, err
		}
		signature, err := signer.Sign(m.id, now, body)
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, signature)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "eventio-webhooks")
	r.Header.Set(standardwebhooks.HeaderWebhookID, m.id)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return client.Do(r)
}

// text returns what an owner may look at of an answer.
func text(b []byte) string {
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return string(b)
}

// reason says in plain words why there was no answer. It must not tell what is in the network of the
// service.
func reason(err error) string {
	var unknown *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errPlain):
		return "this service calls https:// only"
	case errors.Is(err, errForbidden):
		return "the name leads to an address that is not public"
	case errors.As(err, &unknown):
		return "the name cannot be resolved"
	case errors.As(err, &certificate):
		return "the certificate is not valid"
	case errors.Is(err, context.Canceled):
		return "interrupted by this service; it is repeated"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	if reason := process.Reason(err); reason != "" {
		return reason
	}
	return "the connection failed"
}

// retryAfter reads the header of that name: seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
