//go:build planted

// Package planted puts known faults into Event.io, one at a time, and wants them found. A fault is a change
// of one place of the source that only the build of its test sees (go build -overlay), so that no program
// that is ever run has a switch for it.
package planted

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fault is a change of a file, and the test that must fail because of it.
type fault struct {
	name     string
	file     string // below the root of the repository
	old, new string // the text that is there once, and the one in its place
	test     []string
	says     string // what the failed test says
}

// illegal is what the judges say.
const illegal = "no order of the operations explains the answers"

// simulation and chaos are the tests that find most.
func simulation() []string { return []string{"./internal/simulation", "-run", "^TestSimulation$"} }
func chaos() []string      { return []string{"./e2e", "-run", "^TestChaos$"} }

// faults are those that reliability has to do with, and some that were in a released version.
func faults() []fault {
	return []fault{
		{"request_id_is_ignored", "pkg/store/decide.go",
			"e.Confirmed(r)\n	switch {\n	case confirmed && repeated:", "e.Confirmed(r)\n	repeated = false\n	switch {\n	case confirmed && repeated:",
			simulation(), illegal},
		{"keys_are_forgotten_after_16_requests", "pkg/store/registration.go", "maxPast = 32", "maxPast = 16", simulation(), illegal},
		{"deletion_of_nobody_is_not_remembered", "pkg/store/decide.go", "if req.Keyed {\n			e.rememberCancel(r, req)", "if false {\n			e.rememberCancel(r, req)", simulation(), illegal},
		{"deletion_repeated_ends_a_later_registration", "pkg/store/decide.go",
			"r.Past = r.Past.add(maxPast, PastRequest{ID: r.RequestID}, PastRequest{ID: req.RequestID})", "r.Past = r.Past.add(maxPast, PastRequest{ID: r.RequestID})",
			simulation(), illegal},
		{"a_worker_checks_no_deadline", "worker/receive.go",
			"time.Duration(req.RemainingMillis)*time.Millisecond - delay)", "time.Duration(req.RemainingMillis)*time.Millisecond - delay + time.Hour)", simulation(), illegal},
		{"an_answer_comes_after_its_limit", "pkg/messages/requester.go", "deadline: deadline}\n	e.attemptTimeout = max(time.Until(deadline)/maxAttempts",
			"deadline: deadline.Add(3 * time.Second)}\n	e.attemptTimeout = max(time.Until(deadline)/maxAttempts+time.Second", simulation(), "an answer took"},
		{"doubt_ends_with_the_next_attempt", "pkg/messages/requester.go", "if e.unanswered > 0 {\n		o = OutcomeUnknown", "if false {\n		o = OutcomeUnknown", simulation(), illegal},
		{"a_read_in_flight_is_joined", "internal/fresh/fresh.go", "			delete(l.joined, key)\n", "			defer time.AfterFunc(time.Second, func() { l.mu.Lock(); defer l.mu.Unlock(); delete(l.joined, key) })\n", simulation(), illegal},
		{"who_waits_longest_is_passed", "pkg/store/decide.go", "free := e.TicketsSold < e.Capacity && e.Waiting == 0", "free := e.TicketsSold <= e.Capacity && e.Waiting == 0", simulation(), illegal},
		{"a_late_attempt_takes_a_seat", "pkg/store/decide.go", "	if e.overtaken(req, r) {", "	if false && e.overtaken(req, r) {", simulation(), illegal},
		{"nobody_waits_for_leases", "pkg/store/leases/leases.go", "return longest + longest/drift + margin", "return 0 * longest", simulation(), illegal},
		{"a_worker_knows_no_leases", "pkg/store/decide.go", "if req.Kind != Register && e.LeaseMillis > 0 {", "if false {", simulation(), illegal},
		{"a_lease_is_held_for_too_long", "api/soldout/soldout.go", "granted := &lease{from: sent, length: length,", "granted := &lease{from: sent, length: 20 * length,", simulation(), illegal},
		{"who_has_a_row_is_refused_from_memory", "api/soldout/soldout.go", "if lease != nil && lease.entered.has(user) {", "if lease != nil && lease.entered.has(user) && false {", simulation(), illegal},
		{"the_guard_of_the_store_is_off", "pkg/store/mongostore/seats_write.go",
			"		{Key: \"id\", Value: \"$_id\"}, {Key: \"revision\", Value: \"$revision\"},\n		{Key: \"fence\", Value: bson.D{{Key: \"$ifNull\", Value: bson.A{\"$fence\", 0}}}}, // missing until the first batch",
			"		{Key: \"id\", Value: \"$_id\"}, {Key: \"revision\", Value: expected[0].(bson.D)[1].Value}, {Key: \"fence\", Value: expected[0].(bson.D)[2].Value},",
			chaos(), ""},
		{"the_unique_key_is_off", "pkg/store/mongostore/seats_write.go", "return newRegistrationDoc(r) },",
			"return bson.D{{Key: \"_id\", Value: bson.D{{Key: \"user_id\", Value: r.UserID}, {Key: \"event_id\", Value: r.EventID}, {Key: \"salt\", Value: store.NewID()}}}, " +
				"{Key: \"number\", Value: r.Number}, {Key: \"cancelled\", Value: false}} },",
			chaos(), ""},
		{"answers_do_not_wait_for_a_majority", "pkg/store/mongostore/internal/mongodb/transaction.go", "W: writeconcern.WCMajority", "W: 1",
			[]string{"./pkg/store/mongostore", "-run", "^TestNoAnswerIsOvertaken$"}, "although no majority"},
		{"a_refusal_is_not_fenced", "pkg/store/mongostore/seats.go", "			err = a.confirm(ctx)\n", "			err = nil\n",
			[]string{"./pkg/store/mongostore", "-run", "^(TestNoAnswerIsOvertaken|TestALateCommitDoesNotOvertakeAnAnswer)$"}, ""},
		{"a_commit_goes_into_a_removed_log", "pkg/store/sqlitestore/files.go", "return fmt.Errorf(\"%w: %s is not there\", ErrLost, f.path)", "continue",
			[]string{"./pkg/store/sqlitestore", "-run", "^TestALostDatabaseTakesNothing$"}, "a write ends with <nil>"},
	}
}

