package sqlitestore

import (
	"database/sql"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/eventio/eventio/pkg/store/sqlitestore/internal/sqldb"
	"github.com/eventio/eventio/pkg/store/stats"
)

// newStats returns the metrics of a store with these connections, which knows a version of the schema.
func newStats(schema int, write *sql.DB, read *sqldb.ReadPool) *stats.Store {
	s := stats.New(schema)
	state := func(name string, of func(sql.DBStats) int) {
		s.LabelledFunc("eventio_store_connections", "Connections to the database, by state.", prometheus.Labels{"state": name}, func() float64 {
			return float64(of(write.Stats()) + of(read.Stats()))
		})
	}
	state("open", func(d sql.DBStats) int { return d.OpenConnections })
	state("in_use", func(d sql.DBStats) int { return d.InUse })
	s.CounterFunc("eventio_sqlite_read_waits_total", "Reads that had to wait for a connection.", func() float64 {
		return float64(read.Stats().WaitCount)
	})
	s.GaugeFunc("eventio_sqlite_wal_bytes", "Size of the write-ahead log.", func() float64 { return float64(read.LogSize()) })
	return s
}

// Metrics returns the metrics of the store.
func (s *Store) Metrics() prometheus.Collector { return s.stats }
