package messages

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
)

// maxRemaining bounds RemainingMillis: nobody waits longer for a seat.
const maxRemaining = time.Hour

// Encode writes a message.
func Encode[M SeatRequest | SeatReply](m M) ([]byte, error) {
	data, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", m, err)
	}
	return data, nil
}

// DecodeRequest reads a request and checks its form. It fails on malformed or oversized
// data, duplicate keys, another version, an unknown kind, and a request id or remaining
// time out of range; fields that it does not know are left for newer versions.
func DecodeRequest(data []byte) (SeatRequest, error) {
	var m SeatRequest
	if err := decode(data, &m); err != nil {
		return SeatRequest{}, err
	}
	switch {
	case m.Version != Version:
		return SeatRequest{}, fmt.Errorf("decode request: version %d, want %d", m.Version, Version)
	case m.Kind != KindRegister && m.Kind != KindCancel && m.Kind != KindEditEvent && m.Kind != KindRecount:
		return SeatRequest{}, fmt.Errorf("decode request: unknown kind %.32q", m.Kind)
	case !ValidRequestID(m.RequestID):
		return SeatRequest{}, errors.New("decode request: request_id must be 1 to 255 printable ASCII characters")
	case m.EventID.IsZero():
		return SeatRequest{}, errors.New("decode request: event_id is required")
	case (m.Kind == KindEditEvent) != (m.Edit != nil):
		return SeatRequest{}, errors.New("decode request: an edit has edit, all others have none")
	case (m.Kind == KindEditEvent || m.Kind == KindRecount) != m.UserID.IsZero():
		return SeatRequest{}, errors.New("decode request: edits and recounts have no user_id, all others have one")
	case m.RemainingMillis <= 0 || m.RemainingMillis > maxRemaining.Milliseconds():
		return SeatRequest{}, fmt.Errorf("decode request: remaining_ms %d is out of range", m.RemainingMillis)
	case m.TraceID != "" && !ValidTraceID(m.TraceID):
		return SeatRequest{}, errors.New("decode request: trace_id must be 1 to 64 letters, digits, dots, underscores or hyphens")
	}
	return m, nil
}

// DecodeReply reads a reply. It fails on malformed data, another version and an outcome
// that it does not know.
func DecodeReply(data []byte) (SeatReply, error) {
	var m SeatReply
	if err := decode(data, &m); err != nil {
		return SeatReply{}, err
	}
	if m.Version != Version || !m.Outcome.Valid() {
		return SeatReply{}, fmt.Errorf("decode reply: version %d, outcome %.32q", m.Version, m.Outcome)
	}
	return m, nil
}

// ValidRequestID reports whether s can be a request id: 1 to MaxRequestID bytes of
// printable ASCII.
func ValidRequestID(s string) bool {
	if len(s) == 0 || len(s) > MaxRequestID {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func decode(data []byte, m any) error {
	if len(data) > MaxMessage {
		return fmt.Errorf("decode %T: %d bytes, at most %d", m, len(data), MaxMessage)
	}
	if err := json.Unmarshal(data, m); err != nil {
		return fmt.Errorf("decode %T: %w", m, err)
	}
	return nil
}
