// Package proven is for adapters: it tells which proofs of addresses a decision of package store needs, and notes them.
package proven

import "github.com/eventio/eventio/pkg/store"

// Need returns the users of a batch of whom a decision needs to know whether they have proven
// their addresses: those who register for an event that asks for it, or that the batch makes ask. An
// event that takes anybody costs nothing.
func Need(states map[store.ID]store.EventState, batch []store.SeatRequest) []store.ID {
	asks := make(map[store.ID]bool)
	for id, state := range states {
		asks[id] = state.Event.RequiresProvenEmail
	}
	for _, req := range batch {
		if req.Kind == store.EditEvent && req.Edit.RequiresProvenEmail != nil && *req.Edit.RequiresProvenEmail {
			if _, exists := states[req.EventID]; exists {
				asks[req.EventID] = true
			}
		}
	}
	var users []store.ID
	seen := make(map[store.ID]bool)
	for _, req := range batch {
		if req.Kind == store.Register && asks[req.EventID] && !seen[req.UserID] {
			seen[req.UserID] = true
			users = append(users, req.UserID)
		}
	}
	return users
}

// Note notes in the states that these users have proven their addresses.
func Note(states map[store.ID]store.EventState, proven []store.ID) {
	for id, state := range states {
		if state.Proven == nil {
			state.Proven = make(map[store.ID]bool, len(proven))
		}
		for _, user := range proven {
			state.Proven[user] = true
		}
		states[id] = state
	}
}
