package identity

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// TestForgedRevocations: whatever revocations somebody sends on NATS, they lock nobody out, they cost
// the store a bounded number of readings, and a genuine one among them still ends its tokens at once.
func TestForgedRevocations(t *testing.T) {
	url, st, log := testenv.StartNATS(t).URL(), newStore(t), new(lines)
	keys := Config{Keys: Alone().keys, Log: zerolog.New(log)}
	here, changer := openGuard(t, url, st, keys), openGuard(t, url, st, keys)
	victim := store.NewID()
	token, _, err := here.Sign(Person{ID: victim})
	if err != nil {
		t.Fatal(err)
	}
	forger, err := messages.Connect(url, "forger", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(forger.Close)
	link := messages.Link{Conn: forger, Namespace: here.link.Namespace}
	began := time.Now()
	for i := range 2000 {
		version := int64(1)
		if i%2 == 0 {
			version = 1<<63 - 1
		}
		forged := messages.Revocation{UserID: victim, PasswordVersion: version, ChangedAt: time.Now().AddDate(i, 0, 0)}
		if i > 1000 {
			forged.UserID = store.NewID()
		}
		if err := messages.PublishRevocation(link, forged); err != nil && i < 1000 {
			t.Fatal(err)
		}
		if err := forger.Publish(link.Namespace.Revocations(), fmt.Appendf(nil, `{"v":1,"user_id":%q}`, victim.Hex())); err != nil {
			t.Fatal(err)
		}
	}
	genuine := changePassword(t, st)
	stale, _, err := here.Sign(Person{ID: genuine.UserID})
	if err != nil {
		t.Fatal(err)
	}
	changer.Revoke(genuine)
	testenv.Eventually(t, 10*time.Second, "end the tokens of a changed password", func() error { return ended(here, stale) })
	if _, err := here.Check(token); err != nil {
		t.Errorf("a forged revocation locks somebody out: %v", err)
	}
	// Two guards read once each when they are opened, and then at most once in a pause.
	if reads, most := st.reads.Load(), 2*(2+int64(time.Since(began)/hintPause)); reads > most {
		t.Errorf("the store was read %d times, at most %d are right", reads, most)
	}
	if n, most := strings.Count(log.String(), "cannot be read"), 2*(2+int(time.Since(began)/time.Second)); n > most {
		t.Errorf("%d lines about messages that cannot be read", n)
	}
}

// lines keeps what is logged. It is safe for concurrent use.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
