//go:build !norecord

package store

// recording is false only in the builds with which loadtest/bench measures what the record costs.
const recording = true
