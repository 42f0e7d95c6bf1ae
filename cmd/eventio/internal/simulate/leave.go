package simulate

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// leave lets some of those who got a place give it back, all at once, and lists what is
// wrong afterwards: who left is gone, and no place is free while somebody waits.
func (s simulation) leave(ctx context.Context, event store.ID, tries []try, c Command) (wrong []string, err error) {
	left, held := make(map[store.ID]bool), make(map[store.ID]bool) // told 201, or 202
	var leaving []store.ID
	for _, t := range tries {
		if t.status == http.StatusCreated && len(leaving) < c.Cancels {
			leaving, left[t.user] = append(leaving, t.user), true
		}
		held[t.user] = held[t.user] || t.status == http.StatusCreated || t.status == http.StatusAccepted
	}
	statuses := make([]int, len(leaving))
	lasting := context.WithoutCancel(ctx) // whoever leaves is answered
	var crowd sync.WaitGroup
	for i, user := range leaving {
		crowd.Go(func() {
			statuses[i] = statusOf(s.as(user).CancelRegistration(lasting, event, user), http.StatusNoContent)
		})
	}
	crowd.Wait()
	for i, status := range statuses {
		if status != http.StatusNoContent {
			wrong = append(wrong, fmt.Sprintf("user %s left and was told %d", leaving[i].Hex(), status))
		}
	}
	roster, err := s.users(ctx, event, client.StatusConfirmed)
	if err != nil {
		return nil, err
	}
	line, err := s.users(ctx, event, client.StatusWaitlisted)
	if err != nil {
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
