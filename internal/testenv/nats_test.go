package testenv

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestNATS(t *testing.T) {
	n := StartNATS(t)
	url := n.URL()
	conn, err := nats.Connect(url, nats.ReconnectWait(time.Millisecond), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lost := conn.StatusChanged(nats.RECONNECTING)
	if _, err := conn.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	echo := func() error {
		_, err := conn.Request("echo", nil, time.Second)
		return err
	}
	if err := echo(); err != nil {
		t.Fatal(err)
	}
	n.Stop()
	n.Stop()
	select {
	case <-lost:
	case <-time.After(10 * time.Second):
		t.Fatal("the client has not noticed the stop")
	}
	if late, err := nats.Connect(url); err == nil {
		late.Close()
		t.Fatal("a stopped server accepts connections")
	}
	if err := n.Restart(); err != nil {
		t.Fatal(err)
	}
	if n.URL() != url {
		t.Errorf("came back at %s, was at %s", n.URL(), url)
	}
	Eventually(t, 10*time.Second, "an answer after the restart", echo)
}
