package usage

// The names of the figures of Work; they end in the unit.
const (
	PerRequest = "store commands/request"
	perCommit  = "store commands/commit"
	syncs      = "journal syncs/commit"
	conflicts  = "write conflicts/1,000 requests"
	thrownAway = "guesses thrown away/100 batches"
	saving     = "ms of writes/batch"
	committing = "ms of commit/batch"
)

// OfCommits returns the names of those figures that tell what a commit took.
func OfCommits() []string {
	return []string{perCommit, syncs, conflicts, thrownAway, saving, committing}
}

// Work returns what workers and MongoDB did for n requests, by those names, without what they did not count.
func (v Values) Work(n int) map[string]float64 {
	got := map[string]float64{PerRequest: v[Commands] / float64(n), conflicts: v[Conflicts] / float64(n) * 1000}
	if commits := v[Commits]; commits > 0 {
		got[perCommit], got[syncs] = v[Commands]/commits, v[Syncs]/commits
	}
	const guesses, phases = "eventio_store_guesses_total:", "eventio_store_batch_phase_seconds"
	if batches := v.Sum(guesses); batches > 0 {
		got[thrownAway] = v.Sum(guesses+"wrong", guesses+"failed") / batches * 100
		got[saving] = v[phases+"_sum:save"] / batches * 1000
		got[committing] = v[phases+"_sum:commit"] / batches * 1000
	}
	return got
}
