// Package cloudevents tells other systems of changes on NATS: each item of the record is one CloudEvents
// 1.0 event in JSON, on the subject PREFIX.events.EVENT_ID.TYPE.
//
// # Guarantees
//
// Every item is published at least once, and those of an event in order. Its id stays, and is also in the
// header Nats-Msg-Id, so a JetStream stream over these subjects drops doubles within its duplicate
// window.
//
// Where there is such a stream, an item counts as told when the stream has acknowledged it. Else NATS keeps
// nothing: an item counts as told when the server has everything that was sent before (a flush), and who
// does not listen at that moment never gets it. A stream acknowledges before it syncs to its disk, so what
// it took just before its machine lost power may be missing there; the record of changes has it.
package cloudevents

import (
	"context"
	"errors"
	"fmt"
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
	// deliverLimit bounds the wait for the server.
	deliverLimit = 5 * time.Second
)

// Sink publishes the record of changes. It is a relay.Sink, and safe for concurrent use.
type Sink struct {
	link   messages.Link
	stream jetstream.JetStream
}

// NewSink returns a sink over a connection, which stays the caller's.
func NewSink(link messages.Link) (*Sink, error) {
	js, err := jetstream.New(link.Conn)
	if err != nil {
		return nil, fmt.Errorf("publish events: %w", err)
	}
	return &Sink{link, js}, nil
}

// Name implements relay.Sink.
func (*Sink) Name() string { return "cloudevents" }

// Deliver implements relay.Sink.
func (s *Sink) Deliver(ctx context.Context, rows []store.ChangeRecord) error {
	ctx, cancel := context.WithTimeout(ctx, deliverLimit)
	defer cancel()
	stored, err := s.hasStream(ctx)
	if err != nil {
		return err
	}
	var acks []jetstream.PubAckFuture
	for _, row := range rows {
		for _, item := range changes.Items(row) {
			msg, err := s.message(row, item)
			if err != nil {
				return err
			}
			if !stored {
				if err := s.link.Conn.PublishMsg(msg); err != nil {
					return fmt.Errorf("publish an event: %w", err)
				}
				continue
			}
			ack, err := s.stream.PublishMsgAsync(msg)
			if err != nil {
				return fmt.Errorf("publish an event: %w", err)
			}
			acks = append(acks, ack)
		}
	}
	if !stored {
		if err := s.link.Conn.FlushWithContext(ctx); err != nil {
			return fmt.Errorf("publish events: %w", err)
		}
		return nil
	}
	return await(ctx, acks)
}

// await waits until a stream has acknowledged everything.
func await(ctx context.Context, acks []jetstream.PubAckFuture) error {
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return fmt.Errorf("publish an event: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("publish events: %w", ctx.Err())
		}
	}
	return nil
}

// hasStream reports whether a stream keeps the events.
func (s *Sink) hasStream(ctx context.Context) (bool, error) {
	if !s.link.Conn.IsConnected() { // what is published now would wait in memory
		return false, nats.ErrDisconnected
	}
	_, err := s.stream.StreamNameBySubject(ctx, s.link.Namespace.Events())
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, jetstream.ErrStreamNotFound), errors.Is(err, nats.ErrNoResponders),
		errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return false, nil
	}
	return false, fmt.Errorf("look for a stream of events: %w", err)
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
