package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Timing keeps how long something takes that is done again and again. The zero value works.
type Timing struct{ h *hdrhistogram.Histogram }

// Take waits for the next tick and times do.
func (t *Timing) Take(tick *time.Ticker, do func() error) error {
	if t.h == nil {
		t.h = hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	}
	<-tick.C
	started := time.Now()
	if err := do(); err != nil {
		return err
	}
	return t.h.RecordValue(time.Since(started).Microseconds())
}

// Median returns the median in milliseconds.
func (t *Timing) Median() float64 { return Quantile(t.h, 0.5).Seconds() * 1000 }
