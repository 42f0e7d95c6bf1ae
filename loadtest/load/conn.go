// Package load makes requests for seats, closed loop or at a set rate, and keeps what came
// of each of them. It is lean because it shares the machine with the servers under test.
package load

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Seat is a user's seat in an event.
type Seat struct{ Event, User store.ID }

// Request is one request: for a seat, or with a Path a read, or with a Body too a POST of that.
type Request struct {
	Seat
	Path  string // what is read, or with a Body where that is sent; the Seat is left out then
	Body  string // JSON
	Token string // says who asks; empty: the body alone does
	// Header is one more line of the header of a request for a seat, without its end.
	Header string
}

// Conn is one keep-alive HTTP/1.1 connection, with just as much of a client as the load
// needs: not pkg/client and not net/http, which would take more of the cores that the service
// under test is measured on. It is not safe for concurrent use.
type Conn struct {
	tcp     net.Conn
	host    string
	headers string // from after the path to before the optional ones
	in      [4096]byte
	out     []byte
}

// dialLimit bounds the wait for a connection.
const dialLimit = 10 * time.Second

// Dial opens a connection to addr, which the caller closes.
func Dial(addr string) (*Conn, error) {
	tcp, err := net.DialTimeout("tcp", addr, dialLimit)
	if err != nil {
		return nil, err
	}
	return &Conn{
		tcp:     tcp,
		host:    addr,
		headers: "/registrations HTTP/1.1\r\nHost: " + addr + "\r\nContent-Type: application/json\r\nContent-Length: 38\r\n",
	}, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.tcp.Close() }

// Send makes a request and returns the status.
func (c *Conn) Send(w Request) (int, error) {
	if w.Path == "" {
		return c.Register(w)
	}
	method := "GET "
	if w.Body != "" {
		method = "POST "
	}
	c.out = append(c.out[:0], method...)
	c.out = append(c.out, w.Path...)
	c.out = append(c.out, " HTTP/1.1\r\nHost: "...)
	c.out = append(c.out, c.host...)
	c.out = append(c.out, "\r\n"...)
	if w.Token != "" {
		c.out = append(c.out, "Authorization: Bearer "...)
		c.out = append(c.out, w.Token...)
		c.out = append(c.out, "\r\n"...)
	}
	if w.Body != "" {
		c.out = append(c.out, "Content-Type: application/json\r\nContent-Length: "...)
		c.out = strconv.AppendInt(c.out, int64(len(w.Body)), 10)
		c.out = append(c.out, "\r\n"...)
	}
	c.out = append(c.out, "\r\n"...)
	c.out = append(c.out, w.Body...)
	if _, err := c.tcp.Write(c.out); err != nil {
		return 0, err
	}
	return c.answer()
}

// Register asks for a seat and returns the status.
func (c *Conn) Register(w Request) (int, error) {
	c.out = append(c.out[:0], "POST /api/events/"...)
	c.out = hex.AppendEncode(c.out, w.Event[:])
	c.out = append(c.out, c.headers...)
	if w.Token != "" {
		c.out = append(c.out, "Authorization: Bearer "...)
		c.out = append(c.out, w.Token...)
		c.out = append(c.out, "\r\n"...)
	}
	if w.Header != "" {
		c.out = append(c.out, w.Header...)
		c.out = append(c.out, "\r\n"...)
	}
	c.out = append(c.out, "\r\n{\"user_id\":\""...)
	c.out = hex.AppendEncode(c.out, w.User[:])
	c.out = append(c.out, "\"}"...)
	if _, err := c.tcp.Write(c.out); err != nil {
		return 0, err
	}
	return c.answer()
}

// greet makes a request that asks for nothing much. It takes the server's work for a new
// connection out of what is measured, and servers close those soon that never say anything.
func (c *Conn) greet() error {
	_, err := c.tcp.Write([]byte("GET /livez HTTP/1.1\r\nHost: " + c.tcp.RemoteAddr().String() + "\r\n\r\n"))
	if err == nil {
		_, err = c.answer() // those who do not know the path say so
	}
	return err
}

// answer reads one answer. net/http writes its headers in their canonical spelling.
func (c *Conn) answer() (int, error) {
	have := 0
	for {
		n, err := c.tcp.Read(c.in[have:])
		if err != nil {
			return 0, err
		}
		have += n
		if head := bytes.Index(c.in[:have], []byte("\r\n\r\n")); head >= 0 {
			status, body, err := readHead(c.in[:head+2])
			if err != nil {
				return 0, err
			}
			return status, c.skip(head + 4 + body - have)
		}
		if have == len(c.in) {
			return 0, fmt.Errorf("an answer has more than %d bytes of headers", have)
		}
	}
}

// readHead reads the status and the length of the body. Every line of head is whole.
func readHead(head []byte) (status, body int, err error) {
	const version, length = "HTTP/1.1 ", "\r\nContent-Length: "
	if len(head) < len(version)+3 || string(head[:len(version)]) != version {
		return 0, 0, fmt.Errorf("not an HTTP/1.1 answer: %.40q", head)
	}
	status, err = strconv.Atoi(string(head[len(version) : len(version)+3]))
	if err != nil {
		return 0, 0, fmt.Errorf("the status of an answer: %w", err)
	}
	_, value, found := bytes.Cut(head, []byte(length))
	value, _, whole := bytes.Cut(value, []byte("\r\n"))
	if !found || !whole {
		return 0, 0, fmt.Errorf("an answer without Content-Length: %.80q", head)
	}
	body, err = strconv.Atoi(string(value))
	if err != nil {
		return 0, 0, fmt.Errorf("the length of an answer: %w", err)
	}
	return status, body, nil
}

// skip reads n bytes more.
func (c *Conn) skip(n int) error {
	for n > 0 {
		got, err := c.tcp.Read(c.in[:min(n, len(c.in))])
		if err != nil {
			return err
		}
		n -= got
	}
	if n < 0 {
		return fmt.Errorf("%d bytes behind an answer", -n)
	}
	return nil
}

// Grant asks for a seat that must be granted.
func (c *Conn) Grant(w Request) error {
	status, err := c.Register(w)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("the answer is %d", status)
	}
	return err
}
