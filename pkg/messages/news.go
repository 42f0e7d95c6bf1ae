package messages

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
)

const (
	// newsVersion is written into all news.
	newsVersion = 1
	// maxNewsUsers bounds how many people one message names: as many as two full batches.
	maxNewsUsers = 1024
)

// EventNews tells the API processes that somebody listens at that an event has changed. A worker
// publishes it when the change is stored. It may be lost, and it may be forged: it is a hint to read
// the store, and has nothing that a client is told.
type EventNews struct {
	Version int `json:"v"`
	EventID ID  `json:"event_id"`
	// Revision is that of the event after the change. Who has read it already ignores the message.
	Revision int64 `json:"revision"`
}

// PeopleNews tells API processes whose registrations have changed. It is a hint as EventNews is.
type PeopleNews struct {
	Version int `json:"v"`
	EventID ID  `json:"event_id"`
	// Users are the ids of the people, 12 bytes each. Empty: they are too many to be named, and it
	// may be anybody.
	Users []byte `json:"users,omitempty"`
}

// NewPeopleNews returns news of people. More than can be named become none, which means anybody.
func NewPeopleNews(event ID, users []ID) PeopleNews {
	n := PeopleNews{Version: newsVersion, EventID: event}
	if len(users) <= maxNewsUsers {
		for _, id := range users {
			n.Users = append(n.Users, id[:]...)
		}
	}
	return n
}

// UserIDs returns the people that are named, and whether any are.
func (n PeopleNews) UserIDs() (ids []ID, named bool) {
	for rest := n.Users; len(rest) > 0; rest = rest[len(ID{}):] {
		ids = append(ids, ID(rest[:len(ID{})]))
	}
	return ids, len(ids) > 0
}

// DecodeEventNews reads a message of EventNews. It fails on malformed data, on another version, and on
// fields that are missing or out of range.
func DecodeEventNews(data []byte) (EventNews, error) {
	n, err := decodeOne[EventNews](data)
	switch {
	case err != nil:
		return EventNews{}, err
	case n.Version != newsVersion:
		return EventNews{}, fmt.Errorf("decode news: version %d, want %d", n.Version, newsVersion)
	case n.EventID.IsZero():
		return EventNews{}, errors.New("decode news: event_id is required")
	case n.Revision < 1:
		return EventNews{}, fmt.Errorf("decode news: revision %d is out of range", n.Revision)
	}
	return n, nil
}

// DecodePeopleNews reads a message of PeopleNews. It fails as DecodeEventNews does.
func DecodePeopleNews(data []byte) (PeopleNews, error) {
	n, err := decodeOne[PeopleNews](data)
	switch {
	case err != nil:
		return PeopleNews{}, err
	case n.Version != newsVersion:
		return PeopleNews{}, fmt.Errorf("decode news: version %d, want %d", n.Version, newsVersion)
	case n.EventID.IsZero():
		return PeopleNews{}, errors.New("decode news: event_id is required")
	case len(n.Users)%len(ID{}) != 0 || len(n.Users) > maxNewsUsers*len(ID{}):
		return PeopleNews{}, fmt.Errorf("decode news: %d bytes of users", len(n.Users))
	}
	return n, nil
}

// decodeOne reads a message that has one line.
func decodeOne[M EventNews | PeopleNews](data []byte) (m M, err error) {
	all, err := decode[M](data)
	switch {
	case err != nil:
		return m, err
	case len(all) > 1:
		return m, errors.New("decode news: more than one")
	}
	return all[0], nil
}

// PublishEventNews tells everybody who listens that an event has changed.
func PublishEventNews(link Link, event ID, revision int64) error {
	return publishNews(link, link.Namespace.EventNews(event), EventNews{newsVersion, event, revision})
}

// PublishPeopleNews tells everybody who listens whose registrations have changed.
func PublishPeopleNews(link Link, event ID, users []ID) error {
	return publishNews(link, link.Namespace.PeopleNews(), NewPeopleNews(event, users))
}

func publishNews(link Link, subject string, news any) error {
	data, err := json.Marshal(news)
	if err != nil {
		return fmt.Errorf("encode news: %w", err)
	}
	if err := link.Conn.Publish(subject, data); err != nil {
		return fmt.Errorf("publish news: %w", err)
	}
	return nil
}

// Link returns the connection over which the requester sends; of no Requester it is none.
func (r *Requester) Link() Link {
	if r == nil {
		return Link{}
	}
	return r.link
}

// ListenEvent calls take for all news of an event until stop is called. A message that cannot be read,
// or is about another event, is left out. The calls come from one goroutine and must not block.
func (l Link) ListenEvent(event ID, take func(EventNews)) (stop func(), err error) {
	return l.listen(l.Namespace.EventNews(event), func(data []byte) {
		if n, err := DecodeEventNews(data); err == nil && n.EventID == event {
			take(n)
		}
	})
}

// ListenPeople calls take for all news of people until stop is called, as ListenEvent does.
func (l Link) ListenPeople(take func(PeopleNews)) (stop func(), err error) {
	return l.listen(l.Namespace.PeopleNews(), func(data []byte) {
		if n, err := DecodePeopleNews(data); err == nil {
			take(n)
		}
	})
}

// Connected reports whether messages come now.
func (l Link) Connected() bool { return l.Conn.IsConnected() }

func (l Link) listen(subject string, take func([]byte)) (stop func(), err error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("listen to news: %w", err)
	}
	sub, err := l.Conn.Subscribe(subject, func(msg *nats.Msg) { take(msg.Data) })
	if err != nil {
		return nil, fmt.Errorf("listen to news: %w", err)
	}
	return func() { _ = sub.Unsubscribe() }, nil // the connection may be gone; so is the subscription then
}
