package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/eventio/eventio/loadtest/report"
)

// cpuOfAll is a figure: what a request costs in all processes together but the one that makes the load.
const cpuOfAll = "CPU ms/1,000 requests, the load apart"

// seatCost is S15: what a seat costs, beside what HTTP with one message (L1) and the bare store (L2) cost
// together. In L2 it is this program that calls the store, so there its own time counts.
func seatCost(ctx context.Context, b *bench) error {
	s, l1, err := b.systemAndL1(ctx, 1)
	if err != nil {
		return err
	}
	product := s.hot("product, 1024 connections", many)
	transport := latest(l1.burst("L1, 1024 connections", many))
	raw := latest(arm{"L2, batches of 512", func(ctx context.Context) (figures, error) { return s.raw(ctx, 512) }})
	const both = "L1 and L2 together"
	if err := b.alternate(ctx, product, transport.arm, raw.arm, arm{both, func(context.Context) (figures, error) {
		return figures{cpuOfAll: transport.got[cpuOfAll] + raw.got[cpuOfAll]}, nil
	}}); err != nil {
		return err
	}
	b.result.Compare(product.name, both, cpuOfAll, report.AtMost(1.15))
	b.result.Compare(product.name, transport.name, cpuOfAll, report.Goal{})
	b.result.Compare(product.name, raw.name, cpuOfAll, report.Goal{})
	for _, name := range []string{product.name, transport.name} {
		b.judgeCPU(name)
	}
	b.judgeWork(product.name)
	return nil
}

// judgeCPU adds a row for each process of an arm.
func (b *bench) judgeCPU(name string) {
	for _, figure := range slices.Sorted(maps.Keys(b.result.Raw[name])) {
		if strings.HasPrefix(figure, cpuOf) {
			b.result.Judge(name, figure, report.Goal{})
		}
	}
}
