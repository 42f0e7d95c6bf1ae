package uplink

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/eventio/eventio/internal/testenv"
)

// TestRefusalsOfBeforeDoNotCount checks which refusal of a message explains that a probe has no reply.
func TestRefusalsOfBeforeDoNotCount(t *testing.T) {
	var p Refusals
	if err := p.Since(time.Time{}); err != nil {
		t.Errorf("without any: %v", err)
	}
	at := time.Now()
	p.err, p.when = nats.ErrPermissionViolation, at
	if p.Since(at) == nil || p.Since(at.Add(-time.Second)) == nil || p.Since(at.Add(time.Nanosecond)) != nil {
		t.Error("a refusal counts from its own moment on")
	}
}

// TestRefusedMessagesAreNoted checks which errors of a connection count as a refusal of seat requests, and that the
// handler of before hears all of them.
func TestRefusedMessagesAreNoted(t *testing.T) {
	conn, err := nats.Connect(testenv.StartNATS(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	publish := func(subject string) error {
		return fmt.Errorf("%w: Permissions Violation for Publish to %q", nats.ErrPermissionViolation, subject)
	}
	for _, before := range []bool{true, false} {
		for name, c := range map[string]struct {
			err   error
			noted bool
		}{
			"the subject":     {publish("a.b"), true},
			"another":         {publish("a.b.c"), false},
			"a subscription":  {fmt.Errorf("%w: Permissions Violation for Subscription to \"a.b\"", nats.ErrPermissionViolation), false},
			"the words alone": {errors.New("Permissions Violation for Publish to \"a.b\""), false},
		} {
			heard := 0
			conn.SetErrorHandler(nil)
			if before {
				conn.SetErrorHandler(func(*nats.Conn, *nats.Subscription, error) { heard++ })
			}
			var p Refusals
			began := time.Now()
			p.Listen(conn, "a.b")
			conn.ErrorHandler()(conn, nil, c.err)
			if noted := p.Since(began); (noted != nil) != c.noted || c.noted && !errors.Is(noted, c.err) || before && heard != 1 {
				t.Errorf("%s: noted %v, and the handler of before heard %d", name, noted, heard)
			}
		}
	}
}
