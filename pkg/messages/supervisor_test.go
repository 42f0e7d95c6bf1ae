package messages_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
	"github.com/eventio/eventio/pkg/store"
)

// awhile bounds every wait of these tests. The machine may be busy, and the pauses between trials
// grow.
const awhile = 30 * time.Second

// logged is a log that may be read while it is written.
type logged struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// await waits until the log contains all texts.
func (l *logged) await(t *testing.T, texts ...string) {
	t.Helper()
	testenv.Eventually(t, awhile, "a line in the log", func() error {
		for _, text := range texts {
			if !strings.Contains(l.String(), text) {
				return fmt.Errorf("%q is not in\n%s", text, l)
			}
		}
		return nil
	})
}

// pair is a requester and a worker on one NATS server, each with a user of its own.
type pair struct {
	server      *testenv.NATS
	api, worker *nats.Conn
	requester   *messages.Requester
	service     *messages.Service
	log         *logged
}

// password is the password of both users. No log may contain it.
const password = "hunter2"

// users gives a server two users with all permissions.
func users(o *server.Options) {
	o.Users = []*server.User{
		{Username: "api", Password: password, Permissions: everything()},
		{Username: "worker", Password: password, Permissions: everything()},
	}
}

func everything() *server.Permissions {
	all := &server.SubjectPermission{Allow: []string{">"}}
	return &server.Permissions{Publish: all, Subscribe: &server.SubjectPermission{Allow: []string{">"}}}
}

func newPair(t *testing.T, options ...nats.Option) *pair {
	t.Helper()
	p := &pair{server: testenv.StartNATSWith(t, users), log: new(logged)}
	p.api, p.worker = p.connect(t, "api", options...), p.connect(t, "worker", options...)
	var err error
	if p.requester, err = messages.NewRequester(link(p.api, "here")); err != nil {
		t.Fatal(err)
	}
	if p.service, err = messages.Serve(link(p.worker, "here"), p.register(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.service.Leave() })
	p.serves(t)
	return p
}

func (p *pair) connect(t *testing.T, user string, options ...nats.Option) *nats.Conn {
	t.Helper()
	url := strings.Replace(p.server.URL(), "//", "//"+user+":"+password+"@", 1)
	conn, err := messages.Connect(url, user, zerolog.New(p.log), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		if strings.Contains(p.log.String(), password) {
			t.Errorf("the log tells the password:\n%s", p.log)
		}
	})
	return conn
}

// register answers probes with OutcomeProbed and all other requests with store.Registered.
func (p *pair) register(t *testing.T) nats.MsgHandler {
	return func(m *nats.Msg) {
		all, err := messages.DecodeRequests(m.Data)
		if err != nil {
			t.Error(err)
		}
		_, name := messages.SplitReplySubject(m.Reply)
		for i, req := range all {
			reply := messages.SeatReply{Message: name, Item: i, Outcome: store.Registered}
			if req.Kind == messages.KindProbe {
				reply.Outcome = messages.OutcomeProbed
			}
			_ = m.Respond(encode(t, reply)) // it may not be permitted
		}
	}
}

// ready returns why the requester or the worker is not ready, or nil.
func (p *pair) ready(t *testing.T) error {
	return errors.Join(p.requester.Ready(t.Context()), p.service.Probe(t.Context(), p.worker))
}

// serves waits until a request is answered and ready returns nil.
func (p *pair) serves(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, awhile, "serve", func() error {
		if got := ask(t, p.requester, time.Second); got.Outcome != store.Registered {
			return fmt.Errorf("outcome is %s", got.Outcome)
		}
		return p.ready(t)
	})
}

// TestARefusedPasswordComesBack: a password is changed for a while, and the connections come back
// by themselves when it is right again.
func TestARefusedPasswordComesBack(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	before := [2]uint64{p.api.Stats().Reconnects, p.worker.Stats().Reconnects}
	if err := p.server.Reload(func(o *server.Options) {
		users(o)
		o.Users[0].Password, o.Users[1].Password = "another", "another"
	}); err != nil {
		t.Fatal(err)
	}
	// nats.go counts attempts that are refused; it used to give up at the second.
	testenv.Eventually(t, awhile, "five refused attempts", func() error {
		for i, conn := range []*nats.Conn{p.api, p.worker} {
			if n := conn.Stats().Reconnects - before[i]; n < 5 {
				return fmt.Errorf("%d attempts, the connection is %s", n, conn.Status())
			}
		}
		return nil
	})
	if p.requester.Ready(t.Context()) == nil || p.service.Probe(t.Context(), p.worker) == nil {
		t.Error("ready without a connection")
	}
	if err := p.server.Reload(users); err != nil {
		t.Fatal(err)
	}
	p.serves(t)
	p.log.await(t, "uthorization", "trying on", "connected to NATS")
}

