package cloudevents

import "time"

// SetLimit bounds each wait for the server.
func (s *Sink) SetLimit(limit time.Duration) { s.limit = limit }
