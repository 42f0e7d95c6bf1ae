package sqldb

import (
	"fmt"
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// ID scans an id from a blob of 12 bytes.
type ID struct{ To *store.ID }

// Scan implements sql.Scanner.
func (s ID) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != len(s.To) {
		return fmt.Errorf("id is %T of the wrong size", v)
	}
	copy(s.To[:], b)
	return nil
}

// Millis scans a time from milliseconds since 1970; 0 is the zero time.
type Millis struct{ To *time.Time }

// Scan implements sql.Scanner.
func (s Millis) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("time is %T, not a whole number", v)
	}
	*s.To = time.Time{}
	if n != 0 {
		*s.To = time.UnixMilli(n).UTC()
	}
	return nil
}

// UnixMillis returns the value from which Millis scans t.
func UnixMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Past scans a list of past requests from a text.
type Past struct{ To *store.PastRequests }

// Scan implements sql.Scanner.
func (s Past) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("past requests are %T, not a text", v)
	}
	*s.To = store.ParsePastRequests(text)
	return nil
}

// Revisions scans a list of revisions from a text.
type Revisions struct{ To *store.Revisions }

// Scan implements sql.Scanner.
func (s Revisions) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("revisions are %T, not a text", v)
	}
	*s.To = store.ParseRevisions(text)
	return nil
}

// ScanTarget returns what scans a column into the variable at p, which is a field of the domain.
func ScanTarget(p any) any {
	switch p := p.(type) {
	case *store.ID:
		return ID{p}
	case *time.Time:
		return Millis{p}
	case *store.PastRequests:
		return Past{p}
	}
	return p
}

// Value returns how a field of the domain is stored in a column. v is the field's value or a pointer
// to it.
func Value(v any) any {
	switch v := v.(type) {
	case store.ID:
		return v[:]
	case *store.ID:
		return v[:]
	case time.Time:
		return UnixMillis(v)
	case *time.Time:
		return UnixMillis(*v)
	case store.PastRequests:
		return v.String()
	case *store.PastRequests:
		return v.String()
	}
	return v
}
