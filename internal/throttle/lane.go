package throttle

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"
)

const (
	// keepNetwork is how long a network of which no attempt waits is remembered.
	keepNetwork = time.Hour
	// sample is of how many networks of a full slow lane the one seen least recently makes room.
	sample = 16
)

// counter counts what is let off with time: so many an hour.
type counter struct {
	value float64
	at    time.Time // when value was right
}

// count returns the count at the time now, when hourly are taken off each hour.
func (c *counter) count(now time.Time, hourly float64) float64 {
	if passed := now.Sub(c.at); passed > 0 {
		c.value, c.at = max(0, c.value-hourly*passed.Hours()), now
	}
	return c.value
}

// add changes the count, which stays between 0 and most.
func (c *counter) add(n, most float64) { c.value = max(0, min(c.value+n, most)) }

// account is an account at which attempts were made, and its slow lane.
type account struct {
	counter // wrong passwords and attempts under way
	told    bool

	busy     bool      // an attempt of the slow lane is under way
	free     time.Time // when the next one may begin, if it is not busy
	inOrder  bool      // whether the next turn goes by order of arrival alone
	networks map[netip.Prefix]*network
	waiting  []*network // those with an attempt that waits
}

// network is one that has come to an account's slow lane. At most one attempt of it waits.
type network struct {
	prefix  netip.Prefix
	arrived time.Time     // since when it wants a turn. zero: it has had it
	wrong   int           // wrong passwords in the slow lane
	turn    chan struct{} // one buffered: tells the attempt that waits to look again. nil: none waits
	seen    time.Time     // when the last attempt left
	account *account
}

// slow waits in the slow lane of an account for the turn of an attempt from a network.
func (a *Accounts) slow(ctx context.Context, acct *account, prefix netip.Prefix) (*Turn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n, slowed := a.arrive(acct, prefix)
	if slowed != nil {
		return nil, slowed
	}
	for {
		mine := acct.first() == n && !acct.busy
		wait := time.Until(acct.free)
		if mine && wait <= 0 {
			break
		}
		var timer <-chan time.Time
		if mine {
			timer = time.After(wait)
		}
		turn := n.turn
		a.mu.Unlock()
		select {
		case <-turn:
		case <-timer:
		case <-ctx.Done():
		}
		a.mu.Lock()
		if err := ctx.Err(); err != nil {
			a.depart(n)
			acct.wake()
			return nil, &SlowedError{RetryAfter: a.retry(n), Cause: err}
		}
	}
	a.depart(n)
	n.arrived = time.Time{}
	acct.busy, acct.inOrder = true, !acct.inOrder
	acct.add(1, a.most())
	return &Turn{accounts: a, counter: &acct.counter, most: a.most(), lane: acct, network: n}, nil
}

// arrive lets an attempt of a network wait in the slow lane.
func (a *Accounts) arrive(acct *account, prefix netip.Prefix) (*network, *SlowedError) {
	now := time.Now()
	n := acct.networks[prefix]
	switch {
	case n != nil && n.turn != nil: // one waits already
		return nil, &SlowedError{RetryAfter: a.retry(n)}
	case n != nil:
		a.absent.Remove(n)
	case a.makeRoom(acct, now):
		n = &network{prefix: prefix, account: acct}
		if acct.networks == nil {
			acct.networks = make(map[netip.Prefix]*network)
		}
		acct.networks[prefix] = n
	default:
		return nil, &SlowedError{RetryAfter: maxAccountNetworks * a.pause(acct.value)}
	}
	if n.arrived.IsZero() {
		n.arrived = now
	}
	n.turn = make(chan struct{}, 1)
	acct.waiting = append(acct.waiting, n)
	a.waiting++
	return n, nil
}

// depart ends the waiting of the attempt of a network. The network goes on
// wanting its turn, if it has not had it.
func (a *Accounts) depart(n *network) {
	n.turn, n.seen = nil, time.Now()
	at := slices.Index(n.account.waiting, n)
	n.account.waiting = slices.Delete(n.account.waiting, at, at+1)
	a.waiting--
	a.absent.Add(n, struct{}{})
}

// makeRoom forgets networks until there is room for another in the slow lane of an account,
// first those that were not seen for keepNetwork. It reports whether there is room.
func (a *Accounts) makeRoom(acct *account, now time.Time) bool {
	for {
		oldest, _, ok := a.absent.GetOldest()
		full := a.absent.Len()+a.waiting >= maxNetworks
		if full && !ok {
			return false
		}
		if !full && (!ok || now.Sub(oldest.seen) < keepNetwork) {
			break
		}
		a.forget(oldest)
	}
	if len(acct.networks) < maxAccountNetworks {
		return true
	}
	var oldest *network
	looked := 0
	for _, n := range acct.networks { // in no order
		if n.turn == nil && (oldest == nil || n.seen.Before(oldest.seen)) {
			oldest = n
		}
		if looked++; looked >= sample && oldest != nil {
			break
		}
	}
	if oldest != nil {
		a.forget(oldest)
	}
	return oldest != nil
}

// forget forgets a network of which no attempt waits.
func (a *Accounts) forget(n *network) {
	a.absent.Remove(n)
	delete(n.account.networks, n.prefix)
}

// retry estimates in which time a network has its turn, if all who are before it and wait now
// have theirs.
func (a *Accounts) retry(n *network) time.Duration {
	acct := n.account
	earlier, better, either := 0, 0, 0
	for _, other := range acct.waiting {
		before, ahead := other.compareArrived(n) < 0, other.compareWrong(n) < 0
		if before {
			earlier++
		}
		if ahead {
			better++
		}
		if before || ahead {
			either++
		}
	}
	turns := min(either, 2*earlier, 2*better) // every second turn goes by one of the two orders
	wait := max(0, time.Until(acct.free))
	if acct.busy {
		turns++
	}
	return max(wait+time.Duration(turns)*a.pause(acct.value), a.pauses[0])
}

// first returns the network whose turn it is of those with an attempt that waits, or nil. One
// turn goes to the one with the fewest wrong passwords, so that who comes anew overtakes who
// guesses; the next goes to the one that wants it for the longest time, so that nobody waits
// behind an endless stream of newcomers.
func (acct *account) first() *network {
	compare := (*network).compareWrong
	if acct.inOrder {
		compare = (*network).compareArrived
	}
	if len(acct.waiting) == 0 {
		return nil
	}
	return slices.MinFunc(acct.waiting, compare)
}

// compareArrived orders networks by their arrival, as cmp.Compare does.
func (n *network) compareArrived(other *network) int { return n.arrived.Compare(other.arrived) }

// compareWrong orders networks by their wrong passwords, equal ones by their arrival.
func (n *network) compareWrong(other *network) int {
	return cmp.Or(cmp.Compare(n.wrong, other.wrong), n.compareArrived(other))
}

// wake tells the attempt whose turn is next to look whether it has come.
func (acct *account) wake() {
	if n := acct.first(); n != nil {
		select {
		case n.turn <- struct{}{}:
		default: // it has been told
		}
	}
}
