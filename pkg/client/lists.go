package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// defaultPage is the size of a page when none is asked for.
const defaultPage = 100

// pageOf makes the query of a page.
func pageOf(limit int, cursor string) url.Values {
	if limit == 0 {
		limit = defaultPage
	}
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	return q
}

// readPage reads the page that a call asks for.
func readPage[T any](ctx context.Context, c *Client, q call) (Page[T], error) {
	var page Page[T]
	q.method = http.MethodGet
	err := c.do(ctx, q, into(&page.Items, func(res *http.Response) { page.Next = nextCursor(res.Header) }))
	return page, err
}

// nextCursor reads the cursor of the next page from Link (RFC 8288); empty: there is none.
func nextCursor(h http.Header) string {
	address, ok := strings.CutSuffix(h.Get("Link"), `>; rel="next"`)
	if !ok {
		return ""
	}
	u, err := url.Parse(strings.TrimPrefix(address, "<"))
	if err != nil {
		return ""
	}
	return u.Query().Get("cursor")
}

// eachOf gives the items of all pages from a cursor on.
func eachOf[T any](read func(cursor string) (Page[T], error), cursor string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for at := cursor; ; {
			page, err := read(at)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
			if at = page.Next; at == "" {
				return
			}
		}
	}
}

// stream gives the items of an array as they come.
func stream[T any](ctx context.Context, c *Client, q call) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		begun := false
		err := c.do(ctx, q, func(res *http.Response) error {
			from := json.NewDecoder(res.Body)
			if token, err := from.Token(); err != nil || token != json.Delim('[') {
				return listError(err, begun)
			}
			res.Body.(*timedBody).timer.Stop()
			for from.More() {
				var item T
				if err := from.Decode(&item); err != nil {
					return listError(err, begun)
				}
				if begun = true; !yield(item, nil) {
					return nil
				}
			}
			if _, err := from.Token(); err != nil {
				return listError(err, begun)
			}
			return nil
		})
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// listError is the error of a list that ends too soon or is none. One that has begun is not
// asked for again: its items are given already.
func listError(err error, begun bool) error {
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == nil:
		return finalError{errors.New("the answer is no list; does Event.io run there?")}
	case errors.As(err, &syntax), errors.As(err, &mistyped):
		return finalError{fmt.Errorf("the answer is no list; does Event.io run there? %w", err)}
	case begun:
		return finalError{fmt.Errorf("the list broke off: %w", err)}
	}
	return fmt.Errorf("the list broke off: %w", err)
}
