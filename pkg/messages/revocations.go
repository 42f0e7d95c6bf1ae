package messages

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
)

// revocationVersion is written into every revocation.
const revocationVersion = 1

// Revocation tells every API process that those tokens of a user have ended that carry an earlier
// version of the password. It may be lost, and it may be forged: it is a hint to read the store,
// which every process also does every few seconds. A process of the version before believes what
// it says, so it says it all.
type Revocation struct {
	Version int `json:"v"`
	UserID  ID  `json:"user_id"`
	// PasswordVersion is the lowest version whose tokens are valid.
	PasswordVersion int64     `json:"password_version"`
	ChangedAt       time.Time `json:"changed_at"`
}

// DecodeRevocation reads a revocation. It fails on malformed data, on another version, and on
// fields that are missing or out of range.
func DecodeRevocation(data []byte) (Revocation, error) {
	all, err := decode[Revocation](data)
	if err != nil {
		return Revocation{}, err
	}
	m := all[0]
	switch {
	case len(all) > 1:
		return Revocation{}, errors.New("decode revocation: more than one")
	case m.Version != revocationVersion:
		return Revocation{}, fmt.Errorf("decode revocation: version %d, want %d", m.Version, revocationVersion)
	case m.UserID.IsZero():
		return Revocation{}, errors.New("decode revocation: user_id is required")
	case m.PasswordVersion < 1:
		return Revocation{}, fmt.Errorf("decode revocation: password_version %d is out of range", m.PasswordVersion)
	case m.ChangedAt.IsZero():
		return Revocation{}, errors.New("decode revocation: changed_at is required")
	}
	return m, nil
}

// PublishRevocation sends r to all API processes of the link's database that are connected now,
// and fills in Version. An error means that r was sent to none of them.
func PublishRevocation(link Link, r Revocation) error {
	if err := link.check(); err != nil {
		return fmt.Errorf("publish a revocation: %w", err)
	}
	r.Version = revocationVersion
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a revocation: %w", err)
	}
	if err := link.Conn.Publish(link.Namespace.Revocations(), data); err != nil {
		return fmt.Errorf("publish a revocation: %w", err)
	}
	return nil
}

// SubscribeRevocations calls take for every revocation in the link's database, and reject for a
// message that cannot be read, both from one goroutine. The subscription ends with the link's
// connection.
func SubscribeRevocations(link Link, take func(Revocation), reject func(error)) (*nats.Subscription, error) {
	if err := link.check(); err != nil {
		return nil, fmt.Errorf("subscribe to revocations: %w", err)
	}
	sub, err := link.Conn.Subscribe(link.Namespace.Revocations(), func(msg *nats.Msg) {
		r, err := DecodeRevocation(msg.Data)
		if err != nil {
			reject(err)
			return
		}
		take(r)
	})
	if err != nil {
		return nil, fmt.Errorf("subscribe to revocations: %w", err)
	}
	return sub, nil
}
