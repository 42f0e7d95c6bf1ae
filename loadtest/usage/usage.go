// Package usage tells what a load made processes and MongoDB do: processor time, and what they count
// themselves.
package usage

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/eventio/eventio/loadtest/procfs"
)

// The names of what MongoDB counts.
const (
	Commands  = "commands"      // that it carried out
	Commits   = "commits"       // of transactions
	Conflicts = "conflicts"     // writes that met another one
	Syncs     = "syncs"         // of its journal
	Journal   = "journal bytes" // written
)

// Usage is what was used since all began.
type Usage struct {
	CPU    map[string]time.Duration // by process; those of one name together
	Counts Values                   // of MongoDB by the names above, and of others by theirs
}

// Process is one whose processor time counts.
type Process struct {
	Name string
	PID  int
}

// Since returns what was used since before.
func (u Usage) Since(before Usage) Usage {
	d := Usage{CPU: make(map[string]time.Duration), Counts: make(Values)}
	for name, cpu := range u.CPU {
		d.CPU[name] = cpu - before.CPU[name]
	}
	d.Counts.Add(u.Counts, 1)
	d.Counts.Add(before.Counts, -1)
	return d
}

// Millis returns what the processes that count took, in milliseconds for 1,000 of n requests.
func (u Usage) Millis(n int, counts func(process string) bool) (sum float64) {
	for name, cpu := range u.CPU {
		if counts(name) {
			sum += float64(cpu) / float64(time.Millisecond) / float64(n) * 1000
		}
	}
	return sum
}

// Look reads what MongoDB, the processes, and those whose admin listeners are given have used. Where there is no
// /proc, as outside Linux, processor time is left out.
func Look(ctx context.Context, admin *mongo.Database, processes []Process, listeners []string) (Usage, error) {
	u := Usage{CPU: make(map[string]time.Duration), Counts: make(Values)}
	for _, p := range processes {
		if cpu, err := procfs.ProcessorTime(p.PID); err == nil {
			u.CPU[p.Name] += cpu
		}
	}
	status, err := admin.RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Raw()
	if err != nil {
		return u, fmt.Errorf("ask MongoDB what it did: %w", err)
	}
	count := func(name string, path ...string) {
		n, _ := status.Lookup(path...).AsInt64OK() // some servers do not know all
		u.Counts[name] += float64(n)
	}
	for _, command := range []string{
		"find", "getMore", "aggregate", "count", "distinct", "insert", "update", "delete", "bulkWrite", "findAndModify",
		"commitTransaction", "abortTransaction",
	} {
		count(Commands, "metrics", "commands", command, "total")
	}
	count(Commits, "transactions", "totalCommitted")
	count(Conflicts, "metrics", "operation", "writeConflicts")
	count(Syncs, "wiredTiger", "log", "log sync operations")
	count(Journal, "wiredTiger", "log", "log bytes written")
	for _, addr := range listeners {
		counted, err := Read(ctx, addr)
		if err != nil {
			return u, err
		}
		u.Counts.Add(counted, 1)
	}
	return u, nil
}
