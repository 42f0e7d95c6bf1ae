package api_test

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

// probe measures all the time how long a request takes that needs nothing: on a busy machine
// that is what every answer is late by, however good the product.
type probe struct {
	mu      sync.Mutex // guards all below
	samples []sample
	begun   time.Time // of the round under way
}

type sample struct {
	end  time.Time
	late time.Duration
}

const probeEvery = 20 * time.Millisecond

// startProbe asks for /livez at url until the test ends, each time over a new connection.
func startProbe(t testing.TB, url string) *probe {
	p := &probe{begun: time.Now()}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: awhile}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(probeEvery):
			}
			if res, err := client.Get(url + "/livez"); err == nil {
				_ = res.Body.Close()
			}
			p.mu.Lock()
			p.samples = append(p.samples, sample{time.Now(), time.Since(p.begun) - probeEvery})
			p.begun = time.Now()
			p.mu.Unlock()
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	return p
}

// worst is the longest round that was under way at some time since.
func (p *probe) worst(since time.Time) (late time.Duration) {
	if p == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	late = max(0, time.Since(p.begun)-probeEvery)
	for _, s := range p.samples {
		if s.end.After(since) {
			late = max(late, s.late)
		}
	}
	return late
}
