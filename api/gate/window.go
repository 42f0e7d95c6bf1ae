package gate

import (
	"fmt"
	"hash/maphash"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/eventio/eventio/api/problem"
)

// Rate is a rate limit. The zero Rate limits nothing.
type Rate struct {
	// Most is how many requests are let through in a window.
	Most int
	// Window is a time in whole seconds. It begins with the first request of each client.
	Window time.Duration
}

// times returns a rate of so many times as many requests.
func (r Rate) times(factor int) Rate {
	return Rate{r.Most * max(1, factor), r.Window}
}

// The headers of a rate limit (draft-ietf-httpapi-ratelimit-headers-10), as package http spells them.
const (
	headerRateLimit  = "Ratelimit"
	headerRatePolicy = "Ratelimit-Policy"
)

// maxKeys bounds the clients that a counter keeps apart in one window: about 5 MB. When there are
// more it forgets the earlier half.
const maxKeys = 1 << 17

// counter counts the requests of each client in windows. It is safe for concurrent use.
type counter struct {
	name string // of its policy, for clients
	rate Rate
	seed maphash.Seed // of the keys below

	mu     sync.Mutex // guards all below
	turned time.Time
	young  map[uint64]window // begun since turned
	old    map[uint64]window // begun in the window before
}

// window is what one client has used.
type window struct {
	end  time.Time
	used int
}

// newCounter makes a counter; nil: the rate limits nothing.
func newCounter(name string, rate Rate) *counter {
	if rate.Most <= 0 {
		return nil
	}
	return &counter{name: name, rate: rate, seed: maphash.MakeSeed(), turned: time.Now(), young: make(map[uint64]window)}
}

// take counts a request of the client with a key, who may make limit of them. It returns how many
// are left and when the window ends; below zero are left when the request is one too many, which
// is not counted.
func (c *counter) take(key string, limit int, now time.Time) (left int, reset time.Duration) {
	hash := maphash.String(c.seed, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.turned) >= c.rate.Window || len(c.young) >= maxKeys {
		c.turned, c.old, c.young = now, c.young, make(map[uint64]window)
	}
	w, found := c.young[hash]
	if !found {
		w = c.old[hash]
	}
	if !now.Before(w.end) {
		w = window{end: now.Add(c.rate.Window)}
	}
	if left = limit - w.used - 1; left >= 0 {
		w.used++
	}
	c.young[hash] = w
	return left, w.end.Sub(now)
}

// pass counts a request against a limit that is so many times the usual one, and tells its state in
// the headers of the answer. It fails with the problem RateLimited when the limit is used up. A nil
// counter limits nothing.
func (c *counter) pass(w http.ResponseWriter, key string, factor int) error {
	if c == nil {
		return nil
	}
	rate := c.rate.times(factor)
	left, reset := c.take(key, rate.Most, time.Now())
	seconds := int(math.Ceil(reset.Seconds()))
	addMember(w.Header(), headerRatePolicy, fmt.Sprintf("%q;q=%d;w=%d", c.name, rate.Most, int(rate.Window.Seconds())))
	addMember(w.Header(), headerRateLimit, fmt.Sprintf("%q;r=%d;t=%d", c.name, max(0, left), seconds))
	if left >= 0 {
		return nil
	}
	p := problem.New(problem.RateLimited)
	p.RetryAfter = time.Duration(seconds) * time.Second
	return p
}

// addMember adds a member to a list in a header, on its one line: clients look at no second one.
func addMember(h http.Header, name, member string) {
	if before := h.Get(name); before != "" {
		member = before + ", " + member
	}
	h.Set(name, member)
}
