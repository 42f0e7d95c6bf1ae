package soldout

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/eventio/eventio/pkg/store"
)

// unansweredSlots is over how many counters the requests under way are spread. It is a power of two.
const unansweredSlots = 1 << 16

// unanswered counts the requests to register that have come in and are not answered yet, by event and person. It has no
// names, only counters that several may share: somebody may seem to have an earlier request who has none, and is then
// answered by a worker. The other way round it never errs. It is safe for concurrent use.
type unanswered struct {
	seed  maphash.Seed
	slots [unansweredSlots]atomic.Int32
}

// begin counts a request, until what it returns is counted down. It reports whether there is no earlier one.
func (u *unanswered) begin(event, user store.ID) (slot *atomic.Int32, alone bool) {
	var both [2 * len(event)]byte
	copy(both[copy(both[:], event[:]):], user[:])
	slot = &u.slots[maphash.Bytes(u.seed, both[:])%unansweredSlots]
	return slot, slot.Add(1) == 1
}
