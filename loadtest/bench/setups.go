package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/model"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/roles"
	"github.com/eventio/eventio/pkg/store"
)

// setups measures the setups of loadtest/model: the figures by which the model's costs are found, and those that
// it has to predict.
type setups struct {
	Only   string        `placeholder:"TEXT" help:"Only setups whose name contains this."`
	Grow   bool          `help:"Instead measure what a request costs by the number of API processes, workers, events and connections."`
	Rounds int           `default:"3" help:"Rounds; one more comes first and does not count."`
	Window time.Duration `default:"2s" help:"How long each load lasts in a round."`
	Out    string        `type:"path" placeholder:"FILE" help:"File for the medians (JSON): loadtest/model/measured.json is what the model is compared with. What is there of other setups stays."`
}

// The names of more figures, of one request each.
const (
	natsMessages = "NATS messages/request"
	natsBytes    = "NATS bytes/request"
	oplogBytes   = "oplog bytes/request"
)

// measure measures the setups one after the other, each with processes and a database of its own.
func (s setups) measure(ctx context.Context, out io.Writer) (err error) {
	if s.Rounds < 1 || s.Window < 100*time.Millisecond {
		return process.Usage("--rounds and --window: want at least 1 and 100ms")
	}
	b, err := open(ctx, settings{Rounds: s.Rounds, Window: s.Window, Auth: "trusted", Verbose: true}, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	all := model.Setups()
	if s.Grow {
		all = model.Growth()
	}
	kept, err := model.ReadMeasurements(s.Out)
	if err != nil {
		return err
	}
	for i, setup := range all {
		if !strings.Contains(setup.Name, s.Only) {
			continue
		}
		b.say("%d of %d: %s", i+1, len(all), setup.Name)
		result, err := b.run(ctx, scenario{setup.Name, setup.Name, func(ctx context.Context, b *bench) error {
			return b.setup(ctx, setup)
		}})
		if err != nil {
			return fmt.Errorf("%s: %w", setup.Name, err)
		}
		medians := make(map[string]float64)
		for figure := range result.Raw[setup.Name] {
			medians[figure] = result.Of(setup.Name, figure).Median
		}
		kept.Figures[setup.Name] = medians
		for _, figure := range slices.Sorted(maps.Keys(medians)) {
			b.say("    %-32s %.5g", figure, medians[figure])
		}
	}
	if s.Out == "" {
		return nil
	}
	kept.Machine, kept.Date, kept.Rounds, kept.Window = report.Machine(), time.Now().UTC().Format(time.DateOnly), s.Rounds, s.Window.String()
	return kept.Write(s.Out)
}

// setup measures one setup.
func (b *bench) setup(ctx context.Context, m model.Setup) error {
	s, err := b.newSystem(ctx, 0, b.Auth)
	if err != nil {
		return err
	}
	s.more = append(s.more, fmt.Sprintf("EVENTIO_MAX_BATCH=%d", m.MaxBatch))
	if m.Distance > 0 {
		_, far, err := b.role(ctx, "far", "--server", b.mongo.Addr(), "--trip", m.Distance.String())
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(s.uri[strings.LastIndex(s.uri, "/")+1:], "?")
		s.more = append(s.more, "MONGODB_URI=mongodb://"+far+"/"+name+"?directConnection=true")
	}
	if err := s.scale(ctx, m.Workers); err != nil {
		return err
	}
	addrs := []string{s.addr}
	for range m.APIs - 1 {
		addr, err := s.startAPI(ctx)
		if err != nil {
			return err
		}
		addrs = append(addrs, addr)
	}
	for _, addr := range addrs {
		if err := awaitReady(ctx, addr); err != nil {
			return err
		}
	}
	events, err := s.eventsOf(ctx, m)
	if err != nil {
		return err
	}
	expected := http.StatusCreated
	if m.Full {
		expected = http.StatusConflict
	}
	return b.alternate(ctx, arm{m.Name, func(ctx context.Context) (figures, error) {
		if m.Events == 1 && !m.Full {
			if events, err = s.newEvents(ctx, 1, plenty); err != nil {
				return nil, err
			}
		}
		// What comes first meets workers that read each event and requesters that learn of workers.
		early := load.Plan{Connections: min(m.Connections, 64), More: addrs[1:], For: 300 * time.Millisecond, Next: b.crowd.Requests(events, b.Auth)}
		if _, _, err := s.load(ctx, early, expected); err != nil {
			return nil, err
		}
		before, err := s.traffic(ctx)
		if err != nil {
			return nil, err
		}
		res, got, err := s.load(ctx, load.Plan{
			Connections: m.Connections, Rate: m.Rate, More: addrs[1:], Next: b.crowd.Requests(events, b.Auth),
		}, expected)
		if err != nil {
			return nil, err
		}
		after, err := s.traffic(ctx)
		if err != nil {
			return nil, err
		}
		n := float64(max(res.Count(load.Any), 1))
		for name, figure := range after {
			got[name] = (figure - before[name]) / n
		}
		return got, nil
	}})
}

// eventsOf makes the events of a setup; a full one has a thousand seats that others hold.
func (s *system) eventsOf(ctx context.Context, m model.Setup) ([]store.ID, error) {
	if !m.Full {
		return s.newEvents(ctx, m.Events, plenty)
	}
	const seats = 1000
	event, _, err := s.preload(ctx, seats, seats)
	return []store.ID{event}, err
}

// traffic is what has passed through NATS and into MongoDB's oplog.
func (s *system) traffic(ctx context.Context) (figures, error) {
	passed, err := roles.Traffic(ctx, strings.TrimPrefix(s.links[0], "NATS_URL="))
	if err != nil {
		return nil, err
	}
	stats, err := s.b.admin.Database("local").RunCommand(ctx, bson.D{{Key: "collStats", Value: "oplog.rs"}}).Raw()
	if err != nil {
		return nil, fmt.Errorf("ask MongoDB for the size of its oplog: %w", err)
	}
	size, _ := stats.Lookup("size").AsInt64OK()
	return figures{natsMessages: float64(passed.Messages), natsBytes: float64(passed.Bytes), oplogBytes: float64(size)}, nil
}
