package mail

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/textproto"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	gomail "github.com/wneessen/go-mail"

	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/foreign"
	"github.com/eventio/eventio/pkg/store/outbox"
)

const (
	// parallel is how many mails a process sends at the same time.
	parallel = 8
	claimFor = sendLimit + 36*time.Second
	// poll is how often a process looks for mails that others have stored.
	poll = 500 * time.Millisecond
	// callLimit bounds one call of the store.
	callLimit = 5 * time.Second
	// keepSent is how long a mail that was sent is remembered, so that it is not stored anew: longer
	// than any reader of the record is behind after it has stored one.
	keepSent = 30 * 24 * time.Hour
	// firstRetry and lastRetry bound the pause before a mail is tried again.
	firstRetry, lastRetry = time.Minute, 2 * time.Hour
	// firstAway and lastAway bound the pause of all mails while the server cannot be talked to.
	firstAway, lastAway = time.Second, time.Minute
	// resetLife and proofLife are how long links work.
	resetLife, proofLife = time.Hour, 24 * time.Hour
)

// SenderStore is what a Sender asks of a store.
type SenderStore interface {
	store.Users
	store.Events
	store.Webhooks
	outbox.Outbox
}

// Stats counts what became of mails since a Sender was made.
type Stats struct {
	Sent    int64 `json:"sent"`     // handed over to the server
	PutOff  int64 `json:"put_off"`  // attempts that are to be repeated
	GivenUp int64 `json:"given_up"` // refused for good, or expired
	Dropped int64 `json:"dropped"`  // to nobody: an unknown address, an erased person, one who wants none
}

// Sender hands stored mails to an SMTP server. Any number of processes may run one. It is safe for
// concurrent use.
type Sender struct {
	store    SenderStore
	server   Server
	composer composer
	log      zerolog.Logger
	wake     chan struct{}
	// retry is firstRetry and claimed is claimFor; both are less in tests.
	retry, claimed time.Duration

	sent, putOff, givenUp, dropped atomic.Int64

	mu    sync.Mutex // guards pause and until
	pause time.Duration
	until time.Time // nothing is tried before
}

// NewSender returns a sender over a store, which stays the caller's.
func NewSender(st SenderStore, server Server, site Site, log zerolog.Logger) *Sender {
	return &Sender{
		store: st, server: server, composer: composer{site, newTemplates()}, log: log, wake: make(chan struct{}, 1),
		retry: firstRetry, claimed: claimFor,
	}
}

// Wake has mails looked for at once.
func (s *Sender) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Stats returns what was counted.
func (s *Sender) Stats() Stats {
	return Stats{s.sent.Load(), s.putOff.Load(), s.givenUp.Load(), s.dropped.Load()}
}

// Run sends mails until ctx ends, and returns when those that were begun are done with: that takes as
// long as sending one at most.
func (s *Sender) Run(ctx context.Context) {
	s.log.Info().Str("smtp", s.server.String()).Msg("sending mail")
	free := make(chan struct{}, parallel)
	var sending sync.WaitGroup
	defer func() {
		sending.Wait()
		s.log.Info().Interface("mails", s.Stats()).Msg("stopped sending mail")
	}()
	forgotten := time.Time{}
	for ctx.Err() == nil {
		if time.Since(forgotten) > time.Hour {
			forgotten = time.Now()
			s.forget(ctx)
		}
		s.wait(ctx, s.awayFor(), false)
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
		room := 1
		for more := true; more; {
			select {
			case free <- struct{}{}:
				room++
			default:
				more = false
			}
		}
		mails := s.claim(ctx, room)
		for range room - len(mails) {
			<-free
		}
		for _, m := range mails {
			sending.Go(func() {
				defer func() { <-free; s.Wake() }()
				s.deliver(context.WithoutCancel(ctx), m)
			})
		}
		if len(mails) == 0 {
			s.wait(ctx, poll, true)
		}
	}
}

