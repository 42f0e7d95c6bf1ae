package setup

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/process"
)

// Limits are the flags of the rate limits.
type Limits struct {
	RateLimits              string   `env:"EVENTIO_RATE_LIMITS" enum:"auto,on,off" default:"auto" help:"on, off or auto: on, but off in trusted mode on a loopback address before which no proxy is named."`
	RateLimitLogins         string   `env:"EVENTIO_RATE_LIMIT_LOGINS" default:"60/m" placeholder:"N/UNIT" help:"Log-ins, sign-ups and changes of passwords from one address, in a second, minute, hour or day (s, m, h, d), or off."`
	RateLimitAccountLogins  string   `env:"EVENTIO_RATE_LIMIT_ACCOUNT_LOGINS" default:"10/m" placeholder:"N/UNIT" help:"The same, for one account from one address."`
	RateLimitRegistrations  string   `env:"EVENTIO_RATE_LIMIT_REGISTRATIONS" default:"120/m" placeholder:"N/UNIT" help:"Changes of registrations by one person."`
	RateLimitRequests       string   `env:"EVENTIO_RATE_LIMIT_REQUESTS" default:"6000/m" placeholder:"N/UNIT" help:"Everything else: reads of registrations by one person, the rest from one address."`
	RateLimitNetworks       []string `env:"EVENTIO_RATE_LIMIT_NETWORKS" placeholder:"CIDR" help:"Networks in which many people share an address, such as schools and companies: from each of their addresses may come more requests."`
	RateLimitNetworksFactor int      `env:"EVENTIO_RATE_LIMIT_NETWORKS_FACTOR" default:"20" help:"How many times as many, for --rate-limit-networks."`
}

// maxFactor is the most that --rate-limit-networks-factor can be meant to be.
const maxFactor = 10_000

// apply sets the limits. Its errors match process.ErrUsage.
func (l Limits) apply(access *gate.Config) error {
	for _, limit := range []struct {
		flag, text string
		rate       *gate.Rate
	}{
		{"--rate-limit-logins", l.RateLimitLogins, &access.Rates.Passwords},
		{"--rate-limit-account-logins", l.RateLimitAccountLogins, &access.Rates.PasswordsPerAccount},
		{"--rate-limit-registrations", l.RateLimitRegistrations, &access.Rates.Registrations},
		{"--rate-limit-requests", l.RateLimitRequests, &access.Rates.Requests},
	} {
		rate, err := parseRate(limit.text)
		if err != nil {
			return process.Usage("%s: %v", limit.flag, err)
		}
		*limit.rate = rate
	}
	for _, text := range l.RateLimitNetworks {
		prefix, err := parsePrefix(strings.TrimSpace(text))
		if err != nil {
			return process.Usage("--rate-limit-networks: %v", err)
		}
		access.Crowds.Networks = append(access.Crowds.Networks, prefix)
	}
	if l.RateLimitNetworksFactor < 1 || l.RateLimitNetworksFactor > maxFactor {
		return process.Usage("--rate-limit-networks-factor must be from 1 to %d, and is %d", maxFactor, l.RateLimitNetworksFactor)
	}
	access.Crowds.Factor = l.RateLimitNetworksFactor
	if access.Rates == (gate.Rates{}) { // which would mean the default ones
		access.RateLimits = false
	}
	return nil
}

// units are the times that a rate limit can speak of.
var units = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

var errRate = errors.New("must be a rate like 60/m (from 1 up, for s, m, h or d), or off")

// parseRate reads a rate like 60/m, or off.
func parseRate(text string) (gate.Rate, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "off" {
		return gate.Rate{}, nil
	}
	number, unit, _ := strings.Cut(text, "/")
	window, ok := units[strings.TrimSpace(unit)]
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if !ok || err != nil || n < 1 || n > math.MaxInt32/maxFactor {
		return gate.Rate{}, errRate
	}
	return gate.Rate{Most: n, Window: window}, nil
}
