package store

// ImportRequestID is the RequestID of imported registrations.
const ImportRequestID = "import"

// ImportedRegistration returns the registration of the user at index i, from 0, of an imported
// roster.
func ImportedRegistration(e Event, i int, user ID) Registration {
	return Registration{
		EventID: e.ID, UserID: user, Number: int64(i) + 1, RequestID: ImportRequestID, RegisteredAt: e.CreatedAt,
		Revisions: Revisions{1},
	}
}

// ImportedEvent returns e as it is stored with an imported roster of n users.
func ImportedEvent(e Event, n int) Event {
	e.Version, e.Revision, e.Recorded = 1, 1, 1
	e.TicketsSold, e.Waiting, e.LastNumber, e.ConfirmedThrough = int64(n), 0, int64(n), int64(n)
	return e
}
