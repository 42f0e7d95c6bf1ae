package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// A cursor is a place in one list, in base64url: the place and the first bytes of a SHA-256
// over it, the name of the list and its filters. The sum is a check, not a signature: it
// keeps a cursor from being used for another list, and a mistake from passing for a place.
// Who computes one by hand reaches a place that from and to could have named too.
const (
	cursorCheck    = 8 // bytes of the sum
	eventPlaceSize = 8 + len(store.ID{})
	numberSize     = 8
)

var cursorEncoding = base64.RawURLEncoding.Strict()

// listName is what a cursor belongs to: the path and every parameter but the page's own.
func listName(path string, q url.Values) string {
	filters := make(url.Values, len(q))
	for name, values := range q {
		if name != "limit" && name != "cursor" {
			filters[name] = values
		}
	}
	return path + "?" + filters.Encode()
}

func cursorSum(list string, place []byte) []byte {
	sum := sha256.New()
	sum.Write(place)
	sum.Write([]byte(list)) // place has a fixed length for each list, so the seam is clear
	return sum.Sum(nil)[:cursorCheck]
}

func encodeCursor(list string, place []byte) string {
	return cursorEncoding.EncodeToString(append(place, cursorSum(list, place)...))
}

// decodeCursor returns the place of size bytes, nil when text is no cursor of this list.
func decodeCursor(list, text string, size int) []byte {
	if len(text) != cursorEncoding.EncodedLen(size+cursorCheck) {
		return nil
	}
	data, err := cursorEncoding.DecodeString(text)
	// The decoder skips line ends, so the data may still be too short.
	if err != nil || len(data) != size+cursorCheck || !bytes.Equal(data[size:], cursorSum(list, data[:size])) {
		return nil
	}
	return data[:size]
}

const wrongCursor = "must be a cursor from the Link header of a page of this list, with the same filters"

func eventsCursor(q url.Values, at store.EventPlace) string {
	place := binary.BigEndian.AppendUint64(nil, uint64(at.StartsAt.UnixMilli()))
	return encodeCursor(listName(pathEvents, q), append(place, at.ID[:]...))
}

func (f *fields) eventCursor(q url.Values) *store.EventPlace {
	place := decodeCursor(listName(pathEvents, q), q.Get("cursor"), eventPlaceSize)
	if place == nil {
		f.add("cursor", wrongCursor)
		return nil
	}
	return &store.EventPlace{
		StartsAt: time.UnixMilli(int64(binary.BigEndian.Uint64(place))).UTC(),
		ID:       store.ID(place[8:]),
	}
}

func rosterCursor(event store.ID, q url.Values, number int64) string {
	return encodeCursor(listName(rosterPath(event), q), binary.BigEndian.AppendUint64(nil, uint64(number)))
}

func (f *fields) rosterCursor(event store.ID, q url.Values) int64 {
	if !q.Has("cursor") {
		return 0
	}
	place := decodeCursor(listName(rosterPath(event), q), q.Get("cursor"), numberSize)
	if place == nil {
		f.add("cursor", wrongCursor)
		return 0
	}
	return int64(binary.BigEndian.Uint64(place))
}

// linkNext says in a header where the next page is.
func linkNext(w http.ResponseWriter, path string, q url.Values, limit int, cursor string) {
	next := make(url.Values, len(q)+1)
	maps.Copy(next, q)
	next.Set("limit", strconv.Itoa(limit))
	next.Set("cursor", cursor)
	w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", path, next.Encode()))
}
