package process

import "time"

// The longest times that settings of a process may have. What is longer cannot be meant: nobody
// waits for it, or another limit ends it first.
const (
	// MaxRequestTimeout is the longest time until an answer. A server gives the body of a request
	// readTimeout and writeTimeout to the whole, so what is slower would be cut off.
	MaxRequestTimeout = writeTimeout - readTimeout
	// MaxStart is the longest wait for a server or a file at the start.
	MaxStart = 24 * time.Hour
	// MaxStop is the longest time that a process may take to stop.
	MaxStop = 10 * time.Minute
)

// MinRequestTimeout is the shortest time until an answer. A write on a disk alone takes longer than
// less would leave.
const MinRequestTimeout = 50 * time.Millisecond

// RequestTimeout fails with ErrUsage when the value of --request-timeout cannot be meant.
func RequestTimeout(value time.Duration) error {
	return InRange("--request-timeout", value, MinRequestTimeout, MaxRequestTimeout)
}

// StartTimeout fails with ErrUsage when the value of --start-timeout cannot be meant.
func StartTimeout(value time.Duration) error {
	return InRange("--start-timeout", value, 1, MaxStart)
}

// DrainDelay fails with ErrUsage when the value of --drain-delay cannot be meant; none at all can be.
func DrainDelay(value time.Duration) error {
	if value == 0 {
		return nil
	}
	return InRange("--drain-delay", value, 1, MaxStop)
}

// InRange fails with ErrUsage unless the value of a flag is above zero, and from least to most.
func InRange[N int | int64 | time.Duration](flag string, value, least, most N) error {
	if err := Positive(flag, value); err != nil {
		return err
	}
	if value < least || value > most {
		return Usage("%s must be from %v to %v, and is %v", flag, least, most, value)
	}
	return nil
}
