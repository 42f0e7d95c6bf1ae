package messages

import (
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/eventio/eventio/pkg/messages/internal/discovery"
)

const (
	// ServiceName is the name of workers in NATS's service discovery: `nats micro ls`.
	ServiceName = "eventio-worker"
	// serviceVersion is the version of the contract that workers announce.
	serviceVersion = "2.1.0"
	// unscopedVersion is the version before it, whose workers take requests on SharedSeats. The
	// requesters of that version use no other workers.
	unscopedVersion = "2.0.0"
	// pingSubject is where a ping to all workers on a NATS server is sent.
	pingSubject = micro.APIPrefix + ".PING." + ServiceName
)

// Service is a worker's presence on NATS: its subscriptions, and its entry in service discovery.
type Service struct {
	// Subscriptions are the worker's subscriptions to seat requests.
	Subscriptions []*nats.Subscription

	conn      *nats.Conn
	receive   nats.MsgHandler
	announced []*discovery.Service // two of them when it also serves the shared subject
}

// Serve subscribes a worker to the seat requests of the link's namespace, and announces it to
// requesters. The worker gets requests as a member of the queue group of all workers, and
// requests that a router sends to it alone. receive may be called from two goroutines at once.
// Serve fails on a namespace that cannot be in a subject, and on a closed connection.
func Serve(link Link, receive nats.MsgHandler) (*Service, error) {
	if err := link.check(); err != nil {
		return nil, fmt.Errorf("serve seat requests: %w", err)
	}
	s := &Service{conn: link.Conn, receive: receive}
	return s, s.subscribe(link.Namespace.Seats(), serviceVersion, link.Namespace.metadata())
}

// ServeShared also takes the requests that requesters of the version before send on SharedSeats,
// whichever database they mean. It must be called before Leave.
func (s *Service) ServeShared() error {
	return s.subscribe(SharedSeats, unscopedVersion, map[string]string{"subject": SharedSeats})
}

// subscribe takes requests from a subject in the queue group, and from the worker's own subject
// below it, and announces both as a service.
func (s *Service) subscribe(subject, version string, metadata map[string]string) error {
	service := discovery.New(s.conn, discovery.Config{
		Name: ServiceName, Version: version, Metadata: metadata, Description: "Applies seat requests of Event.io to the store.",
	})
	s.announced = append(s.announced, service)
	receive, ownSubject := service.Count(s.receive), workerSubject(subject, service.ID())
	service.Add("seats", subject, QueueWorkers)
	service.Add("own", ownSubject, "")
	shared, err := s.conn.QueueSubscribe(subject, QueueWorkers, receive)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	own, err := s.conn.Subscribe(ownSubject, receive)
	if err != nil {
		return fmt.Errorf("subscribe to the worker's own subject: %w", err)
	}
	s.Subscriptions = append(s.Subscriptions, shared, own)
	return service.Announce()
}

// Fail has service discovery tell of a message that could not be taken.
func (s *Service) Fail(msg *nats.Msg, err error) {
	for _, service := range s.announced {
		service.Fail(msg, err)
	}
}

// Leave withdraws the worker from service discovery, so that it answers no more pings. Its
// subscriptions stay.
func (s *Service) Leave() error {
	for _, service := range s.announced {
		if err := service.Stop(); err != nil {
			return err
		}
	}
	return nil
}
