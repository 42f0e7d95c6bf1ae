package gate

import (
	"fmt"
	"hash/maphash"
	"math"
	"net/http"
	"strings"
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

// take counts n requests of the client with a key, who may make limit of them; below 0 gives some back. It returns how many
// are left and when the window ends. It is not ok, and nothing is counted, when fewer than n were left.
func (c *counter) take(key string, n, limit int, now time.Time) (left int, reset time.Duration, ok bool) {
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
	if ok = w.used+n <= limit; ok {
		w.used = max(0, w.used+n)
	}
	c.young[hash] = w
	return max(0, limit-w.used), w.end.Sub(now), ok
}

// pass counts n requests, or all that are let through where these are fewer, against a limit that is so
// many times the usual one, and tells its state in the headers of the answer. It fails with the problem RateLimited when the limit is used up. A nil
// counter limits nothing.
func (c *counter) pass(w http.ResponseWriter, key string, n, factor int) error {
	if c == nil {
		return nil
	}
	rate := c.rate.times(factor)
	if n > 1 { // beside the one that was counted when the request was admitted
		n = min(n, rate.Most-1)
	}
	left, reset, ok := c.take(key, n, rate.Most, time.Now())
	seconds := c.tell(w, rate, left, reset)
	if ok {
		return nil
	}
	p := problem.New(problem.RateLimited)
	p.RetryAfter = time.Duration(seconds) * time.Second
	return p
}

// giveBack takes a request back that pass has counted. A nil counter counts nothing.
func (c *counter) giveBack(w http.ResponseWriter, key string) {
	if c == nil {
		return
	}
	left, reset, _ := c.take(key, -1, c.rate.Most, time.Now())
	c.tell(w, c.rate, left, reset)
}

// tell tells the state of a limit in the headers of an answer, and returns in how many seconds it begins anew.
func (c *counter) tell(w http.ResponseWriter, rate Rate, left int, reset time.Duration) (seconds int) {
	seconds = int(math.Ceil(reset.Seconds()))
	setMember(w.Header(), headerRatePolicy, c.name, fmt.Sprintf(";q=%d;w=%d", rate.Most, int(rate.Window.Seconds())))
	setMember(w.Header(), headerRateLimit, c.name, fmt.Sprintf(";r=%d;t=%d", left, seconds))
	return seconds
}

// setMember sets what is said of a policy in a list in a header, on its one line: clients look at no
// second one.
func setMember(h http.Header, name, policy, parameters string) {
	member := fmt.Sprintf("%q", policy)
	var members []string
	for before := range strings.SplitSeq(h.Get(name), ", ") {
		if before != "" && !strings.HasPrefix(before, member+";") {
			members = append(members, before)
		}
	}
	h.Set(name, strings.Join(append(members, member+parameters), ", "))
}
