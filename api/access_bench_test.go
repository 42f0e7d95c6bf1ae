package api

import (
	"syscall"
	"testing"
	"time"

	"github.com/eventio/eventio/api/gate"
	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/pkg/store"
)

// BenchmarkRegistrationByMode is what proving who one is costs on the hot route, with a
// worker and the embedded store behind it.
func BenchmarkRegistrationByMode(b *testing.B) {
	for _, c := range []struct {
		name   string
		change []func(*gate.Config)
	}{
		{"trusted", []func(*gate.Config){trusted}},
		{"token", nil},
		{"token_and_limits", []func(*gate.Config){rateLimited}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := newSite(b, "sqlite")
			i := s.start(b, identity.Keys{}, c.change...)
			ada := i.newMember(b)
			seats := "/api/events/" + i.ask(b, "POST", "/api/events", `{"title":"x","capacity":1000000000,`+
				`"starts_at":"2027-05-01T18:00:00Z","ends_at":"2027-05-01T20:00:00Z"}`, bearer(ada.token)).want(b, 201, "").field(b, "id") + "/registrations"
			b.SetParallelism(128)
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime(b)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					who := i.stranger(b) // signing is not what is measured, but alike for all
					address := from("[2001:db8:" + who.id[16:20] + ":" + who.id[20:] + "::1]:1")
					if c.name == "trusted" {
						i.ask(b, "POST", seats, `{"user_id":"`+store.NewID().Hex()+`"}`, address).want(b, 201, "")
					} else {
						i.ask(b, "POST", seats, `{"user_id":"`+who.id+`"}`, bearer(who.token), address).want(b, 201, "")
					}
				}
			})
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is what this process has had of the processor: other programs do not disturb it
// as they disturb the time of day.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
