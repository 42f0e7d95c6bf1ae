package messages

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/pkg/messages/internal/liveness"
)

// roll tells all API processes which workers have answered the ping of one of them. With it the messages by which
// they find the workers grow with the number of both, and not with their product: one of them pings, all workers
// answer that one, and it tells the others. A process of the version before pings by itself and hears no rolls,
// and so does one that may not listen to them.
//
// Nothing in it is believed that would hurt: a worker on it that does not exist costs one round trip, and one that is
// missing has others ping by themselves (see liveness.Workers.Heard).
type roll struct {
	By      string   `json:"by"` // the name of the router that wrote it
	Workers []string `json:"workers"`
}

// ShareRolls has the Requester share what it learns of workers with the other API processes of its namespace, and
// learn from them: it pings less, and not at all while another does. It is for processes of which there may be
// many, and called once. Without it, or without the permission to hear the subject of rolls, a Requester pings by itself.
func (r *Requester) ShareRolls() error {
	r.router.mu.Lock()
	r.router.shares = true
	r.router.mu.Unlock()
	if _, err := r.conn.Subscribe(r.router.namespace.Rolls(), r.router.receiveRoll); err != nil {
		return fmt.Errorf("subscribe to rolls of workers: %w", err)
	}
	return nil
}

// errRoll is the result of decoding what is no roll.
var errRoll = errors.New("not a roll of workers")

// decodeRoll reads a roll. It fails on malformed data, on a roll of nobody or of too many, and on ids that cannot be a
// token of a subject.
func decodeRoll(data []byte) (roll, error) {
	var r roll
	if len(data) > MaxMessage || json.Unmarshal(data, &r) != nil || len(r.Workers) == 0 || len(r.Workers) > liveness.MaxWorkers {
		return roll{}, errRoll
	}
	for _, worker := range r.Workers {
		if !validToken(worker) {
			return roll{}, errRoll
		}
	}
	return r, nil
}

// round is a ping of this process and those who have answered it. router.mu guards it.
type round struct{ answered []string }

// sendRoll tells the other processes who has answered in a round, unless somebody has told it meanwhile or another
// round has begun. A round without answers says nothing: perhaps this process alone hears none.
func (r *router) sendRoll(asked *round) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked != asked {
		return
	}
	r.asked = nil
	if !r.state.Up() || len(asked.answered) == 0 || len(asked.answered) > liveness.MaxWorkers {
		return
	}
	if data, err := json.Marshal(roll{r.name, asked.answered}); err == nil {
		_ = r.conn.Publish(r.namespace.Rolls(), data) // who hears none pings by itself
	}
}

// receiveRoll is the callback for rolls.
func (r *router) receiveRoll(msg *nats.Msg) {
	told, err := decodeRoll(msg.Data)
	if err != nil || told.By == r.name {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	changed, doubt := r.workers.Heard(told.Workers, time.Now(), rand.N(liveness.RollJitter))
	if changed {
		r.current.Store(nil)
	}
	if doubt {
		r.pingIfDue()
		return
	}
	r.asked = nil // a roll of the same is told already
}
