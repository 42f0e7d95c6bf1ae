// Package userlists parts what a store has read of the lists of several users by one command.
package userlists

import (
	"bytes"
	"maps"

	"github.com/eventio/eventio/pkg/store"
)

// Whole parts rows, which come user by user in descending order of their ids, into the lists of the users. Of more than most rows
// the store has read only some, so that the last list may be longer than it seems, and there may be others behind it: these users are
// missing. Everybody else has a list, which is empty for who has no row.
func Whole[R any](users []store.ID, rows []R, userOf func(R) store.ID, most int) map[store.ID][]R {
	lists := make(map[store.ID][]R, len(users))
	for _, user := range users {
		lists[user] = nil
	}
	if len(rows) > most {
		last := userOf(rows[len(rows)-1])
		maps.DeleteFunc(lists, func(user store.ID, _ []R) bool { return bytes.Compare(user[:], last[:]) <= 0 })
	}
	for _, r := range rows {
		if list, whole := lists[userOf(r)]; whole {
			lists[userOf(r)] = append(list, r)
		}
	}
	return lists
}
