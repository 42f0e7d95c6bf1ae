package wire

import (
	"time"

	"github.com/eventio/eventio/pkg/store"
)

// Attendee is what the organizer is told of somebody who is registered for an event.
type Attendee struct {
	UserID       store.ID  `json:"user_id"`
	Name         string    `json:"name,omitzero"`  // empty: nobody has signed up with this id
	Email        string    `json:"email,omitzero"` // likewise
	Number       int64     `json:"number"`         // in the event's order of admission, from 1
	Status       Status    `json:"status"`
	RegisteredAt time.Time `json:"registered_at"`
}

// The orders of a guest list, in the query's sort.
const (
	SortNumber           = "number"
	SortNumberDescending = "-number"
	SortName             = "name"
	SortTime             = "registered_at"
)

// The forms of a guest list, in the query's format.
const (
	FormatJSON = "json"
	FormatCSV  = "csv"
)

// What is between the fields of a CSV file, in the query's separator.
const (
	SeparatorComma     = "comma"
	SeparatorSemicolon = "semicolon"
)