// wait pauses for d, or until there may be mails.
func (s *Sender) wait(ctx context.Context, d time.Duration, wakeable bool) {
	if d <= 0 {
		return
	}
	wake := s.wake
	if !wakeable {
		wake = nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// claim claims mails that are due. It may claim none although there are some.
func (s *Sender) claim(ctx context.Context, limit int) []outbox.Mail {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	now := time.Now()
	mails, err := s.store.ClaimMails(ctx, now, now.Add(s.claimed), limit)
	if err != nil && ctx.Err() == nil {
		s.log.Warn().Err(err).Msg("mails cannot be read now")
		s.wait(ctx, firstAway, false)
	}
	return mails
}

// forget removes what is not needed any more.
func (s *Sender) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	if _, err := s.store.ForgetMails(ctx, time.Now()); err != nil && ctx.Err() == nil {
		s.log.Warn().Err(err).Msg("old mails cannot be removed now")
	}
}

// deliver sends one mail and notes what became of it.
func (s *Sender) deliver(ctx context.Context, m outbox.Mail) {
	begun := time.Now()
	preparing, cancel := context.WithTimeout(ctx, callLimit)
	msg, reason, err := s.prepare(preparing, m)
	cancel()
	line := s.log.With().Str("mail", m.Key).Str("kind", string(m.Kind)).Int64("attempt", m.Attempt).Logger()
	switch {
	case err != nil:
		line.Warn().Err(err).Msg("a mail cannot be made now")
		s.putOffMail(ctx, m, s.retryAfter(m.Attempt), line)
		return
	case reason == reasonExpired, reason == reasonAddress:
		s.givenUp.Add(1)
		line.Warn().Str("outcome", "given_up").Str("reason", reason).Msg("a mail is given up")
		s.finish(ctx, m, line)
		return
	case reason != "":
		s.dropped.Add(1)
		line.Info().Str("outcome", "dropped").Str("reason", reason).Msg("a mail goes to nobody")
		s.finish(ctx, m, line)
		return
	}
	became, err := s.server.send(ctx, msg)
	line = line.With().Int64("duration_ms", time.Since(begun).Milliseconds()).Logger()
	if err != nil {
		line = line.With().EmbedObject(smtpError{err}).Logger()
	}
	if became != away {
		s.reached()
	}
	switch became {
	case handedOver:
		s.sent.Add(1)
		line.Info().Str("outcome", "sent").Msg("mail")
		s.finish(ctx, m, line)
	case never:
		s.givenUp.Add(1)
		line.Warn().Str("outcome", "given_up").Str("reason", "refused").Msg("a mail is given up: the SMTP server refuses it for good")
		s.finish(ctx, m, line)
	case later:
		line.Warn().Str("outcome", "put_off").Msg("the SMTP server does not take a mail now")
		s.putOffMail(ctx, m, s.retryAfter(m.Attempt), line)
	case away:
		pause := s.lost()
		line.Warn().Str("outcome", "put_off").Dur("pause_ms", pause).Msg("no mail can be sent now: the SMTP server cannot be talked to")
		s.putOffMail(ctx, m, pause, line)
	}
}

// finish notes that a mail is done with. When that fails it is sent again when its claim ends.
func (s *Sender) finish(ctx context.Context, m outbox.Mail, line zerolog.Logger) {
	for try := 0; ; try++ {
		err := s.settle(ctx, func(ctx context.Context) error { return s.store.FinishMail(ctx, m, time.Now().Add(keepSent)) })
		if err == nil {
			return
		}
		if errors.Is(err, outbox.ErrClaimLost) || time.Now().After(m.DueAt.Add(-callLimit)) {
			line.Warn().Err(err).Msg("it cannot be noted that a mail is done with: it may be sent twice")
			return
		}
		s.wait(ctx, min(firstAway<<min(try, 3), callLimit), false)
	}
}

// putOffMail has a mail tried again after a pause, unless it has expired then.
func (s *Sender) putOffMail(ctx context.Context, m outbox.Mail, pause time.Duration, line zerolog.Logger) {
	s.putOff.Add(1)
	m.DueAt = time.Now().Add(pause)
	if err := s.settle(ctx, func(ctx context.Context) error { return s.store.PutOffMail(ctx, m) }); err != nil {
		line.Warn().Err(err).Msg("a mail is tried again when its claim ends")
	}
}

func (s *Sender) settle(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return call(ctx)
}

// retryAfter is the pause after so many attempts, with jitter.
func (s *Sender) retryAfter(attempt int64) time.Duration {
	pause := min(s.retry<<min(max(attempt-1, 0), 10), lastRetry)
	return pause/2 + rand.N(pause/2+1)
}

// lost notes that the server cannot be talked to, and returns for how long nothing is tried.
func (s *Sender) lost() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().After(s.until) { // several mails fail at the same time
		s.pause = min(max(2*s.pause, firstAway), lastAway)
		s.until = time.Now().Add(s.pause/2 + rand.N(s.pause/2+1))
	}
	return time.Until(s.until)
}

// reached notes that the server can be talked to.
func (s *Sender) reached() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause, s.until = 0, time.Time{}
}

