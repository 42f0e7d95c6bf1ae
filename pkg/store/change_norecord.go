//go:build norecord

package store

const recording = false
