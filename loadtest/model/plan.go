package model

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Demand is what a deployment is planned for.
type Demand struct {
	People int
	Places int // of all events together
	Events int
	Within time.Duration
	// First is the share of the people who come in the first second.
	First float64
	// Reads are how many pages and states a person reads beside asking for a seat.
	Reads int
	// Live says that everybody who waits holds a live stream.
	Live bool
	// Majority is the round trip between the members of the replica set, Distance that from the workers to its primary.
	Distance, Majority time.Duration
	// Lease is for how long API processes may say by themselves that an event is sold out; 0: not at all.
	Lease time.Duration
	// Speed is how fast a core is, compared with the one that was measured.
	Speed float64
}

// Bounds of a Demand.
const (
	maxPeople = 1_000_000_000
	maxEvents = 1_000_000
	maxWithin = 24 * time.Hour
	maxTrip   = 2 * time.Second
	maxLease  = time.Second
)

// Check says what cannot be planned for: the field, by its flag, and why.
func (d Demand) Check() (field string, err error) {
	switch {
	case d.People < 1 || d.People > maxPeople:
		return "people", fmt.Errorf("want 1 to %d", maxPeople)
	case d.Places < 1:
		return "places", errors.New("want at least 1")
	case d.Events < 1 || d.Events > maxEvents:
		return "events", fmt.Errorf("want 1 to %d", maxEvents)
	case d.Events > d.Places:
		return "events", fmt.Errorf("want at most one for each of the %d places", d.Places)
	case d.Within < time.Second || d.Within > maxWithin:
		return "within", fmt.Errorf("want 1s to %v", maxWithin)
	case math.IsNaN(d.First) || d.First <= 0 || d.First > 1:
		return "first", errors.New("want a share above 0 and at most 1")
	case d.Reads < 0 || d.Reads > 1000:
		return "reads", errors.New("want 0 to 1000")
	case d.Distance < 0 || d.Distance > maxTrip:
		return "distance", fmt.Errorf("want 0s to %v", maxTrip)
	case d.Majority < 0 || d.Majority > maxTrip:
		return "majority", fmt.Errorf("want 0s to %v", maxTrip)
	case d.Lease < 0 || d.Lease > maxLease:
		return "lease", fmt.Errorf("want 0s to %v", maxLease)
	case math.IsNaN(d.Speed) || d.Speed < 0.1 || d.Speed > 10:
		return "speed", errors.New("want 0.1 to 10")
	}
	return "", nil
}

// Part is one kind of process of a plan.
type Part struct {
	Name      string `json:"name"`
	Processes int    `json:"processes"`
	Cores     int    `json:"cores"` // of each
	MemoryMiB int    `json:"memory_mib"`
	Why       string `json:"why"`
}

// Setting is one that differs from its default, or that must be looked at.
type Setting struct {
	Of    string `json:"of"`
	Name  string `json:"name"`
	Value string `json:"value"`
	Why   string `json:"why"`
}

// Expectation is what the model predicts of an opening.
type Expectation struct {
	FirstSecond  int     `json:"first_second"`  // people who ask in it
	Simulated    int     `json:"simulated"`     // people who come in the seconds that were simulated
	Granted      int     `json:"granted"`       // 201
	Refused      int     `json:"refused"`       // 409
	Overloaded   int     `json:"overloaded"`    // 503, after all tries
	Unanswered   int     `json:"unanswered"`    // 504, after all tries, or none yet
	Retried      int     `json:"retried"`       // requests that were another try
	MedianMillis float64 `json:"median_millis"` // until the last answer, other tries included
	P99Millis    float64 `json:"p99_millis"`
	PeakUnderWay int     `json:"peak_under_way"`
	SoldOutAfter float64 `json:"sold_out_after_s,omitzero"` // seconds; 0: not within what was simulated
	MeanBatch    float64 `json:"mean_batch"`
	Grain        int     `json:"grain"` // how many people one simulated request stands for
}

// Plan is what to run, and what to expect.
type Plan struct {
	Demand  Demand      `json:"-"`
	Parts   []Part      `json:"parts"`
	Set     []Setting   `json:"settings"`
	Expect  Expectation `json:"opening"`
	Ends    string      `json:"ends_first"` // which part is busiest in the first second
	EndsAt  float64     `json:"ends_first_busy"`
	Warning []string    `json:"warnings"`
}

// What a plan takes a process to be, and to what it may be used.
const (
	apiCores, workerCores, natsCores, shardCores = 4, 2, 4, 8

	half      = 0.5   // of its cores: the other half is for what nobody foresaw
	streams   = 8192  // live streams of an API process, at most
	requests  = 8192  // its other connections
	simulated = 60000 // requests that are simulated, about
)

