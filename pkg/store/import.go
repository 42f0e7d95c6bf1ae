package store

// ImportRequestID is the RequestID of imported registrations.
const ImportRequestID = "import"

// ImportedEvent returns e as it is stored with an imported roster of n users.
func ImportedEvent(e Event, n int) Event {
	e.Version, e.Revision, e.Recorded = 1, 1, 1
	e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough = int64(n), 0, int64(n), int64(n)
	return e
}
