package model

import "time"

// Costs are what things take: processor time on one core of the machine that was measured, and waits. Those for
// one item are for each request, event or message of what the other is for.
type Costs struct {
	Client time.Duration // of the program that makes the load, for a request; it shares the machine in the measurements

	APIRequest  time.Duration // reading, checking, answering and logging one
	APIMessage  time.Duration // a message to a worker, or from one
	NATSMessage time.Duration
	NATSItem    time.Duration // a request or a reply in a message

	WorkerMessage time.Duration // a message from an API process
	WorkerBatch   time.Duration
	WorkerItem    time.Duration
	WorkerEvent   time.Duration // an event in a batch

	// StoreBatch is for a batch that gives seats, StoreRefusals for one that gives none.
	StoreBatch    time.Duration
	StoreSeat     time.Duration
	StoreEvent    time.Duration
	StoreRefusals time.Duration
	StoreRefusal  time.Duration

	// Trips are the round trips of a batch that gives seats, one after the other, and RefusalTrips those of one
	// that gives none.
	Trips, RefusalTrips int
	// Sync is how long a commit waits for the disk beside that, on the average; SyncSpread is by how much it varies.
	Sync, SyncSpread time.Duration
	// Disorder is the share of an API process's tasks that begin out of turn: Go runs what was woken last first, and takes
	// what the network has in batches. It makes no difference to the mean, and much to the slowest.
	Disorder float64
}

// scaled returns the costs on cores so many times as fast. Waits stay as they are.
func (c Costs) scaled(speed float64) Costs {
	for _, d := range []*time.Duration{
		&c.Client, &c.APIRequest, &c.APIMessage, &c.NATSMessage, &c.NATSItem, &c.WorkerMessage, &c.WorkerBatch,
		&c.WorkerItem, &c.WorkerEvent, &c.StoreBatch, &c.StoreSeat, &c.StoreEvent, &c.StoreRefusals, &c.StoreRefusal,
	} {
		*d = time.Duration(float64(*d) / speed)
	}
	return c
}

// Measured returns the costs that the setups with Fit gave (bench setups).
func Measured() Costs {
	const us = time.Microsecond
	return Costs{
		Client: 14 * us, APIRequest: 46 * us, APIMessage: 20 * us, NATSMessage: 10 * us, NATSItem: 1 * us,
		WorkerMessage: 20 * us, WorkerBatch: 300 * us, WorkerItem: 8 * us, WorkerEvent: 6 * us,
		StoreBatch: 900 * us, StoreSeat: 19 * us, StoreEvent: 30 * us, StoreRefusals: 400 * us, StoreRefusal: 3 * us,
		Trips: 4, RefusalTrips: 2, Sync: 1500 * us, SyncSpread: 400 * us, Disorder: 0.3,
	}
}