// NewPlan plans for a demand that Check finds possible. The same demand has the same plan.
func NewPlan(d Demand, c Costs) Plan {
	c.Busy = 0
	c = c.scaled(d.Speed)
	p := Plan{Demand: d, Warning: []string{}}
	first := d.First * float64(d.People)
	rest := 0.0
	if d.Within > time.Second {
		rest = (1 - d.First) * float64(d.People) / (d.Within - time.Second).Seconds()
	}
	peak := math.Max(first, rest)
	// Asking for a seat takes APIRequest, and a read most of that.
	cores := peak * (c.APIRequest.Seconds() + float64(d.Reads)*c.APIRequest.Seconds()*0.8)
	apis := atLeast(2, cores/(apiCores*half)) + 1
	why := fmt.Sprintf("%.1f cores' work in the fullest second, half of them used, and one more", cores)
	if byConnections := atLeast(2, peak/requests) + 1; byConnections > apis {
		apis, why = byConnections, fmt.Sprintf("%.0f people in the fullest second, each with a connection, %d for a process, and one more", peak, requests)
	}
	if byStreams := atLeast(2, float64(d.People)/streams) + 1; d.Live && byStreams > apis {
		apis, why = byStreams, fmt.Sprintf("a live stream for each of %d people, %d for a process, and one more", d.People, streams)
	}
	places := math.Min(float64(d.Places), peak)
	workers, shards := 2, 1
	if d.Events > 1 {
		workers = atLeast(2, peak*(c.WorkerItem+c.WorkerEvent).Seconds()/(workerCores*half)) + 1
		shards = atLeast(1, places*(c.StoreSeat+c.StoreEvent).Seconds()/(shardCores*half))
	}
	s := System{
		Costs: c, APIs: apis, APICores: apiCores, NATS: 3, NATSCores: natsCores, Workers: workers, WorkerCores: workerCores,
		Shards: shards, ShardCores: shardCores, Distance: d.Distance, Majority: d.Majority, Network: 500 * time.Microsecond,
		Events: min(d.Events, 2000), MaxBatch: 512, MaxWaiting: 20_000, Lease: d.Lease,
	}
	s.Seats = int64(math.Ceil(float64(d.Places) / float64(s.Events)))
	seconds := int(math.Ceil(min(d.Within, 10*time.Second).Seconds()))
	inWindow := first + rest*float64(seconds-1)
	s.Grain = max(1, int(inWindow/simulated))
	o := Opening{People: d.People, First: d.First, Within: d.Within, Tries: 5}
	result := o.Run(s, seconds, 1)
	// A queue that is too short refuses people whom the worker could still answer in time.
	if result.Outcomes[Overloaded]+result.Retried > 0 && first/float64(workers) > float64(s.MaxWaiting) {
		longer := s
		longer.MaxWaiting = min(roundUp(int(first)), 200_000)
		if better := o.Run(longer, seconds, 1); better.Outcomes[Overloaded]+better.Outcomes[Unknown] <= result.Outcomes[Overloaded]+result.Outcomes[Unknown] &&
			better.Retried < result.Retried {
			s, result = longer, better
		}
	}
	if d.Distance+d.Majority > 2*time.Millisecond {
		larger := s
		larger.MaxBatch = 2048
		if better := o.Run(larger, seconds, 1); better.P99 < result.P99*9/10 {
			s, result = larger, better
		}
	}
	p.Parts = []Part{
		{"api", apis, apiCores, memoryOf(float64(result.Peak)/float64(apis)*25/1024 + streamMemory(d, apis)), why},
		{"worker", workers, workerCores, 640, workersWhy(d)},
		{"nats", 3, natsCores, 512, "a cluster of three: one may be lost"},
		{"mongod", 3 * shards, shardCores, 16384, shardsWhy(d, shards)},
		{"notifier", 2, 1, 256, "mail and webhooks; the second takes over"},
	}
	p.Set = settings(d, s)
	p.expect(result, int(first), s)
	p.warn(d, shards, peak)
	return p
}

func atLeast(least int, n float64) int { return max(least, int(math.Ceil(n))) }

// roundUp returns a number of one digit and zeros.
func roundUp(n int) int {
	unit := 1
	for n/unit >= 10 {
		unit *= 10
	}
	return (n + unit - 1) / unit * unit
}

func streamMemory(d Demand, apis int) float64 {
	if !d.Live {
		return 0
	}
	return math.Min(streams, float64(d.People)/float64(apis)) * 35 / 1024
}

