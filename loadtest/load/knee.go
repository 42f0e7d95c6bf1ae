package load

import "time"

// Step is what a server made of one rate.
type Step struct {
	Offered float64 // requests a second
	Goodput float64 // of them settled, if late
	P99     time.Duration
}

// What a server must do with a rate to be said to hold it.
const (
	kneeP99     = 250 * time.Millisecond
	kneeGoodput = 0.95
)

// Holds reports whether the server holds the rate.
func (s Step) Holds() bool { return s.P99 <= kneeP99 && s.Goodput >= kneeGoodput*s.Offered }

const (
	kneeStride    = 1.4  // from one rate to the next, until one is too high
	kneePrecision = 1.05 // between the highest held and the lowest not held
	kneeLeast     = 10   // requests a second; below that nothing is looked for
)

// Knee finds the highest rate that try finds held, to 5 %, and returns it with all steps
// that it took. Zero: none is. A rate that is not held is tried once more: whatever else
// the machine does in that moment is no limit of the server.
func Knee(from float64, try func(rate float64) (Step, error)) (float64, []Step, error) {
	var steps []Step
	held, tooHigh := 0.0, 0.0
	for rate, again := from, false; ; {
		s, err := try(rate)
		if err != nil {
			return 0, steps, err
		}
		steps = append(steps, s)
		switch {
		case s.Holds():
			held, again = rate, false
		case !again:
			again = true
			continue
		default:
			tooHigh, again = rate, false
		}
		switch {
		case tooHigh == 0:
			rate = held * kneeStride
		case held == 0:
			rate = tooHigh / kneeStride
		default:
			rate = (held + tooHigh) / 2
		}
		if held > 0 && tooHigh > 0 && tooHigh/held < kneePrecision || rate < kneeLeast {
			return held, steps, nil
		}
	}
}
