package store

// NeedProof returns the users of a batch of whom a decision needs to know whether they have proven
// their addresses: those who register for an event that asks for it, or that the batch makes ask. An
// event that takes anybody costs nothing.
func NeedProof(states map[ID]EventState, batch []SeatRequest) []ID {
	asks := make(map[ID]bool)
	for id, state := range states {
		asks[id] = state.Event.RequiresProvenEmail
	}
	for _, req := range batch {
		if req.Kind == EditEvent && req.Edit.RequiresProvenEmail != nil && *req.Edit.RequiresProvenEmail {
			if _, exists := states[req.EventID]; exists {
				asks[req.EventID] = true
			}
		}
	}
	var users []ID
	seen := make(map[ID]bool)
	for _, req := range batch {
		if req.Kind == Register && asks[req.EventID] && !seen[req.UserID] {
			seen[req.UserID] = true
			users = append(users, req.UserID)
		}
	}
	return users
}

// SetProven notes in the states that these users have proven their addresses.
func SetProven(states map[ID]EventState, proven []ID) {
	for id, state := range states {
		if state.Proven == nil {
			state.Proven = make(map[ID]bool, len(proven))
		}
		for _, user := range proven {
			state.Proven[user] = true
		}
		states[id] = state
	}
}
