package mail

import "time"

// SetRetry sets the first pause before a mail is tried again.
func (s *Sender) SetRetry(d time.Duration) { s.retry = d }

// SetClaim sets how long a claim lasts.
func (s *Sender) SetClaim(d time.Duration) { s.claimed = d }
