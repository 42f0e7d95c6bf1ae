package mail

import (
	"context"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// SetRetry sets the first pause before a mail is tried again.
func (s *Sender) SetRetry(d time.Duration) { s.retry = d }

// SetClaim sets how long a claim lasts.
func (s *Sender) SetClaim(d time.Duration) { s.claimed = d }

// Send hands a mail to the server.
func (s Server) Send(ctx context.Context, m *gomail.Msg) error {
	_, err := s.send(ctx, m)
	return err
}
