package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/verify"
)

const (
	// repairTimeout bounds one recount. A worker counts all registrations of an event in one
	// transaction, so a recount takes longer than a registration.
	repairTimeout = 20 * time.Second
	// discoverTimeout bounds the wait for a worker to say that it is there.
	discoverTimeout = 3 * time.Second
)

// repairer has events recounted through the queue: by the workers behind a NATS server or,
// for a data folder that no process serves, by a worker in this process.
type repairer struct {
	link      messages.Link
	requester *messages.Requester
	close     func() error
}

// openRepairer makes a repairer for the reader's database. It fails when the workers behind
// a NATS server are those of other databases, and names these.
func openRepairer(ctx context.Context, c Command, reader verify.Reader, log zerolog.Logger) (_ *repairer, err error) {
	var r *repairer
	if c.NATSURL != "" {
		r, err = connectRepairer(ctx, c, reader, log)
	} else {
		r, err = embedRepairer(ctx, c, log)
	}
	if err != nil {
		return nil, err
	}
	if r.requester, err = messages.NewRequester(r.link); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// connectRepairer uses the workers behind --nats-url.
func connectRepairer(ctx context.Context, c Command, reader verify.Reader, log zerolog.Logger) (*repairer, error) {
	login, err := c.NATSOptions(c.NATSURL)
	if err != nil {
		return nil, err
	}
	conn, err := messages.Connect(c.NATSURL, "verify", log, login...)
	if err != nil {
		return nil, err
	}
	link := messages.Link{Conn: conn}
	waited := setup.Waiting(ctx, log, "the NATS of --nats-url")
	err = setup.AwaitNATS(ctx, conn, c.NATSURL)
	if waited(); err == nil {
		var database string
		if database, err = reader.DatabaseID(ctx); err == nil {
			link.Namespace = c.Namespace(database)
			err = findWorker(ctx, link)
		}
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &repairer{link: link, close: func() error { conn.Close(); return nil }}, nil
}

// embedRepairer starts a worker for the data folder. It fails with setup.ErrInUse when a
// process serves the folder.
func embedRepairer(ctx context.Context, c Command, log zerolog.Logger) (*repairer, error) {
	embedded, err := setup.OpenEmbedded(ctx, setup.EmbeddedConfig{Data: c.Data, Prefix: c.Prefix}, log)
	if errors.Is(err, setup.ErrInUse) {
		return nil, fmt.Errorf("%w; or have that process repair: start it with --nats-listen and --nats-listen-auth USER:PASSWORD, and give --nats-url nats://USER:PASSWORD@ADDRESS here", err)
	}
	if err != nil {
		return nil, err
	}
	link, err := embedded.Connect("verify")
	if err == nil {
		err = setup.AwaitNATS(ctx, link.Conn, "")
	}
	if err != nil {
		return nil, errors.Join(err, embedded.Close())
	}
	return &repairer{link: link, close: embedded.Close}, nil
}

// findWorker looks for a worker of the link's database. It fails when none answers, and
// names the databases of those that do.
func findWorker(ctx context.Context, link messages.Link) error {
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	found, others := false, make(map[string]bool)
	err := messages.Discover(ctx, link.Conn, func(n messages.Namespace) bool {
		found = n == link.Namespace
		switch {
		case n == messages.Namespace{}:
			others["whatever database older workers use, which do not say it"] = true
		case !found:
			others[n.String()] = true
		}
		return !found
	})
	if err != nil || found {
		return err
	}
	present := "there are none at all"
	if len(others) > 0 {
		present = "those that are there serve: " + strings.Join(slices.Sorted(maps.Keys(others)), ", ")
	}
	return fmt.Errorf("no worker of database %s is on this NATS server; %s; nothing was changed", link.Namespace, present)
}

// repair has one event recounted and returns the result in words. It fails when no worker
// could do it.
func (r *repairer) repair(ctx context.Context, event store.ID) (string, error) {
	got := r.requester.Request(ctx, messages.SeatRequest{
		Kind: messages.KindRecount, EventID: event, RequestID: "verify-" + store.NewID().Hex(),
		Actor: messages.Actor{Kind: messages.ActorOperator},
	}, time.Now().Add(repairTimeout))
	switch got.Reply.Outcome {
	case store.Recounted:
		return "repaired", nil
	case store.Overbooked:
		return "not repaired: more people hold a place than there are", nil
	case store.EventNotFound:
		return "not repaired: the workers do not know it", nil
	case messages.OutcomeInvalid:
		return "", errors.New("the workers do not know this request: they are older than this program")
	}
	return "", &process.Failure{Sentence: fmt.Sprintf("the workers answered %s: run verify again to see what became of the event",
		got.Reply.Outcome), Cause: got.Cause}
}
