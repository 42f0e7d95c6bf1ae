package input

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
)

// List names one list: its path and its filters. A cursor belongs to one list.
type List string

// ListOf names the list at a path, with every parameter of the query but the page's own.
func ListOf(path string, q url.Values) List {
	filters := make(url.Values, len(q))
	for name, values := range q {
		if name != "limit" && name != "cursor" {
			filters[name] = values
		}
	}
	return List(path + "?" + filters.Encode())
}

// cursorCheck is how many bytes of the SHA-256 sum a cursor has.
const cursorCheck = 8

var cursorEncoding = base64.RawURLEncoding.Strict()

// Cursor makes the cursor of a place in the list, in base64url: the place, and the first bytes of a
// SHA-256 sum over the place and the list. The sum is a check, not a signature: it keeps a cursor
// from being used for another list, and a mistake from passing for a place. Whoever computes a
// cursor by hand reaches a place that filters could have named too.
func (l List) Cursor(place []byte) string {
	return cursorEncoding.EncodeToString(append(place, l.sum(place)...))
}

// sum makes the check of a place. All places of a list have the same length, so it is clear where
// the place ends and the name of the list begins.
func (l List) sum(place []byte) []byte {
	sum := sha256.New()
	sum.Write(place)
	sum.Write([]byte(l))
	return sum.Sum(nil)[:cursorCheck]
}

// place returns the place of size bytes, or nil when text is no cursor of this list.
func (l List) place(text string, size int) []byte {
	if len(text) != cursorEncoding.EncodedLen(size+cursorCheck) {
		return nil
	}
	data, err := cursorEncoding.DecodeString(text)
	// The decoder skips line ends, so the data may still be too short.
	if err != nil || len(data) != size+cursorCheck || !bytes.Equal(data[size:], l.sum(data[:size])) {
		return nil
	}
	return data[:size]
}

// Cursor reads the cursor of a query, for a list whose places have size bytes. It returns nil when
// none was sent, or a wrong one.
func (f *Fields) Cursor(l List, q url.Values, size int) []byte {
	if !q.Has("cursor") {
		return nil
	}
	place := l.place(q.Get("cursor"), size)
	if place == nil {
		f.Add("cursor", "must be a cursor from the Link header of a page of this list, with the same filters")
	}
	return place
}
