package simulation

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// bus is a NATS server as bad as one may be. It speaks the protocol of NATS over pipes, and each message
// that it delivers may be lost, late, doubled or overtaken by another. Subscriptions and pings are exact, so
// that the real client believes in it.
type bus struct {
	mu     sync.Mutex // guards all below
	random *rand.Rand
	links  []*link
	well   bool // nothing is lost any more

	lost, doubled, late int // messages
}

// link is the connection of one client.
type link struct {
	bus  *bus
	conn net.Conn
	subs map[string]subscription // by id
	out  chan []byte
}

type subscription struct{ subject, queue string }

// InProcessConn connects a client: the interface that nats.go wants.
func (b *bus) InProcessConn() (net.Conn, error) {
	client, server := net.Pipe()
	l := &link{bus: b, conn: server, subs: make(map[string]subscription), out: make(chan []byte, 1<<16)}
	b.mu.Lock()
	b.links = append(b.links, l)
	b.mu.Unlock()
	go l.write()
	go l.read()
	return client, nil
}

// write sends what is in out, until the connection is closed.
func (l *link) write() {
	for data := range l.out {
		if _, err := l.conn.Write(data); err != nil {
			return
		}
	}
}

// read takes what the client sends, and forgets the client when it has gone.
func (l *link) read() {
	defer l.leave()
	l.out <- []byte(`INFO {"server_id":"SIM","version":"2.12.0","proto":1,"headers":true,"max_payload":1048576}` + "\r\n")
	in := bufio.NewReader(l.conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		switch strings.ToUpper(words[0]) {
		case "PING":
			l.out <- []byte("PONG\r\n")
		case "SUB": // SUB subject [queue] id
			s := subscription{subject: words[1]}
			if len(words) == 4 {
				s.queue = words[2]
			}
			l.bus.mu.Lock()
			l.subs[words[len(words)-1]] = s
			l.bus.mu.Unlock()
		case "UNSUB":
			if len(words) == 2 {
				l.bus.mu.Lock()
				delete(l.subs, words[1])
				l.bus.mu.Unlock()
			}
		case "PUB": // PUB subject [reply] size
			size, _ := strconv.Atoi(words[len(words)-1])
			data := make([]byte, size+2)
			if _, err := io.ReadFull(in, data); err != nil {
				return
			}
			reply := ""
			if len(words) == 4 {
				reply = words[2]
			}
			l.bus.publish(l, words[1], reply, data)
		}
	}
}

func (l *link) leave() {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	for i, other := range l.bus.links {
		if other == l {
			l.bus.links = append(l.bus.links[:i:i], l.bus.links[i+1:]...)
		}
	}
	close(l.out)
}

// target is who gets a message.
type target struct {
	link *link
	id   string
}

// publish delivers a message to its subscribers, to one of each queue group.
func (b *bus) publish(from *link, subject, reply string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	targets := b.targets(subject)
	if len(targets) == 0 && reply != "" {
		for _, t := range b.targets(reply) {
			if t.link == from {
				const header = "NATS/1.0 503\r\n\r\n"
				t.link.send(fmt.Appendf(nil, "HMSG %s %s %d %d\r\n%s\r\n", reply, t.id, len(header), len(header), header))
			}
		}
	}
	for _, t := range targets {
		message := fmt.Appendf(nil, "MSG %s %s %d\r\n%s", subject, t.id, len(data)-2, data)
		if reply != "" {
			message = fmt.Appendf(nil, "MSG %s %s %s %d\r\n%s", subject, t.id, reply, len(data)-2, data)
		}
		b.deliver(t.link, message)
	}
}

// deliver sends a message to a client, or does something else. The caller holds mu.
func (b *bus) deliver(to *link, message []byte) {
	copies := 1
	switch n := b.random.IntN(100); {
	case b.well:
	case n < 4:
		b.lost++
		copies = 0
	case n < 8:
		b.doubled++
		copies = 2
	}
	for range copies {
		delay := time.Duration(b.random.IntN(3000)) * time.Microsecond
		if !b.well && b.random.IntN(25) == 0 {
			b.late++
			delay += time.Duration(b.random.IntN(6000)) * time.Millisecond
		}
		time.AfterFunc(delay, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			to.send(message)
		})
	}
}

// send hands a message to the goroutine that writes, unless the client has gone. The caller holds bus.mu.
func (l *link) send(message []byte) {
	for _, other := range l.bus.links {
		if other == l {
			l.out <- message
		}
	}
}

// targets returns the subscribers of a subject. The caller holds mu.
func (b *bus) targets(subject string) (targets []target) {
	groups := make(map[string][]target)
	for _, l := range b.links {
		for id, s := range l.subs {
			switch {
			case !matches(s.subject, subject):
			case s.queue == "":
				targets = append(targets, target{l, id})
			default:
				groups[s.queue] = append(groups[s.queue], target{l, id})
			}
		}
	}
	for _, members := range groups {
		targets = append(targets, members[b.random.IntN(len(members))])
	}
	return targets
}

// matches reports whether a subject is one of a pattern, with * and >.
func matches(pattern, subject string) bool {
	want, have := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range want {
		switch {
		case token == ">":
			return len(have) > i
		case i >= len(have) || token != "*" && token != have[i]:
			return false
		}
	}
	return len(want) == len(have)
}

// set begins or ends all faults of the bus.
func (b *bus) set(well bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.well = well
}
