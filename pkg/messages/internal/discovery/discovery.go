// Package discovery announces a worker in NATS's service discovery, by the protocol and with the types
// of nats.go/micro. That package would make the subscriptions itself and keep them to itself, and a
// worker has to bound, drain and watch its own; without endpoints of its own, `nats micro stats` would show
// nothing.
package discovery

import (
	"encoding/json" // as micro does, for whose types another one has other forms of durations
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/nats-io/nuid"
)

// Service is what is announced. It is safe for concurrent use.
type Service struct {
	conn        *nats.Conn
	identity    micro.ServiceIdentity
	description string
	started     time.Time
	verbs       []*nats.Subscription // to pings and questions

	mu        sync.Mutex // guards all below
	endpoints []*micro.EndpointStats
}

// Config says what is announced.
type Config struct {
	Name, Version, Description string
	Metadata                   map[string]string
}

// New returns a service that is announced on conn by Announce.
func New(conn *nats.Conn, c Config) *Service {
	return &Service{
		conn:        conn,
		identity:    micro.ServiceIdentity{Name: c.Name, ID: nuid.Next(), Version: c.Version, Metadata: c.Metadata},
		description: c.Description, started: time.Now().UTC(),
	}
}

// Announce answers pings and questions until Stop is called. It comes after the subscriptions of the endpoints,
// so that nobody learns of a service that does not hear yet.
func (s *Service) Announce() error {
	for verb, answer := range map[micro.Verb]func() any{
		micro.PingVerb:  func() any { return micro.Ping{ServiceIdentity: s.identity, Type: micro.PingResponseType} },
		micro.InfoVerb:  s.info,
		micro.StatsVerb: s.stats,
	} {
		for _, whom := range [][2]string{{}, {s.identity.Name}, {s.identity.Name, s.identity.ID}} {
			subject, err := micro.ControlSubject(verb, whom[0], whom[1])
			if err != nil {
				return fmt.Errorf("announce the worker: %w", err)
			}
			sub, err := s.conn.Subscribe(subject, func(m *nats.Msg) {
				if data, err := json.Marshal(answer()); err == nil {
					_ = m.Respond(data) // who asked asks again
				}
			})
			if err != nil {
				return fmt.Errorf("announce the worker: %w", err)
			}
			s.verbs = append(s.verbs, sub)
		}
	}
	return nil
}

// ID returns the id of the service, which is unique.
func (s *Service) ID() string { return s.identity.ID }

// Count returns a handler that hands the messages of endpoints on and counts them.
func (s *Service) Count(next nats.MsgHandler) nats.MsgHandler {
	return func(m *nats.Msg) {
		begun := time.Now()
		next(m)
		s.update(m.Sub, func(e *micro.EndpointStats) {
			e.NumRequests++
			e.ProcessingTime += time.Since(begun)
			e.AverageProcessingTime = e.ProcessingTime / time.Duration(e.NumRequests)
		})
	}
}

// Fail counts a message as one that could not be taken.
func (s *Service) Fail(m *nats.Msg, err error) {
	s.update(m.Sub, func(e *micro.EndpointStats) {
		e.NumErrors++
		e.LastError = err.Error()
	})
}

// Add adds an endpoint, whose subscription is to a subject in a queue group, if that is not empty.
func (s *Service) Add(name, subject, queue string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoints = append(s.endpoints, &micro.EndpointStats{Name: name, Subject: subject, QueueGroup: queue})
}

func (s *Service) update(sub *nats.Subscription, change func(*micro.EndpointStats)) {
	if sub == nil { // a message that came from no server
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.endpoints {
		if e.Subject == sub.Subject && e.QueueGroup == sub.Queue {
			change(e)
		}
	}
}

func (s *Service) info() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := micro.Info{ServiceIdentity: s.identity, Type: micro.InfoResponseType, Description: s.description, Endpoints: []micro.EndpointInfo{}}
	for _, e := range s.endpoints {
		info.Endpoints = append(info.Endpoints, micro.EndpointInfo{Name: e.Name, Subject: e.Subject, QueueGroup: e.QueueGroup})
	}
	return info
}

func (s *Service) stats() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := micro.Stats{ServiceIdentity: s.identity, Type: micro.StatsResponseType, Started: s.started, Endpoints: []*micro.EndpointStats{}}
	for _, e := range s.endpoints {
		now := *e // a copy, which is read without the lock
		stats.Endpoints = append(stats.Endpoints, &now)
	}
	return stats
}

// Stop withdraws the service: it answers nothing more.
func (s *Service) Stop() error {
	for _, sub := range s.verbs {
		if err := sub.Unsubscribe(); err != nil {
			return fmt.Errorf("withdraw the worker: %w", err)
		}
	}
	return nil
}
