package api_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/eventio/eventio/internal/testenv"
)

// TestReadinessIsWhetherRequestsGetThrough: without workers an API process is ready, because
// reads go on; with a permission missing it is not, though its connection is well.
func TestReadinessIsWhetherRequestsGetThrough(t *testing.T) {
	forEachStoreWith(t, setup{noWorker: true, waits: true, nats: denied("nothing")}, func(t *testing.T, e *env) {
		becomes := func(status int) {
			t.Helper()
			testenv.Eventually(t, awhile, fmt.Sprint("become ", status), func() error {
				if a := e.get(t, "/readyz"); a.status != status {
					return fmt.Errorf("%d %s", a.status, a.body)
				}
				return nil
			})
		}
		becomes(200)
		if e.log.find("no worker answers") == "" {
			t.Error("the log does not say that no worker is there")
		}
		for _, subject := range []string{"eventio.>", "_INBOX.>"} {
			must(t, e.nats.Reload(denied(subject)))
			becomes(503)
			e.get(t, "/readyz").problem(t, 503, "overloaded")
			e.get(t, "/livez").object(t, 200, []string{"status"})
			must(t, e.nats.Reload(denied("nothing")))
			becomes(200)
		}
	})
}

// denied lets everybody in, and nobody publish or subscribe to a subject.
func denied(subject string) func(*server.Options) {
	return func(o *server.Options) {
		permissions := func() *server.SubjectPermission { return &server.SubjectPermission{Deny: []string{subject}} }
		o.Users = []*server.User{{Username: "all", Permissions: &server.Permissions{Publish: permissions(), Subscribe: permissions()}}}
		o.NoAuthUser = "all"
	}
}
