package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/eventio/eventio/pkg/store"
)

// leave lets some of those who got a place give it back, all at once, and lists what is
// wrong afterwards: who left is gone, and no place is free while somebody waits.
func (s simulation) leave(ctx context.Context, event store.ID, tries []try, c simulateConfig) (wrong []string, err error) {
	left, held := make(map[store.ID]bool), make(map[store.ID]bool) // told 201, or 202
	var leaving []store.ID
	for _, t := range tries {
		if t.status == http.StatusCreated && len(leaving) < c.Cancels {
			leaving, left[t.user] = append(leaving, t.user), true
		}
		held[t.user] = held[t.user] || t.status == http.StatusCreated || t.status == http.StatusAccepted
	}
	statuses := make([]int, len(leaving))
	var crowd sync.WaitGroup
	for i, user := range leaving {
		crowd.Go(func() { statuses[i] = s.cancel(ctx, event, user) })
	}
	crowd.Wait()
	for i, status := range statuses {
		if status != http.StatusNoContent {
			wrong = append(wrong, fmt.Sprintf("user %s left and was told %d", leaving[i].Hex(), status))
		}
	}
	var roster, line []store.ID
	path := "/api/events/" + event.Hex() + "/registrations"
	if err := s.call(ctx, http.MethodGet, path, nil, &roster); err != nil {
		return nil, err
	}
	if err := s.call(ctx, http.MethodGet, path+"?status=waitlisted", nil, &line); err != nil {
		return nil, err
	}
	for _, user := range append(roster, line...) {
		if left[user] || !held[user] {
			wrong = append(wrong, fmt.Sprintf("user %s is there and should not be", user.Hex()))
		}
	}
	if len(line) > 0 && int64(len(roster)) < c.Capacity {
		wrong = append(wrong, fmt.Sprintf("%d wait while %d of %d places are taken", len(line), len(roster), c.Capacity))
	}
	return wrong, nil
}

// cancel gives a user's place back and returns the status of the answer, 0 when none came.
func (s simulation) cancel(ctx context.Context, event, user store.ID) int {
	req, err := s.request(ctx, http.MethodDelete, "/api/events/"+event.Hex()+"/registrations/"+user.Hex(), nil)
	if err == nil {
		err = s.sign(req, user)
	}
	if err != nil {
		return 0
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}
