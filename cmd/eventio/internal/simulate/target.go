package simulate

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/store"
)

// target is the Event.io at which a simulation runs.
type target struct {
	url   string
	keys  identity.Keys // empty: ids in bodies are believed there
	stays bool          // when the simulation is over, and others see its events
}

// isAddress accepts what the client takes for the address of an Event.io, but for a user: it may have
// a password, which is not sent.
func isAddress(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	port, err := strconv.Atoi(u.Port())
	return u.Port() == "" || err == nil && port >= 1 && port <= 65535
}

// findKeys returns the keys that sign the tokens of the Event.io at --url: those that are given, else
// those in the database that is named. They are empty when neither is: ids are believed there, or
// the first request fails.
func (c Command) findKeys(ctx context.Context, log zerolog.Logger) (identity.Keys, error) {
	keys, err := c.Parse()
	if err != nil || !keys.Empty() || c.Data == "" && c.MongoDBURI == "" {
		return keys, err
	}
	database, err := c.Resolve()
	if err != nil {
		return keys, err
	}
	ctx, cancel := context.WithTimeout(ctx, keysLimit)
	defer cancel()
	defer setup.Waiting(ctx, log, database.String())()
	return database.SigningKeys(ctx, log)
}

// firstEvent makes the event, and says what it waits for when nobody answers. When ctx ends it gives a
// request that is under way a little time, so that no event is left that nobody knows of.
func (s simulation) firstEvent(ctx context.Context, c Command, log zerolog.Logger) (store.ID, error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerLimit)
	defer cancel()
	defer setup.Waiting(limited, log, "an answer of "+s.nobody.URL())()
	type made struct {
		event store.ID
		err   error
	}
	answer := make(chan made, 1)
	go func() {
		event, err := s.createEvent(limited, c)
		answer <- made{event, err}
	}()
	select {
	case m := <-answer:
		return m.event, m.err
	case <-ctx.Done():
	}
	select {
	case m := <-answer:
		return m.event, m.err
	case <-time.After(lateAnswer):
		return store.ID{}, s.explain(ctx.Err())
	}
}

// tidy cancels the event, also when ctx has ended.
func (s simulation) tidy(ctx context.Context, event store.ID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyLimit)
	defer cancel()
	if _, err := s.as(s.organizer).CancelEvent(ctx, event); err != nil {
		return &process.Failure{Sentence: fmt.Sprintf("the simulation's event %s could not be cancelled and goes on taking people: its organizer is %s",
			event.Hex(), s.organizer.Hex()), Cause: err}
	}
	return nil
}