// awayFor returns for how long nothing is to be tried.
func (s *Sender) awayFor() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Until(s.until)
}

// Why a mail is not sent.
const (
	reasonExpired = "expired"
	reasonAddress = "address"
	reasonNobody  = "nobody"
	reasonOff     = "switched_off"
	reasonEvent   = "no_event"
	reasonHooks   = "no_webhook"
)

// prepare makes a mail as it is now, or returns the reason why nobody is to get it.
func (s *Sender) prepare(ctx context.Context, m outbox.Mail) (msg *gomail.Msg, reason string, err error) {
	now := time.Now()
	if !now.Before(m.ExpiresAt) {
		return nil, reasonExpired, nil
	}
	l := letter{Mail: m}
	if m.Kind == outbox.PasswordReset {
		// To the address as it is stored, and never as a stranger has spelled it: the two are equal for us,
		// but they may be two mailboxes.
		l.user, err = s.store.UserByEmail(ctx, m.Address)
		l.Address = ""
	} else {
		l.user, err = s.store.User(ctx, m.UserID)
	}
	// Who is proven by another issuer has no password here, and must not get in by one when they may not there.
	foreign := err == nil && m.Kind == outbox.PasswordReset && foreign.Is(l.user.ID)
	if foreign || errors.Is(err, store.ErrUserNotFound) || err == nil && m.Kind.Asked() && !l.user.LockedAt.IsZero() {
		return nil, reasonNobody, nil
	}
	if err != nil {
		return nil, "", err
	}
	l.settings, err = s.store.MailSettings(ctx, outbox.Settings{UserID: l.user.ID, Token: outbox.NewToken()})
	if err != nil {
		return nil, "", err
	}
	switch {
	case m.Kind == outbox.WebhookOff:
		var failing bool
		if l.hooks, failing, err = s.switchedOff(ctx, m.UserID); err == nil && len(l.hooks) == 0 {
			if failing {
				return nil, "", errStillOn
			}
			return nil, reasonHooks, nil
		}
	case m.Kind.Asked():
		life := resetLife
		if m.Kind == outbox.EmailProof {
			life = proofLife
		}
		l.token = outbox.NewToken()
		err = s.store.AddToken(ctx, outbox.Token{
			Hash: outbox.Hash(l.token), Kind: m.Kind, UserID: l.user.ID, Address: l.to(), PasswordVersion: l.user.PasswordVersion,
			ExpiresAt: now.Add(life).UTC().Truncate(time.Millisecond),
		})
	default:
		if !l.settings.OffAt.IsZero() {
			return nil, reasonOff, nil
		}
		l.event, err = s.store.Event(ctx, m.EventID)
		if errors.Is(err, store.ErrEventNotFound) {
			return nil, reasonEvent, nil
		}
	}
	if err != nil {
		return nil, "", err
	}
	msg, err = s.composer.compose(l)
	if errors.Is(err, ErrUndeliverable) {
		return nil, reasonAddress, nil
	}
	return msg, "", err
}

// errStillOn means that no webhook of a person is switched off, but one may be soon.
var errStillOn = errors.New("the webhook that fails is not switched off yet")

// switchedOff returns the webhooks of a person that are off because their calls fail, and whether the calls
// of one that is on fail.
func (s *Sender) switchedOff(ctx context.Context, owner store.ID) (off []store.Webhook, failing bool, err error) {
	hooks, err := s.store.WebhooksOf(ctx, []store.ID{owner}, false)
	for _, w := range hooks {
		switch {
		case w.Active:
			failing = failing || !w.FailingSince.IsZero()
		case !w.OffSince.IsZero():
			off = append(off, w)
		}
	}
	return off, failing, err
}

// smtpError writes an error of SMTP into a line of the log, without what the server has said: that may
// quote an address, or our user.
type smtpError struct{ err error }

// MarshalZerologObject implements zerolog.LogObjectMarshaler.
func (e smtpError) MarshalZerologObject(line *zerolog.Event) {
	if refused, ok := errors.AsType[*gomail.SendError](e.err); ok {
		line.Str("smtp_step", refused.Reason.String()).Int("smtp_code", refused.ErrorCode()).Str("smtp_status", refused.EnhancedStatusCode())
		return
	}
	if said, ok := errors.AsType[*textproto.Error](e.err); ok {
		line.Str("smtp_step", "greeting, TLS or log-in").Int("smtp_code", said.Code)
		return
	}
	line.Str("error", e.err.Error())
}
