// Package cloudevents tells other systems of changes on NATS: each item of the record is one CloudEvents
// 1.0 event in JSON, on the subject PREFIX.events.EVENT_ID.TYPE.
//
// # Guarantees
//
// Every item is published at least once, and those of an event in order. Its id stays, and is also in the
// header Nats-Msg-Id, so a JetStream stream over these subjects drops doubles within its duplicate
// window.
//
// Where a stream keeps its subject and acknowledges, an item counts as told when the stream has acknowledged
// it. Else NATS keeps nothing that it vouches for: an item counts as told when the server has everything that
// was sent before (a flush), and who does not listen at that moment never gets it. So it is for the items
// that a stream over some of the subjects leaves out. A stream acknowledges before it syncs to its disk, so
// what it took just before its machine lost power may be missing there; the record of changes has it.
package cloudevents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/eventio/eventio/api/wire"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/changes"
)

const (
	// contentType is that of an event in JSON, in the structured mode of the NATS binding.
	contentType = "application/cloudevents+json; charset=utf-8"
	// typePrefix begins the type of each event.
	typePrefix = "eventio."
	// answerLimit bounds each wait for the server.
	answerLimit = 5 * time.Second
	// batch is how many items are sent before the server is asked whether it has them. A row may have
	// thousands, and the library takes 4,000 that wait for an acknowledgement.
	batch = 1000
)

// Sink publishes the record of changes. It is a relay.Sink, and safe for concurrent use.
type Sink struct {
	link   messages.Link
	stream jetstream.JetStream
	limit  time.Duration // answerLimit
}

// NewSink returns a sink over a connection, which stays the caller's.
func NewSink(link messages.Link) (*Sink, error) {
	js, err := jetstream.New(link.Conn)
	if err != nil {
		return nil, fmt.Errorf("publish events: %w", err)
	}
	return &Sink{link, js, answerLimit}, nil
}

// Name implements relay.Sink.
func (*Sink) Name() string { return "cloudevents" }

// Deliver implements relay.Sink.
func (s *Sink) Deliver(ctx context.Context, rows []store.ChangeRecord) error {
	kept, err := s.kept(ctx)
	if err != nil {
		return err
	}
	var acks []jetstream.PubAckFuture
	sent := 0
	for _, row := range rows {
		for _, item := range changes.Items(row) {
			msg, err := s.message(row, item)
			if err != nil {
				return err
			}
			if kept.has(msg.Subject) {
				var ack jetstream.PubAckFuture
				ack, err = s.stream.PublishMsgAsync(msg)
				acks = append(acks, ack)
			} else {
				err = s.link.Conn.PublishMsg(msg)
			}
			if err != nil {
				return fmt.Errorf("publish an event: %w", err)
			}
			if sent++; sent%batch == 0 {
				if err := s.settle(ctx, acks); err != nil {
					return err
				}
				acks = acks[:0]
			}
		}
	}
	return s.settle(ctx, acks)
}

// settle waits until the server has everything that was sent, and streams have acknowledged what they keep.
func (s *Sink) settle(ctx context.Context, acks []jetstream.PubAckFuture) error {
	flushing, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	if err := s.link.Conn.FlushWithContext(flushing); err != nil {
		return fmt.Errorf("publish events: %w", err)
	}
	for _, ack := range acks {
		if err := s.await(ctx, ack); err != nil {
			return fmt.Errorf("publish an event: %w", err)
		}
	}
	return nil
}

// await waits until a stream has acknowledged a message. Each has its own time: a slow stream is one that works.
func (s *Sink) await(ctx context.Context, ack jetstream.PubAckFuture) error {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	select {
	case <-ack.Ok():
		return nil
	case err := <-ack.Err():
		if errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum) {
			return nil // the stream never takes this one, and everything newer would wait for that
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// subjects are those that streams keep and acknowledge, with wildcards.
type subjects []string

// kept returns the subjects of events that are kept. That a stream is there says nothing of a single event: it
// may have a part of the subjects only. And who waits for an acknowledgement that never comes, tells nobody
// of anything newer.
func (s *Sink) kept(ctx context.Context) (subjects, error) {
	if !s.link.Conn.IsConnected() { // what is published now would wait in memory
		return nil, nats.ErrDisconnected
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	var kept subjects
	streams := s.stream.StreamNames(ctx, jetstream.WithStreamListSubject(s.link.Namespace.Events()))
	for name := range streams.Name() {
		stream, err := s.stream.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) { // it has just been removed
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look at stream %s of events: %w", name, err)
		}
		if c := stream.CachedInfo().Config; !c.NoAck && !c.Sealed {
			kept = append(kept, c.Subjects...)
		}
	}
	switch err := streams.Err(); {
	case err == nil, errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, nats.ErrNoResponders),
		errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return kept, nil
	default:
		return nil, fmt.Errorf("look for streams of events: %w", err)
	}
}

// has reports whether a subject without wildcards is among them.
func (s subjects) has(subject string) bool {
	return slices.ContainsFunc(s, func(pattern string) bool { return matches(subject, pattern) })
}

// matches reports whether a subject is one of those that a pattern of NATS means.
func matches(subject, pattern string) bool {
	for {
		token, tokens, more := strings.Cut(subject, ".")
		wanted, rest, further := strings.Cut(pattern, ".")
		switch {
		case wanted == ">":
			return true
		case wanted != "*" && wanted != token || more != further:
			return false
		case !more:
			return true
		}
		subject, pattern = tokens, rest
	}
}

// message makes the message of an item.
func (s *Sink) message(row store.ChangeRecord, item changes.Item) (*nats.Msg, error) {
	change := wire.ChangeOf(row, item)
	e := event.New()
	e.SetID(change.ID)
	e.SetSource("/eventio/" + s.link.Namespace.Database)
	e.SetType(typePrefix + change.Type)
	e.SetSubject(row.EventID.Hex())
	e.SetTime(change.At)
	data, err := json.Marshal(change)
	if err == nil {
		// As a value: plain bytes would be sent in base64, which nobody reads with the nats CLI.
		err = e.SetData(event.ApplicationJSON, jsontext.Value(data))
	}
	if err == nil {
		err = e.Validate()
	}
	var body []byte
	if err == nil {
		body, err = e.MarshalJSON()
	}
	if err != nil {
		return nil, fmt.Errorf("write event %s: %w", change.ID, err)
	}
	msg := nats.NewMsg(s.link.Namespace.Event(row.EventID.Hex(), change.Type))
	msg.Header.Set(nats.MsgIdHdr, change.ID)
	msg.Header.Set("content-type", contentType)
	msg.Data = body
	return msg, nil
}
