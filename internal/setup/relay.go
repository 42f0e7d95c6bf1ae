package setup

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/telemetry/tracing"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/outbox"
	"github.com/eventio/eventio/relay"
	"github.com/eventio/eventio/relay/cloudevents"
	"github.com/eventio/eventio/relay/mail"
	"github.com/eventio/eventio/relay/webhooks"
)

// WebhookTargets are the flags that say which addresses webhooks may have: of api, which takes them, and
// of notifier, which calls them. The zero value works.
type WebhookTargets struct {
	WebhookHTTP  bool     `name:"webhook-http" env:"EVENTIO_WEBHOOK_HTTP" help:"Take and call webhooks without encryption, too (http://). The same for api and notifier."`
	WebhookAllow []string `name:"webhook-allow" env:"EVENTIO_WEBHOOK_ALLOW" placeholder:"NETWORK" help:"Networks, comma-separated like 10.1.0.0/16, whose addresses webhooks may have although they are not public. The same for api and notifier."`
}

// targets checks the flags. Its errors match process.ErrUsage.
func (f WebhookTargets) targets() (webhooks.Targets, error) {
	t := webhooks.Targets{HTTP: f.WebhookHTTP}
	for _, text := range f.WebhookAllow {
		p, err := netip.ParsePrefix(text)
		if ip, single := netip.ParseAddr(text); err != nil && single == nil && ip.Zone() == "" {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil || p.Addr().Is4In6() {
			return t, process.Usage("--webhook-allow: one of the networks is not one like 10.1.0.0/16")
		}
		t.Allowed = append(t.Allowed, p.Masked())
	}
	return t, nil
}

// WebhookAPI are the flags of the API about webhooks.
type WebhookAPI struct {
	Operators []string `name:"operators" env:"EVENTIO_OPERATORS" placeholder:"USER_ID" help:"Ids of users, comma-separated, who may have webhooks that are told of everybody's events."`
}

// APIWebhooks checks the flags. Its errors match process.ErrUsage.
func (f WebhookAPI) APIWebhooks(targets WebhookTargets) (api.Webhooks, error) {
	t, err := targets.targets()
	if err != nil {
		return api.Webhooks{}, err
	}
	w := api.Webhooks{CheckURL: t.CheckURL}
	for _, text := range f.Operators {
		id, err := store.ParseID(text)
		if err != nil || id.IsZero() {
			return w, process.Usage("--operators: one of them is not an id of 24 hexadecimal digits")
		}
		if !slices.Contains(w.Operators, id) {
			w.Operators = append(w.Operators, id)
		}
	}
	return w, nil
}

// Relay are the flags of the part that tells others of changes: of cmd/notifier, and of eventio.
type Relay struct {
	WebhookTargets
	RelayLease time.Duration `name:"relay-lease" env:"EVENTIO_RELAY_LEASE" default:"10s" help:"How long what a process tells others may stand still after it was killed, from 1s to 1m. The same for all."`
	NATSEvents bool          `name:"nats-events" env:"EVENTIO_NATS_EVENTS" default:"true" negatable:"" help:"Publish every change as a CloudEvent on NATS, on PREFIX.events.EVENT_ID.TYPE."`
	Mail
}

// The shortest and the longest time of --relay-lease. A lease is renewed after a third of it, and a
// failover of the database takes some seconds.
const minLease, maxLease = time.Second, time.Minute

// Check fails with process.ErrUsage on a value that is out of range.
func (f Relay) Check() error {
	if f.RelayLease < minLease || f.RelayLease > maxLease {
		return process.Usage("--relay-lease: %v is not from %v to %v", f.RelayLease, minLease, maxLease)
	}
	if _, err := f.targets(); err != nil {
		return err
	}
	return f.Mail.Check()
}

// RelayStore is what the relay asks of a store.
type RelayStore interface {
	store.Store
	outbox.Outbox
}

// RelayParts are what the relay works with.
type RelayParts struct {
	Store RelayStore
	Link  messages.Link
	// Metrics gets the metrics of all parts. nil: they are not registered.
	Metrics prometheus.Registerer
	// Tracer makes the spans of calls of webhooks. nil: there are none.
	Tracer *tracing.Tracer
}

// Run tells others of changes until ctx ends, and has ended all of it when it returns.
func (f Relay) Run(ctx context.Context, parts RelayParts, config relay.Config, log zerolog.Logger) {
	config.Lease = cmp.Or(config.Lease, f.RelayLease)
	targets, err := f.targets()
	if err != nil {
		panic("setup: Check was not called: " + err.Error())
	}
	var sender *mail.Sender
	hooks := webhooks.Config{Targets: targets, Lease: config.Lease, Tracer: parts.Tracer}
	if f.On() {
		if server, site, err := f.server(); err != nil { // which Check has read
			log.Error().Err(err).Msg("no mail is sent")
		} else {
			sender = mail.NewSender(parts.Store, server, site, log)
			hooks.SwitchOff = func(ctx context.Context, w store.Webhook) error {
				return parts.Store.AddMails(ctx, []outbox.Mail{mail.OfWebhook(w)})
			}
		}
	}
	caller := webhooks.NewCaller(parts.Store, hooks, log)
	register(parts.Metrics, caller.Metrics())
	sinks := []relay.Sink{webhooks.NewSink(parts.Store, caller.Wake)}
	var running sync.WaitGroup
	running.Go(func() { caller.Run(ctx) })
	if f.NATSEvents {
		if sink, err := cloudevents.NewSink(parts.Link); err != nil {
			log.Error().Err(err).Msg("no events are published on NATS")
		} else {
			sinks = append(sinks, sink)
		}
	}
	if sender != nil {
		sinks = append(sinks, mail.NewSink(parts.Store, sender.Wake))
		register(parts.Metrics, sender.Metrics())
		running.Go(func() { sender.Run(ctx) })
	}
	r := relay.New(parts.Store, config, log)
	register(parts.Metrics, r.Metrics())
	r.Run(ctx, sinks...)
	running.Wait()
}