// memoryOf is what a container gets for a process that needs so many MiB above its own: a multiple of 128, 640 at least.
func memoryOf(mib float64) int { return max(640, int(math.Ceil((mib*1.5+100)/128))*128) }

func workersWhy(d Demand) string {
	if d.Events == 1 {
		return "one event has one worker; the other takes over"
	}
	return "their share of the events, half of the cores used, and one more"
}

func shardsWhy(d Demand, shards int) string {
	switch {
	case shards > 1:
		return fmt.Sprintf("%d shards, each a replica set of three; docs/scale.md says what was tried of sharding", shards)
	case d.Events == 1:
		return "a replica set of three: one event has one primary, however many shards there are"
	}
	return "a replica set of three"
}

func settings(d Demand, s System) []Setting {
	set := []Setting{
		{"api", "GOMEMLIMIT", "four fifths of its memory", "garbage is collected before the container is killed"},
		{"api", "ulimit -n", fmt.Sprint(4 * (streams + requests) / 3), "three quarters of the files are connections"},
		{"api", "EVENTIO_RATE_LIMIT_NETWORKS", "networks in which many share an address", "a campus must not count as one person"},
		{"worker", "EVENTIO_MAX_BATCH", fmt.Sprint(s.MaxBatch), "512 is the default; more where a commit is far"},
		{"worker", "EVENTIO_MAX_WAITING", fmt.Sprint(s.MaxWaiting), "20000 is the default; as many as may ask in one second, so that the queue and not the client waits"},
		{"mongod", "transactionLifetimeLimitSeconds", "2", "a worker that is killed frees its events after that"},
		{"nats", "ping_interval, ping_max", "1s, 2", "a frozen server is noticed"},
	}
	if d.Lease > 0 {
		set = append(set, Setting{"worker", "EVENTIO_SOLD_OUT_LEASE", d.Lease.String(), "refusals without a worker; who gives a seat back in a storm waits for so long"})
	}
	if d.Majority > 2*time.Millisecond {
		set = append(set, Setting{"mongod", "settings.electionTimeoutMillis", "5000", "members are not next to each other"})
	}
	return set
}

// expect fills in what the run gave.
func (p *Plan) expect(r Result, first int, s System) {
	p.Expect = Expectation{
		FirstSecond: first, Simulated: r.Settled() + r.Open, Granted: r.Outcomes[Granted], Refused: r.Outcomes[Refused],
		Overloaded: r.Outcomes[Overloaded], Unanswered: r.Outcomes[Unknown] + r.Open, Retried: r.Retried,
		MedianMillis: millis(r.P50), P99Millis: millis(r.P99), PeakUnderWay: r.Peak,
		SoldOutAfter: math.Round(r.SoldOut.Seconds()*100) / 100, MeanBatch: math.Round(r.MeanBatch()), Grain: s.Grain,
	}
	for name, has := range map[string]int{
		"api": s.APIs * s.APICores, "nats": s.NATS * s.NATSCores, "worker": min(s.Workers, s.Events) * s.WorkerCores, "mongod": s.Shards * s.ShardCores,
	} {
		if busy := r.Cores[name] / float64(has); busy > p.EndsAt {
			p.Ends, p.EndsAt = name, math.Round(busy*100)/100
		}
	}
	if s.Events == 1 && r.P99 > time.Second && p.EndsAt < 0.9 {
		p.Ends = "the one batch of the event that is under way at a time"
	}
}

func millis(d time.Duration) float64 { return math.Round(d.Seconds()*10_000) / 10 }

// warn says what is likely to hurt.
func (p *Plan) warn(d Demand, shards int, peak float64) {
	say := func(format string, args ...any) { p.Warning = append(p.Warning, fmt.Sprintf(format, args...)) }
	if p.Expect.Overloaded+p.Expect.Unanswered > 0 {
		say("%d people are told 503 or nothing even after five tries: let people come over a longer time (--first %.3g), or let a gateway admit them in turn",
			p.Expect.Overloaded+p.Expect.Unanswered, d.First/4)
	}
	if p.Expect.P99Millis > 2000 {
		say("one of a hundred waits for more than %.1f s", p.Expect.P99Millis/1000)
	}
	if shards > 1 {
		say("sharding has been checked by its commands alone, not with a mongos: try it before you need it")
	}
	if peak > 1_000_000 {
		say("above a million requests a second nothing of this has been measured: the model is all there is")
	}
	if !d.Live && d.People > 3*streams {
		say("not everybody gets a live stream; the others ask now and then (--live plans for all)")
	}
}
