package testenv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// A MongoProxy stands between clients and one mongod, and can delay what clients say: a slow
// network that delivers a command late, even after its client has given up. Clients need
// directConnection=true, as the node goes by another address in its set.
type MongoProxy struct {
	listener net.Listener
	target   string

	mu       sync.Mutex    // guards all below
	texts    []string      // messages with any of them are held
	last     chan struct{} // closed when the message held before may go; nil: nothing is held
	released chan struct{}
	held     chan struct{} // gets one for each message that is held

	late sync.WaitGroup // connections that had a message held
}

// StartMongoProxy passes everything on to m until the test ends.
func StartMongoProxy(tb testing.TB, m *Mongo) *MongoProxy {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	p := &MongoProxy{listener: listener, target: m.Addr(), held: make(chan struct{}, 100)}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go p.serve(client)
		}
	}()
	tb.Cleanup(func() {
		p.Release()
		_ = listener.Close()
	})
	return p
}

// URI is the connection string through the proxy, with the database eventio in its path.
func (p *MongoProxy) URI() string {
	return "mongodb://" + p.listener.Addr().String() + "/eventio?directConnection=true"
}

// Hold keeps every message that contains one of the texts, such as the name of a command, until
// Release. The channel gets one value for each message that is held.
func (p *MongoProxy) Hold(texts ...string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts, p.released = texts, make(chan struct{})
	p.last = p.released
	return p.held
}

// Release delivers what is held in the order in which it came, also for clients that are gone.
// It may come twice. The caller waits with Wait for the server to have acted.
func (p *MongoProxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil {
		p.texts, p.last = nil, nil
		close(p.released)
	}
}

// Wait returns when the server has read, carried out and closed all the connections on which a
// message was held. Their clients must have closed them too.
func (p *MongoProxy) Wait() { p.late.Wait() }

// deliver writes the message to the server, when it may go, and says whether it was held.
func (p *MongoProxy) deliver(server net.Conn, message []byte) (late bool, err error) {
	before, delivered := p.hold(message)
	if before != nil {
		defer close(delivered)
		p.held <- struct{}{}
		<-before
	}
	_, err = server.Write(message)
	return before != nil, err
}

// hold says after what a message may go, if it is held, and what to close then.
func (p *MongoProxy) hold(message []byte) (before <-chan struct{}, delivered chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.texts {
		if bytes.Contains(message, []byte(text)) {
			before, delivered = p.last, make(chan struct{})
			p.last = delivered
			p.late.Add(1)
			return before, delivered
		}
	}
	return nil, nil
}

// serve ends when both sides have nothing more to say.
func (p *MongoProxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	replies := make(chan error, 1)
	go func() { // also when the client is gone: a server may drop the command of a closed connection
		_, err := io.Copy(client, server)
		if err != nil {
			_, err = io.Copy(io.Discard, server)
		}
		_ = client.Close()
		replies <- err
	}()
	for {
		message, err := readMessage(client)
		if err != nil {
			break
		}
		late, err := p.deliver(server, message)
		if late {
			defer p.late.Done()
		}
		if err != nil {
			break
		}
	}
	if tcp, ok := server.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	<-replies
}

// readMessage reads one message of MongoDB's wire protocol, which begins with its length in
// four bytes (MongoDB manual, "MongoDB Wire Protocol").
func readMessage(from io.Reader) ([]byte, error) {
	header := make([]byte, 4)
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, err
	}
	const longest = 48_000_000 // maxMessageSizeBytes
	length := binary.LittleEndian.Uint32(header)
	if length < 16 || length > longest {
		return nil, errors.New("not a message of MongoDB's wire protocol")
	}
	message := append(header, make([]byte, length-4)...)
	_, err := io.ReadFull(from, message[4:])
	return message, err
}