// TestPermissionsComeBack: when a permission is withdrawn, whichever it is, the requester or the
// worker says that it is not ready. When it is given back both serve again, on the same connection.
func TestPermissionsComeBack(t *testing.T) {
	t.Parallel() // like all of these: most of the time is spent waiting
	const api, worker = 0, 1
	for name, c := range map[string]struct {
		user     int
		from     func(*server.Permissions) *server.SubjectPermission
		deny     string
		apiReady bool // the way to the workers is open, as far as an API process can tell
	}{
		"the worker may not hear requests":    {worker, subscribe, "eventio.>", true},
		"the worker may not hear those to it": {worker, subscribe, "eventio.here.v2.seats.*", true},
		"the worker may not answer":           {worker, publish, "_INBOX.>", true},
		"the worker may publish nothing":      {worker, publish, ">", true},
		"the API may not ask":                 {api, publish, "eventio.>", false},
		"the API may not hear answers":        {api, subscribe, "_INBOX.>", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			err := p.server.Reload(func(o *server.Options) {
				users(o)
				c.from(o.Users[c.user].Permissions).Deny = []string{c.deny}
			})
			if err != nil {
				t.Fatal(err)
			}
			testenv.Eventually(t, awhile, "be unready", func() error {
				if p.ready(t) == nil {
					return errors.New("ready")
				}
				return nil
			})
			asked := p.requester.Ready(t.Context())
			if ready := asked == nil || errors.Is(asked, messages.ErrNoWorkers); ready != c.apiReady {
				t.Errorf("the API's readiness is %v", asked)
			}
			if err := p.service.Probe(t.Context(), p.worker); (err == nil) != (c.user == api) {
				t.Errorf("the worker's readiness is %v", err)
			}
			p.log.await(t, "ermissions Violation")
			if err := p.server.Reload(users); err != nil {
				t.Fatal(err)
			}
			p.serves(t)
		})
	}
}

func subscribe(p *server.Permissions) *server.SubjectPermission { return p.Subscribe }
func publish(p *server.Permissions) *server.SubjectPermission   { return p.Publish }

// TestAPermissionThatWasNeverThere: a subscription that is refused at the start is made when it is
// permitted.
func TestAPermissionThatWasNeverThere(t *testing.T) {
	t.Parallel()
	p := &pair{log: new(logged), server: testenv.StartNATSWith(t, func(o *server.Options) {
		users(o)
		o.Users[0].Permissions.Subscribe.Deny = []string{"_INBOX.>"}
		o.Users[1].Permissions.Subscribe.Deny = []string{"eventio.>", "$SRV.>"}
	})}
	p.api, p.worker = p.connect(t, "api"), p.connect(t, "worker")
	var err error
	if p.requester, err = messages.NewRequester(link(p.api, "here")); err != nil {
		t.Fatal(err)
	}
	if p.service, err = messages.Serve(link(p.worker, "here"), p.register(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.service.Leave() })
	if p.requester.Ready(t.Context()) == nil || p.service.Probe(t.Context(), p.worker) == nil {
		t.Error("ready without permissions")
	}
	if err := p.server.Reload(users); err != nil {
		t.Fatal(err)
	}
	p.serves(t)
}

// TestAPermissionThatIsNotNeeded: a worker without permission for service discovery serves, and its
// connection is not closed again and again because of that.
func TestAPermissionThatIsNotNeeded(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	testenv.Eventually(t, awhile, "be connected, and have looked whether the server is open", func() error {
		if n := strings.Count(p.log.String(), "connected to NATS"); n < 2 {
			return fmt.Errorf("%d connections", n)
		}
		return nil
	})
	ours, err := p.server.Connections()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.server.Reload(func(o *server.Options) {
		users(o)
		o.Users[1].Permissions.Subscribe.Deny = []string{"$SRV.>"}
	}); err != nil {
		t.Fatal(err)
	}
	p.log.await(t, "$SRV")
	testenv.Eventually(t, awhile, "two trials", func() error {
		n, err := p.server.Connections()
		if err == nil && n < ours+2 {
			err = fmt.Errorf("%d connections", n)
		}
		return err
	})
	if n := p.worker.Stats().Reconnects; n != 0 || strings.Contains(p.log.String(), "NATS takes now what it has refused") {
		t.Errorf("the worker has reconnected %d times:\n%s", n, p.log) // or is about to
	}
	p.serves(t)
}

