package e2e

import (
	"errors"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/testenv"
)

// fault is something that can go wrong. make makes it, and ends it.
type fault struct {
	name string
	make func(*breaker) error
}

// onWorker breaks one of the workers.
func (b *breaker) onWorker(fault func(*process) error) error {
	b.hurt.Lock()
	defer b.hurt.Unlock()
	return fault(b.workers[b.random.IntN(len(b.workers))])
}

// replace ends a worker and starts another one.
func (b *breaker) replace(end func(*process) error) error {
	b.hurt.Lock()
	defer b.hurt.Unlock()
	i := b.random.IntN(len(b.workers))
	ended := end(b.workers[i])
	next, err := b.again("worker", "")
	if err == nil {
		b.workers[i] = next
	}
	return errors.Join(ended, err)
}

// restart ends the API process that has faults and starts it again at the same address.
func (b *breaker) restart(end func(*process) error) error {
	ended := end(b.api)
	b.pause(10*time.Millisecond, time.Second)
	next, err := b.again("api", b.api.addr)
	if err == nil {
		b.api = next
	}
	return errors.Join(ended, err)
}

func killed(p *process) error { return p.End(syscall.SIGKILL) }

// ofProcesses are the faults of NATS, workers and API processes.
func (s *storm) ofProcesses() []fault {
	return []fault{
		{"worker frozen", func(b *breaker) error {
			return b.onWorker(func(w *process) error { return b.freeze(w.Signal, time.Second, 5*time.Second) })
		}},
		{"worker killed", func(b *breaker) error { return b.replace(killed) }},
		{"worker stopped", func(b *breaker) error { return b.replace((*process).terminate) }},
		{"NATS restarted", func(*breaker) error { return s.nats.Restart() }},
		{"NATS away", func(b *breaker) error {
			s.nats.Stop()
			b.pause(500*time.Millisecond, 3*time.Second)
			return s.nats.Restart()
		}},
		{"API frozen", func(b *breaker) error { return b.freeze(s.api.Signal, 500*time.Millisecond, 4*time.Second) }},
		{"API killed", func(b *breaker) error { return b.restart(killed) }},
		{"API stopped", func(b *breaker) error { return b.restart((*process).terminate) }},
	}
}

// ofOneNode are the faults of a mongod that is alone.
func (s *storm) ofOneNode(mongo *testenv.Mongo) []fault {
	return []fault{
		{"MongoDB frozen", func(b *breaker) error { return b.freeze(mongo.Signal, 500*time.Millisecond, 3*time.Second) }},
		{"MongoDB killed", func(*breaker) error { return errors.Join(mongo.Kill(), mongo.Restart()) }},
		{"MongoDB and a worker frozen", func(b *breaker) error { // a host that stalls
			return b.onWorker(func(w *process) error {
				if err := w.Signal(syscall.SIGSTOP); err != nil {
					return err
				}
				err := b.freeze(mongo.Signal, 500*time.Millisecond, 3*time.Second)
				return errors.Join(err, w.Signal(syscall.SIGCONT))
			})
		}},
	}
}

// ofThreeNodes are the faults of a replica set. A set that has got no new primary by a fault that must bring one shows
// nothing, so that is an error.
func (s *storm) ofThreeNodes(set *testenv.ReplicaSet) []fault {
	deposed := func(must bool, fault func(primary *testenv.Mongo) error) error {
		if err := set.Settle(); err != nil {
			return err
		}
		before, err := set.Primary()
		if err != nil {
			return err
		}
		if err := errors.Join(fault(before), set.Settle()); err != nil {
			return err
		}
		after, err := set.Primary()
		if err == nil && after == before && must {
			err = errors.New("the primary is the same as before, so nothing is shown")
		}
		return err
	}
	return []fault{
		{"primary killed", func(b *breaker) error {
			return deposed(true, func(primary *testenv.Mongo) error {
				err := errors.Join(primary.Kill(), set.Replaced(primary))
				b.pause(100*time.Millisecond, 3*time.Second)
				return errors.Join(err, primary.Restart())
			})
		}},
		{"primary steps down", func(*breaker) error {
			return deposed(true, func(primary *testenv.Mongo) error {
				_ = primary.Command(bson.D{{Key: "replSetStepDown", Value: 10}, {Key: "force", Value: true}}) // it may cut off its answer
				return nil
			})
		}},
		{"primary frozen for a moment", func(b *breaker) error {
			return deposed(false, func(primary *testenv.Mongo) error { return b.freeze(primary.Signal, 500*time.Millisecond, time.Second) })
		}},
		{"primary frozen and deposed", func(b *breaker) error {
			return deposed(true, func(primary *testenv.Mongo) error {
				err := errors.Join(testenv.Freeze(primary), set.Replaced(primary))
				b.pause(100*time.Millisecond, 3*time.Second)
				return errors.Join(err, testenv.Thaw(primary))
			})
		}},
		{"no majority", func(b *breaker) error {
			if err := set.Settle(); err != nil {
				return err
			}
			secondaries, err := set.Secondaries()
			if err != nil {
				return err
			}
			if err := testenv.Freeze(secondaries...); err != nil {
				return err
			}
			b.pause(1500*time.Millisecond, 4*time.Second)
			return errors.Join(testenv.Thaw(secondaries...), set.Settle())
		}},
	}
}
