package serve

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestWhatIsDoneForAClientThatHasLeft: nobody is registered any more, and a cancellation that had no reply is made once more.
func TestWhatIsDoneForAClientThatHasLeft(t *testing.T) {
	for kind, want := range map[messages.Kind]int{messages.KindRegister: 0, messages.KindCancel: 2} {
		t.Run(string(kind), func(t *testing.T) {
			conn, err := messages.Connect(testenv.StartNATS(t).URL(), "test", zerolog.Nop())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Close)
			link := messages.Link{Conn: conn, Namespace: messages.Namespace{Prefix: messages.DefaultPrefix, Database: "here"}}
			requester, err := messages.NewRequester(link)
			if err != nil {
				t.Fatal(err)
			}
			attempts := make(chan *nats.Msg, 10)
			if _, err := conn.ChanSubscribe(link.Namespace.Seats(), attempts); err != nil { // a worker that does not reply
				t.Fatal(err)
			}
			a := &Core{Seats: requester, Pauses: &Pauses{begun: time.Now()}, throttle: newStreamThrottle()}
			client, leave := context.WithCancel(t.Context())
			leave()
			r := &Request{Request: httptest.NewRequestWithContext(client, "PUT", "/", nil)}
			r.Start(true, time.Second)
			got := a.Send(httptest.NewRecorder(), r, messages.SeatRequest{Kind: kind, RequestID: "r", EventID: store.NewID(), UserID: store.NewID()})
			if len(attempts) != want || (got.Reply.Outcome == messages.OutcomeOverloaded) != (want == 0) {
				t.Errorf("%d attempts, and then %s", len(attempts), got.Reply.Outcome)
			}
		})
	}
}
