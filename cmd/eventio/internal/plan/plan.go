// Package plan is the command eventio plan, which says what to run for an opening, and what to expect of it, by the
// model of loadtest/model.
package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/loadtest/model"
)

// Command has the flags of eventio plan.
type Command struct {
	People   int           `required:"" placeholder:"N" help:"How many people will come."`
	Places   int           `required:"" placeholder:"N" help:"How many places there are, of all events together."`
	Events   int           `default:"1" help:"How many events share them."`
	Within   time.Duration `required:"" placeholder:"DURATION" help:"The time in which all of them come, from the opening on; 1s to 24h."`
	First    float64       `default:"0.05" help:"The share of the people who come in the first second; the others come evenly. 1: all at once."`
	Reads    int           `default:"2" help:"How much else each person reads: the page, the state."`
	Live     bool          `help:"Everybody who waits gets a live stream, of which an API process has 8192."`
	Distance time.Duration `default:"0s" help:"Round trip between the workers and the primary of MongoDB, beside that within one zone."`
	Majority time.Duration `default:"1ms" help:"Round trip from the primary to the member of MongoDB that makes a majority: about 1ms between zones, 20ms to 100ms between regions."`
	Lease    time.Duration `default:"0s" help:"EVENTIO_SOLD_OUT_LEASE of the workers: for how long API processes may say by themselves that an event is sold out; 0s to 1s."`
	Speed    float64       `default:"1" help:"How fast a core is, compared with the one on which the costs were measured (docs/scale.md)."`
	JSON     bool          `name:"json" help:"Print JSON."`
}

// Run prints the plan. It asks nobody, and takes some seconds.
func (c Command) Run(env process.Env) error {
	d := model.Demand{
		People: c.People, Places: c.Places, Events: c.Events, Within: c.Within, First: c.First, Reads: c.Reads, Live: c.Live,
		Distance: c.Distance, Majority: c.Majority, Lease: c.Lease, Speed: c.Speed,
	}
	if field, err := d.Check(); err != nil {
		return process.Usage("--%s: %v", field, err)
	}
	p := model.NewPlan(d, model.Measured())
	if c.JSON {
		out := json.NewEncoder(env.Stdout)
		out.SetIndent("", "  ")
		return out.Encode(p)
	}
	write(env.Stdout, p)
	return nil
}

// write writes a plan for people.
func write(to io.Writer, p model.Plan) {
	d := p.Demand
	fmt.Fprintf(to, "%s people for %s places of %s within %v, %g %% of them in the first second.\n\n", grouped(d.People), grouped(d.Places), events(d.Events), d.Within, 100*d.First)
	table := tabwriter.NewWriter(to, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "PART\tPROCESSES\tCORES EACH\tMEMORY EACH\tWHY")
	cores := 0
	for _, part := range p.Parts {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d MiB\t%s\n", part.Name, part.Processes, part.Cores, part.MemoryMiB, part.Why)
		cores += part.Processes * part.Cores
	}
	fmt.Fprintf(table, "together\t\t%d cores\n\nOF\tSETTING\tVALUE\tWHY\n", cores)
	for _, s := range p.Set {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Of, s.Name, s.Value, s.Why)
	}
	_ = table.Flush() // to may be gone, which the next line meets too
	e := p.Expect
	fmt.Fprintf(to, "\nAt the opening\n  %s people ask in the first second; %s requests are under way at most, in batches of %.0f.\n",
		grouped(e.FirstSecond), grouped(e.PeakUnderWay), e.MeanBatch)
	fmt.Fprintf(to, "  They have their answer after %.0f ms (median), 99 of 100 after %.0f ms.\n", e.MedianMillis, e.P99Millis)
	fmt.Fprintf(to, "  Of %s who come in the seconds that were simulated %s get a seat and %s are told that there is none; %s are told 503 and %s nothing, after five tries. %s tries were repetitions.\n",
		grouped(e.Simulated), grouped(e.Granted), grouped(e.Refused), grouped(e.Overloaded), grouped(e.Unanswered), grouped(e.Retried))
	if e.SoldOutAfter > 0 {
		fmt.Fprintf(to, "  The last place goes after %.1f s.\n", e.SoldOutAfter)
	}
	fmt.Fprintf(to, "  What ends first: %s. The fullest part uses %.0f %% of its cores in the first second.\n", p.Ends, 100*p.EndsAt)
	for _, w := range p.Warning {
		fmt.Fprintf(to, "\nWarning: %s.\n", w)
	}
	fmt.Fprintln(to, "\nThis is what a model says; docs/scale.md has how well it predicts, and what is least known. Play the opening before (docs/operations.md, \"An opening\").")
}

func events(n int) string {
	if n == 1 {
		return "one event"
	}
	return grouped(n) + " events"
}

// grouped returns a number with its thousands apart.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
