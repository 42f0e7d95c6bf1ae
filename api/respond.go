package api

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

const (
	// flushEvery is how much of a stream is gathered before it is sent, in bytes.
	flushEvery = 32 << 10
	// stall is how long a reader of a stream may take for flushEvery bytes.
	stall = 15 * time.Second
)

// writeJSON sends v.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
	return nil
}

// streamJSON sends the items of a list as one array, in constant memory. The context that list
// gets outlives the deadline of the answer: it ends when the first piece is not there by then, when
// no later one has come for the time of a request, and when the client leaves. An error before
// anything is sent is returned for a problem document; a later one breaks the answer off.
//
// A list that fits into the first piece is sent as one answer with its ETag; a longer one
// has none, because it would have to be read twice. HEAD reads no further than that piece.
func (a *API) streamJSON(w http.ResponseWriter, r *request, list func(context.Context) iter.Seq2[any, error]) error {
	ctx, cancel := context.WithCancel(r.lasting)
	defer cancel()
	watchdog := time.AfterFunc(time.Until(r.deadline), cancel)
	defer watchdog.Stop()
	control := http.NewResponseController(w)
	buf := make([]byte, 0, flushEvery+4<<10)
	buf = append(buf, '[')
	w.Header().Set("Content-Type", "application/json")
	begun := time.Now()
	send := func(more bool) error {
		watchdog.Stop()
		worked := time.Since(begun)
		// Not every writer has deadlines (tests); the server's own limit stands then.
		_ = control.SetWriteDeadline(time.Now().Add(stall))
		_, err := w.Write(buf)
		buf = buf[:0]
		if more && err == nil {
			a.giveWay.pause(ctx, worked)
			begun = time.Now()
		}
		watchdog.Reset(a.config.RequestTimeout)
		return err
	}
	first, sent := true, false
	for item, err := range list(ctx) {
		if err != nil {
			return err
		}
		if !first {
			buf = append(buf, ',')
		}
		first = false
		data, err := json.Marshal(item)
		if err != nil {
			return fmt.Errorf("encode an item of a list: %w", err)
		}
		buf = append(buf, data...)
		if len(buf) >= flushEvery {
			if r.Method == http.MethodHead {
				return nil
			}
			sent = true
			if err := send(true); err != nil {
				return fmt.Errorf("send a list: %w", err)
			}
		}
	}
	buf = append(buf, ']')
	if !sent {
		writeTagged(w, r.Request, "application/json", buf)
		return nil
	}
	return send(false)
}

// encoded converts the items of a list to what is sent.
func encoded[T any](seq iter.Seq2[T, error], convert func(T) any) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for v, err := range seq {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(convert(v), nil) {
				return
			}
		}
	}
}

// linkNext says in a header where the next page is.
func linkNext(w http.ResponseWriter, path string, q url.Values, limit int, cursor string) {
	next := make(url.Values, len(q)+1)
	maps.Copy(next, q)
	next.Set("limit", strconv.Itoa(limit))
	next.Set("cursor", cursor)
	w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", path, next.Encode()))
}

// noStore keeps caches from storing an answer that is for one person.
func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }
