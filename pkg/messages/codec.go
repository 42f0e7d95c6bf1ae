package messages

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// maxRemaining bounds SeatRequest.RemainingMillis: no caller waits longer.
	maxRemaining = time.Hour
	// maxSent bounds SeatRequest.SentMillis, in milliseconds: no process runs for thirty years.
	maxSent = 1 << 40
)

// Encode writes a request or a reply as one line. A message is one or more lines of the same
// type.
func Encode[M SeatRequest | SeatReply](m M) ([]byte, error) {
	data, err := json.Marshal(&m)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", m, err)
	}
	return append(data, '\n'), nil
}

// newline ends a line of a message. Nothing changes it.
var newline = []byte{'\n'}

// DecodeRequests reads the requests of a message. It fails on malformed data, on duplicate keys,
// and on a message above MaxMessage or with more requests than MaxRequests. It ignores unknown
// fields: a newer version sends them. Each request still has to pass Check.
func DecodeRequests(data []byte) ([]SeatRequest, error) {
	if n := 1 + bytes.Count(bytes.TrimSuffix(data, newline), newline); n > MaxRequests {
		return nil, fmt.Errorf("decode requests: %d in a message, at most %d", n, MaxRequests)
	}
	return decode[SeatRequest](data)
}

// Check returns what is wrong with the form of a request, or nil. It fails on an unknown Kind, on
// a request id or times out of range, and on fields that the Kind lacks or does not have. It
// takes every Actor as it is.
func (m SeatRequest) Check() error {
	switch {
	case m.Kind != KindRegister && m.Kind != KindCancel && m.Kind != KindEditEvent && m.Kind != KindRecount && m.Kind != KindProbe:
		return fmt.Errorf("unknown kind %.32q", m.Kind)
	case !ValidRequestID(m.RequestID):
		return errors.New("request_id must be 1 to 255 printable ASCII characters")
	case (m.Kind == KindProbe) != m.EventID.IsZero():
		return errors.New("a probe has no event_id, all others have one")
	case (m.Kind == KindEditEvent) != (m.Edit != nil):
		return errors.New("an edit has edit, all others have none")
	case (m.Kind != KindRegister && m.Kind != KindCancel) != m.UserID.IsZero():
		return errors.New("registrations and cancellations have a user_id, all others have none")
	case m.Number < 0 || m.Number != 0 && m.Kind != KindCancel:
		return errors.New("number is that of a registration, and only a cancellation has one")
	case m.Lease && m.Kind != KindRegister:
		return errors.New("only a registration asks for a lease")
	case m.RemainingMillis <= 0 || m.RemainingMillis > maxRemaining.Milliseconds():
		return fmt.Errorf("remaining_ms %d is out of range", m.RemainingMillis)
	case m.SentMillis < 0 || m.SentMillis > maxSent:
		return fmt.Errorf("sent_ms %d is out of range", m.SentMillis)
	case m.TraceID != "" && !ValidTraceID(m.TraceID):
		return errors.New("trace_id must be 1 to 64 letters, digits, dots, underscores or hyphens")
	}
	return nil
}

// DecodeReplies reads the replies of a message. It fails on malformed data and on an unknown
// outcome.
func DecodeReplies(data []byte) ([]SeatReply, error) {
	replies, err := decode[SeatReply](data)
	if err != nil {
		return nil, err
	}
	for _, m := range replies {
		if !ValidOutcome(m.Outcome) {
			return nil, fmt.Errorf("decode replies: outcome %.32q", m.Outcome)
		}
	}
	return replies, nil
}

// decode reads the messages of a kind that data holds, one in a line. It fails on data that is
// malformed, larger than MaxMessage, or empty.
func decode[M SeatRequest | SeatReply | Revocation | EventNews | PeopleNews](data []byte) ([]M, error) {
	var all []M
	if len(data) > MaxMessage {
		return nil, fmt.Errorf("decode %T: %d bytes, at most %d", all, len(data), MaxMessage)
	}
	for line := range bytes.Lines(data) {
		var m M
		if err := json.Unmarshal(line, &m); err != nil {
			return nil, fmt.Errorf("decode %T: %w", m, err)
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("decode %T: empty", all)
	}
	return all, nil
}