// TestAPayloadLimitIsTold: a message above a limit that was lowered closes the connection, which
// Lost reports. The next connection logs the limit, is not ready, and serves when it is raised.
func TestAPayloadLimitIsTold(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	lost := messages.Lost(p.api)
	if err := p.server.Reload(func(o *server.Options) { users(o); o.MaxPayload = 1000 }); err != nil {
		t.Fatal(err)
	}
	if err := p.api.Publish("elsewhere", make([]byte, 2000)); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-lost:
		if !strings.Contains(err.Error(), "Maximum Payload") {
			t.Errorf("lost by %v", err)
		}
	case <-time.After(awhile):
		t.Fatal("nobody is told that the connection is closed")
	}
	select {
	case <-messages.Lost(p.api): // also when it is called after the end
	case <-time.After(awhile):
		t.Fatal("who asks late is not told")
	}
	if p.requester.Ready(t.Context()) == nil {
		t.Error("ready on a closed connection")
	}

	p.log = new(logged)
	p.api = p.connect(t, "api")
	var err error
	if p.requester, err = messages.NewRequester(link(p.api, "here")); err != nil {
		t.Fatal(err)
	}
	if err := p.requester.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("readiness is %v", err)
	}
	p.log.await(t, "max_payload")
	if err := p.server.Reload(users); err != nil {
		t.Fatal(err)
	}
	p.serves(t)
}

// TestASubscriptionAboveTheLimitComesBack: although the server does not say which one it refused.
func TestASubscriptionAboveTheLimitComesBack(t *testing.T) {
	t.Parallel()
	const most = 5
	p := &pair{log: new(logged), server: testenv.StartNATSWith(t, func(o *server.Options) { users(o); o.MaxSubs = most })}
	conn := p.connect(t, "worker")
	var others []*nats.Subscription
	for i := range most {
		sub, err := conn.SubscribeSync(fmt.Sprint("other.", i))
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, sub)
	}
	late, err := conn.SubscribeSync("late")
	if err != nil {
		t.Fatal(err)
	}
	p.log.await(t, "maximum subscriptions exceeded")
	for _, sub := range others {
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
	testenv.Eventually(t, awhile, "hear what comes", func() error {
		if err := conn.Publish("late", nil); err != nil {
			return err
		}
		_, err := late.NextMsg(100 * time.Millisecond)
		return err
	})
}

// TestACertificateIsRenewed: the connection waits while the server has a certificate of an unknown
// authority.
func TestACertificateIsRenewed(t *testing.T) {
	t.Parallel()
	ours, strangers := authority(t), authority(t)
	with := func(by *tls.Certificate) func(*server.Options) {
		cert := leaf(t, by)
		return func(o *server.Options) {
			users(o)
			o.TLS, o.TLSTimeout = true, 2
			o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(ours.Leaf)
	p := &pair{log: new(logged), server: testenv.StartNATSWith(t, with(ours))}
	p.api = p.connect(t, "api", nats.Secure(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}))
	p.worker = p.api
	var err error
	if p.requester, err = messages.NewRequester(link(p.api, "here")); err != nil {
		t.Fatal(err)
	}
	if p.service, err = messages.Serve(link(p.worker, "here"), p.register(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.service.Leave() })
	p.serves(t)
	for _, by := range []*tls.Certificate{strangers, ours} {
		if err := p.server.Reload(with(by)); err != nil {
			t.Fatal(err)
		}
		if err := p.server.Restart(); err != nil {
			t.Fatal(err)
		}
		if by == strangers {
			p.log.await(t, "certificate signed by unknown authority")
		}
	}
	p.serves(t)
}

func authority(t *testing.T) *tls.Certificate {
	return certificate(t, &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)
}

func leaf(t *testing.T, by *tls.Certificate) tls.Certificate {
	return *certificate(t, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, by)
}

// certificate makes a certificate that by has signed, or that signs itself when by is nil.
func certificate(t *testing.T, template *x509.Certificate, by *tls.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject.CommonName = fmt.Sprint("Event.io test ", template.SerialNumber)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}
}

// TestWhyThereIsNoConnectionIsLogged: also at the start, and never with the password.
func TestWhyThereIsNoConnectionIsLogged(t *testing.T) {
	t.Parallel()
	t.Run("the_server_is_away", func(t *testing.T) {
		p := &pair{log: new(logged), server: testenv.StartNATSWith(t, users)}
		p.server.Stop()
		p.connect(t, "api")
		p.log.await(t, "NATS cannot be reached, trying on", "connection refused")
		if strings.Contains(p.log.String(), "connected to NATS") {
			t.Errorf("the log says it is connected:\n%s", p.log)
		}
		if err := p.server.Restart(); err != nil {
			t.Fatal(err)
		}
		p.log.await(t, "connected to NATS")
	})
	t.Run("the_server_refuses", func(t *testing.T) {
		p := &pair{log: new(logged), server: testenv.StartNATSWith(t, users)}
		p.connect(t, "stranger")
		p.log.await(t, "trying on", "uthorization")
	})
	t.Run("the_address_cannot_be_read", func(t *testing.T) {
		for _, url := range []string{"nats://api:hunter2/x@host:4222", "nats://api:hun%zzter2@host", "nats://api@host:hunter2"} {
			if _, err := messages.Connect(url, "api", zerolog.Nop()); err == nil || strings.Contains(err.Error(), "hun") {
				t.Errorf("%s: %v", url, err)
			}
		}
	})
}
