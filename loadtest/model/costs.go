// Package model runs Event.io as a simulation of discrete events with measured costs: it predicts what a deployment does, and
// plans one. docs/scale.md has what it predicts beside what was measured.
package model

import "time"

// Costs are what things take: processor time on one core of the machine that was measured, and waits. Those for
// an item are for each request, event or message of what the other is for. Names are those of costs.json.
type Costs struct {
	Client time.Duration `json:"client"` // of the program that makes the load, for a request; it shares the machine in the measurements

	APIRequest  time.Duration `json:"api_request"` // reading, checking, answering and logging one
	APIMessage  time.Duration `json:"api_message"` // a message to a worker, or from one
	NATSMessage time.Duration `json:"nats_message"`
	NATSItem    time.Duration `json:"nats_item"` // a request or a reply in a message
	NATSNews    time.Duration `json:"nats_news"` // a message that an event has changed, to whom nobody listens

	WorkerMessage time.Duration `json:"worker_message"` // a message from an API process
	WorkerBatch   time.Duration `json:"worker_batch"`
	WorkerItem    time.Duration `json:"worker_item"`
	WorkerRefusal time.Duration `json:"worker_refusal"` // instead of an item, in a batch that gives no seat
	WorkerEvent   time.Duration `json:"worker_event"`   // each event in a batch after the first

	StoreBatch    time.Duration `json:"store_batch"` // a batch that gives seats
	StoreSeat     time.Duration `json:"store_seat"`
	StoreEvent    time.Duration `json:"store_event"`    // each event in a batch after the first
	StoreRefusals time.Duration `json:"store_refusals"` // a batch that gives none
	StoreRefusal  time.Duration `json:"store_refusal"`

	// Trips are the round trips of a batch that gives seats, one after the other, and RefusalTrips those of one
	// that gives none.
	Trips        int `json:"trips"`
	RefusalTrips int `json:"refusal_trips"`
	// Trip is what a round trip takes beside the distance and the work.
	Trip time.Duration `json:"trip"`
	// Sync is how long a commit waits for the disk beside that, on the average; SyncSpread is by how much it varies.
	Sync       time.Duration `json:"sync"`
	SyncSpread time.Duration `json:"sync_spread"`
	// Disorder is the share of an API process's tasks that begin out of turn: Go runs what was woken last first, and takes
	// what the network has in batches. It makes no difference to the mean, and much to the slowest.
	Disorder float64 `json:"disorder"`
	// Slice is how long a process keeps a core that others want, too.
	Slice time.Duration `json:"slice"`
	// Busy is how much longer everything took on the machine that was measured than its processor time: what is not
	// counted as anybody's, and others on the same hardware. 1: no longer. Elsewhere it is not known, and left out.
	Busy float64 `json:"busy"`
}

// scaled returns the costs on cores so many times as fast. Waits stay as they are.
func (c Costs) scaled(speed float64) Costs {
	for _, d := range []*time.Duration{
		&c.Client, &c.APIRequest, &c.APIMessage, &c.NATSMessage, &c.NATSItem, &c.NATSNews, &c.WorkerMessage, &c.WorkerBatch,
		&c.WorkerItem, &c.WorkerRefusal, &c.WorkerEvent, &c.StoreBatch, &c.StoreSeat, &c.StoreEvent, &c.StoreRefusals, &c.StoreRefusal,
	} {
		*d = time.Duration(float64(*d) / speed)
	}
	return c
}

// Measured returns the costs that the setups with Fit gave (BenchmarkSetups).
func Measured() Costs {
	const us = float64(time.Microsecond)
	return Costs{
		Client:        time.Duration(22 * us),
		APIRequest:    time.Duration(82 * us),
		APIMessage:    time.Duration(60 * us),
		NATSMessage:   time.Duration(45 * us),
		NATSItem:      600 * time.Nanosecond,
		NATSNews:      2500 * time.Nanosecond,
		WorkerMessage: time.Duration(97 * us),
		WorkerBatch:   time.Duration(700 * us),
		WorkerItem:    time.Duration(12 * us),
		WorkerRefusal: time.Duration(8 * us),
		WorkerEvent:   time.Duration(12 * us),
		StoreBatch:    time.Duration(1300 * us),
		StoreSeat:     time.Duration(16.5 * us),
		StoreEvent:    time.Duration(50 * us),
		StoreRefusals: time.Duration(900 * us),
		StoreRefusal:  time.Duration(6 * us),
		Trips:         4,
		RefusalTrips:  2,
		Trip:          time.Duration(100 * us),
		Sync:          time.Duration(280 * us),
		SyncSpread:    time.Duration(300 * us),
		Disorder:      0.4,
		Slice:         time.Duration(2975 * us),
		Busy:          1.423,
	}
}
