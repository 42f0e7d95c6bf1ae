package setup

import (
	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/process"
)

// Quotas are the flags that bound what is stored for somebody in a day. The zero value has the
// defaults of api.Quotas.
type Quotas struct {
	EventsPerDay     int64 `env:"EVENTIO_EVENTS_PER_DAY" default:"200" help:"Events that a person may create in a day (UTC). -1: any number. Quotas hold where rate limits do."`
	EventBytesPerDay int64 `env:"EVENTIO_EVENT_BYTES_PER_DAY" default:"4194304" help:"Bytes of texts of events that a person may store in a day, edits included. -1: any number."`
	SignUpsPerDay    int64 `env:"EVENTIO_SIGN_UPS_PER_DAY" default:"100" help:"Sign-ups from a network (IPv4 /24, IPv6 /48) in a day. -1: any number."`
	WebhooksPerDay   int64 `env:"EVENTIO_WEBHOOKS_PER_DAY" default:"50" help:"Webhooks that a person may create in a day. -1: any number."`
	KeysPerDay       int64 `env:"EVENTIO_KEYS_PER_DAY" default:"100" help:"API keys that a person may make in a day. -1: any number."`
}

// APIQuotas checks the flags. Its errors match process.ErrUsage.
func (q Quotas) APIQuotas() (api.Quotas, error) {
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"--events-per-day", q.EventsPerDay}, {"--event-bytes-per-day", q.EventBytesPerDay}, {"--sign-ups-per-day", q.SignUpsPerDay},
		{"--webhooks-per-day", q.WebhooksPerDay}, {"--keys-per-day", q.KeysPerDay},
	} {
		if f.value < -1 {
			return api.Quotas{}, process.Usage("%s: %d is neither a number of what a day has nor -1, for any number", f.name, f.value)
		}
	}
	return api.Quotas{Events: q.EventsPerDay, EventBytes: q.EventBytesPerDay, SignUps: q.SignUpsPerDay, Webhooks: q.WebhooksPerDay, Keys: q.KeysPerDay}, nil
}
