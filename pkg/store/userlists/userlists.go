// Package userlists parts what a store has read of the lists of several users by one command.
package userlists

import (
	"bytes"
	"maps"

	"github.com/eventio/eventio/pkg/store"
)

// Part parts rows, which come user by user in descending order of their ids, into the lists of the users. Of more than most rows
// the store has read only some, so that the last list may be longer than it seems, and there may be others behind it. length is how many
// rows of that one there are, and the lists of users behind it are in none of the results. Who has no row has an empty list.
func Part[R any](users []store.ID, rows []R, userOf func(R) store.ID, most int) (whole map[store.ID][]R, cut store.ID, length int) {
	whole = make(map[store.ID][]R, len(users))
	for _, user := range users {
		whole[user] = nil
	}
	if len(rows) > most {
		cut = userOf(rows[len(rows)-1])
		maps.DeleteFunc(whole, func(user store.ID, _ []R) bool { return bytes.Compare(user[:], cut[:]) <= 0 })
	}
	for _, r := range rows {
		user := userOf(r)
		if list, asked := whole[user]; asked {
			whole[user] = append(list, r)
		} else if user == cut {
			length++
		}
	}
	return whole, cut, length
}
