package framing

import (
	"bytes"
	"strconv"
	"strings"
)

// state says which part of a request comes next.
type state int

const (
	startLine state = iota // the request line, or an empty line before it
	fields                 // a line of the head
	body                   // left bytes of the body
	chunkSize              // the line before a chunk
	chunk                  // left bytes of a chunk with the line end behind it
	trailer                // a line behind the last chunk
	lost                   // given up
)

// maxLine is how much of a line is kept, in bytes: enough for the names and values that count.
const maxLine = 256

// reader follows the requests of one connection.
type reader struct {
	state   state
	line    []byte // what has come of a line, cut at maxLine
	left    int64  // bytes
	request head
	length  int64 // Content-Length; -1: none
	chunked bool
}

// read follows what came and appends the heads that end in it.
func (r *reader) read(came []byte, heads []head) []head {
	for len(came) > 0 && r.state != lost {
		if r.state == body || r.state == chunk {
			n := min(int64(len(came)), r.left)
			came, r.left = came[n:], r.left-n
			switch {
			case r.left > 0:
			case r.state == chunk:
				r.state = chunkSize
			default:
				r.state = startLine
			}
			continue
		}
		line, rest, ended := bytes.Cut(came, []byte("\n"))
		if came = rest; !ended || len(r.line) > 0 {
			r.line = append(r.line, line[:min(len(line), maxLine-len(r.line))]...)
			line = r.line
		}
		if !ended {
			break
		}
		line = bytes.TrimSuffix(line[:min(len(line), maxLine)], []byte("\r"))
		if r.take(line) {
			heads = append(heads, r.request)
		}
		r.line = r.line[:0]
	}
	return heads
}

// take takes a line, and reports whether a head ends with it.
func (r *reader) take(line []byte) bool {
	switch r.state {
	case startLine:
		if len(line) > 0 {
			r.request, r.length, r.chunked, r.state = head{line: string(line)}, -1, false, fields
		}
	case fields:
		if len(line) == 0 {
			r.endHead()
			return true
		}
		r.field(line)
	case chunkSize:
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseInt(string(bytes.TrimSpace(size)), 16, 64)
		switch {
		case err != nil || n < 0:
			r.state = lost
		case n == 0:
			r.state = trailer
		default:
			const lineEnd = 2
			r.left, r.state = n+lineEnd, chunk
		}
	case trailer:
		if len(line) == 0 {
			r.state = startLine
		}
	}
	return false
}

// field takes a line of the head.
func (r *reader) field(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || n < 0 || r.length >= 0 && n != r.length {
			r.state = lost
		}
		r.length = n
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		// Package net/http ignores it in HTTP/1.0.
		if !bytes.EqualFold(value, []byte("chunked")) || !strings.HasSuffix(r.request.line, " HTTP/1.1") {
			r.state = lost
		}
		r.chunked = true
	}
}

// endHead says what the head has, and goes on to the body.
func (r *reader) endHead() {
	r.request.framing = Clear
	switch {
	case r.chunked && r.length >= 0:
		r.request.framing, r.state = Ambiguous, chunkSize
	case r.chunked:
		r.state = chunkSize
	case r.length > 0:
		r.left, r.state = r.length, body
	default:
		r.state = startLine
	}
}
