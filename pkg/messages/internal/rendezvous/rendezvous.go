// Package rendezvous spreads events over workers: each event has one, which all processes choose alike
// without talking to each other.
package rendezvous

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/eventio/eventio/pkg/store"
)

// Candidate is a worker that may get the requests for an event.
type Candidate struct {
	Hash    uint64 // of the worker's id
	Subject string // where its requests go
}

// Choose returns the candidate with the highest weight for an event; ok is false when there is none.
// This is rendezvous hashing: a worker that comes or goes moves only its own share of the events. Only
// speed depends on the weights: processes of different versions may choose different workers.
func Choose(candidates []Candidate, event store.ID) (best Candidate, ok bool) {
	h := eventHash(event)
	var top uint64
	for _, c := range candidates {
		if weight := mix(h ^ c.Hash); !ok || weight > top {
			best, top, ok = c, weight, true
		}
	}
	return best, ok
}

// eventHash returns the hash of an event's id. Ids that were made one after the other differ in few
// bits, which mix spreads over all.
func eventHash(event store.ID) uint64 {
	return mix(mix(binary.BigEndian.Uint64(event[:8])) ^ uint64(binary.BigEndian.Uint32(event[8:])))
}

// Hash returns the hash of a worker's id. All processes must agree on it, so it has no seed.
func Hash(worker string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(worker))
	return mix(h.Sum64())
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, 2014): each bit of x changes about half of the result's. FNV-1a alone does not have that
// property: with it the fullest of 16 workers had 1.26 times its share of ids that follow each other.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
