package messages

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// TestWorkersOfOtherDatabasesDoNotCount: a request would be sent in vain first, and the event
// would not have its worker.
func TestWorkersOfOtherDatabasesDoNotCount(t *testing.T) {
	here := Namespace{Prefix: DefaultPrefix, Database: "here"}
	w := &workers{namespace: here, shared: here.Seats(), known: presence{missed: make(map[string]int)}}
	const own = `{"id":"own","version":"2.1.0","metadata":{"database":"here","prefix":"eventio"}}`
	for _, ping := range []string{
		strings.Replace(own, "here", "elsewhere", 1), strings.Replace(own, "eventio", "other", 1),
		strings.Replace(own, `,"prefix":"eventio"`, "", 1), `{"id":"own","version":"2.1.0"}`,
		strings.Replace(own, "2.1.0", "2.0.0", 1),
	} {
		w.receive(&nats.Msg{Data: []byte(ping)})
		if len(w.known.missed) > 0 {
			t.Fatalf("%s counts", ping)
		}
	}
	w.receive(&nats.Msg{Data: []byte(own)})
	if _, counts := w.known.missed["own"]; !counts || len(w.known.missed) != 1 {
		t.Errorf("%s does not count: %v", own, w.known.missed)
	}
}