// TestPlantedFaultsAreFound: each fault makes its test fail within 60 s, and the test says why.
func TestPlantedFaultsAreFound(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			args := append([]string{"test", "-count=1", "-timeout=5m", "-overlay=" + overlay(t, root, f)}, f.test...)
			cmd := exec.Command("go", args...)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "EVENTIO_SIMULATION=60s", "EVENTIO_CHAOS=60s", "TMPDIR="+t.TempDir(), "GOFLAGS=-overlay="+strings.TrimPrefix(args[3], "-overlay="))
			started := time.Now()
			out, err := cmd.CombinedOutput()
			took := time.Since(started).Round(time.Second)
			switch said := string(out); {
			case err == nil:
				t.Errorf("it was not found in %v:\n%s", took, tail(said))
			case strings.Contains(said, "[build failed]"):
				t.Errorf("it does not compile:\n%s", tail(said))
			case !strings.Contains(said, f.says):
				t.Errorf("another reason than %q:\n%s", f.says, tail(said))
			default:
				t.Logf("found in %v, the build included", took)
			}
		})
	}
}

// tail returns the end of an output.
func tail(s string) string { return s[max(0, len(s)-3000):] }

// overlay writes the changed file and what go build wants to know of it.
func overlay(t *testing.T, root string, f fault) string {
	t.Helper()
	original := filepath.Join(root, f.file)
	text, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), f.old); n != 1 {
		t.Fatalf("%s has the text of the fault %d times: write it anew for the code as it is now", f.file, n)
	}
	changed, list := filepath.Join(t.TempDir(), filepath.Base(f.file)), filepath.Join(t.TempDir(), "overlay.json")
	data, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{changed: []byte(strings.Replace(string(text), f.old, f.new, 1)), list: data} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return list
}
