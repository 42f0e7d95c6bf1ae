package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/model"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/loadtest/role"
	"github.com/eventio/eventio/pkg/store"
)

// The names of more figures, of one request each.
const (
	natsMessages = "NATS messages/request"
	natsBytes    = "NATS bytes/request"
	oplogBytes   = "oplog bytes/request"
)

// BenchmarkSetups measures the setups of loadtest/model: those by which the model's costs are found, and those that it has
// to predict. The medians of three rounds go into the file LOADTEST_MEASURED: loadtest/model/measured.json is what
// the model is compared with.
func BenchmarkSetups(b *testing.B) { measureSetups(b, model.Setups(), 3) }

// BenchmarkGrowth measures what a request costs by the number of API processes, workers, events and connections.
func BenchmarkGrowth(b *testing.B) { measureSetups(b, model.Growth(), 1) }

// measureSetups measures setups one after the other, each with processes and a database of its own.
func measureSetups(b *testing.B, all []model.Setup, rounds int) {
	if b.N > 1 {
		b.Skip("one measurement is all: -benchtime 1x")
	}
	const window = 1500 * time.Millisecond
	out := os.Getenv("LOADTEST_MEASURED")
	kept, err := model.ReadMeasurements(out)
	if err != nil {
		b.Fatal(err)
	}
	m, err := open(b.Context(), settings{Rounds: rounds, Window: window, Auth: "trusted", Verbose: true}, b.Output())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := m.close(); err != nil {
			b.Error(err)
		}
	}()
	for _, setup := range all {
		m.say("%s", setup.Name)
		result, err := m.run(b.Context(), scenario{setup.Name, setup.Name, func(ctx context.Context, m *bench) error {
			return m.setup(ctx, setup)
		}})
		if err != nil {
			b.Fatalf("%s: %v", setup.Name, err)
		}
		medians := make(map[string]float64)
		for _, figure := range slices.Sorted(maps.Keys(result.Raw[setup.Name])) {
			medians[figure] = result.Of(setup.Name, figure).Median
			m.say("    %-32s %.5g", figure, medians[figure])
		}
		kept.Figures[setup.Name] = medians
	}
	kept.Machine, kept.Date, kept.Rounds, kept.Window = report.Machine(), time.Now().UTC().Format(time.DateOnly), rounds, window.String()
	if out == "" {
		return
	}
	if err := kept.Write(out); err != nil {
		b.Fatal(err)
	}
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
	passed, err := role.Traffic(ctx, strings.TrimPrefix(s.links[0], "NATS_URL="))
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
