package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/eventio/eventio/internal/identity"
	"github.com/eventio/eventio/internal/setup"
	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/issuer"
	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/loadtest/report"
	"github.com/eventio/eventio/pkg/store"
	"github.com/eventio/eventio/pkg/store/apikeys"
	"github.com/eventio/eventio/pkg/store/foreign"
)

// leastOfOwn is what another proof must give of the throughput of our own tokens (S16).
const leastOfOwn = 0.95

// proven makes the n-th person of a round with their proof.
type proven func(round, n int) (load.Request, error)

// hotBy is an arm: a burst on a new event by people with a proof of their own.
func (s *system) hotBy(name string, connections int, prove proven) arm {
	round := 0
	return arm{name, func(ctx context.Context) (figures, error) {
		round++
		events, err := s.newEvents(ctx, 1, plenty)
		if err != nil {
			return nil, err
		}
		all := make([]load.Request, s.b.expected())
		for n := range all { // before: doing it while the load runs would slow it
			if all[n], err = prove(round, n); err != nil {
				return nil, err
			}
			all[n].Event = events[0]
		}
		var asked atomic.Int64
		_, got, err := s.load(ctx, load.Plan{Connections: connections, Next: func() (load.Request, bool) {
			n := int(asked.Add(1) - 1)
			if n >= len(all) {
				return load.Request{}, false
			}
			return all[n], true
		}}, http.StatusCreated)
		return got, err
	}}
}

// programs have a key each, which are made once: the same ones come in every round.
type programs struct {
	store apikeys.Store
	made  []load.Request
}

// programsAtOnce is how many keys are made at a time.
const programsAtOnce = 1000

// request returns that of the n-th program, which acts for a person of its own.
func (p *programs) request(ctx context.Context, n int) (load.Request, error) {
	for n >= len(p.made) {
		more := make([]load.Request, programsAtOnce)
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(setupConnections)
		for i := range more {
			group.Go(func() error {
				text, hash := identity.NewAPIKey()
				now := time.Now().UTC().Truncate(time.Millisecond)
				k := apikeys.Key{
					ID: store.NewID(), OwnerID: store.NewID(), Hash: hash, Name: "program", Scopes: identity.ScopeRegister.String(),
					CreatedAt: now, ExpiresAt: now.Add(identity.MaxLifetime),
				}
				more[i] = load.Request{Seat: load.Seat{User: k.OwnerID}, Token: text}
				return p.store.CreateAPIKey(ctx, k)
			})
		}
		if err := group.Wait(); err != nil {
			return load.Request{}, err
		}
		p.made = append(p.made, more...)
	}
	return p.made[n], nil
}

// identities is S16: people whom another issuer, a gateway's header and API keys have proven, in turn with our own tokens, and
// a burst and readers through nginx, in turn with the way without it. All come to the same processes.
func identities(ctx context.Context, b *bench) error {
	const own, others, first, header, key = "own token", "token of an issuer", "token of an issuer, never seen before", "header of a gateway", "API key"
	const reads, through = "one event", ", through nginx"
	is, err := issuer.New()
	if err != nil {
		return err
	}
	b.atEnd = append(b.atEnd, func(context.Context) error { is.Close(); return nil })
	b.ofAPIs = []string{
		"EVENTIO_OIDC_ISSUER=" + is.URL, "EVENTIO_OIDC_AUDIENCE=" + issuer.Audience,
		"EVENTIO_TRUSTED_PROXIES=127.0.0.1", "EVENTIO_IDENTITY_HEADER=X-Remote-User",
	}
	s, err := b.newSystem(ctx, 1, setup.Token)
	if err != nil {
		return err
	}
	nginx, err := b.nginx(ctx, s.addr)
	if err != nil {
		return err
	}
	events, err := s.newEvents(ctx, 1, plenty)
	if err != nil {
		return err
	}
	keys := &programs{store: s.store}
	byOwn := func(int, int) (load.Request, error) {
		who, err := b.crowd.Mint()
		return load.Request{Seat: load.Seat{User: who.ID}, Token: who.Token}, err
	}
	byIssuer := func(subject string) (load.Request, error) {
		token, err := is.Token(subject, nil)
		return load.Request{Seat: load.Seat{User: foreign.ID(is.URL, subject)}, Token: token}, err
	}
	known := make([]load.Request, b.expected())
	for n := range known {
		if known[n], err = byIssuer(fmt.Sprint(n)); err != nil {
			return err
		}
	}
	reading := s.asking(reads, func() load.Request { return load.Request{Path: "/api/events/" + events[0].Hex()} })
	if err := b.alternate(ctx,
		s.hotBy(key, few, func(_, n int) (load.Request, error) { return keys.request(ctx, n) }),
		s.hotBy(own, few, byOwn),
		s.hotBy(others, few, func(_, n int) (load.Request, error) { return known[n], nil }),
		s.hotBy(first, few, func(round, n int) (load.Request, error) { return byIssuer(fmt.Sprintf("%d of %d", n, round)) }),
		s.hotBy(header, few, func(round, n int) (load.Request, error) {
			name := fmt.Sprintf("%d of %d", n, round)
			return load.Request{Seat: load.Seat{User: foreign.ID(foreign.Gateway, name)}, Header: "X-Remote-User: " + name}, nil
		}),
		s.by(nginx, s.hotBy(own+through, few, byOwn)), reading, s.by(nginx, arm{reads + through, reading.run}),
	); err != nil {
		return err
	}
	for _, name := range []string{others, header, key} {
		b.result.Compare(name, own, goodput, report.AtLeast(leastOfOwn))
	}
	b.result.Compare(first, own, goodput, report.Goal{})
	b.result.Compare(own+through, own, goodput, report.Goal{})
	b.result.Compare(reads+through, reads, goodput, report.Goal{})
	for _, name := range []string{own, first, own + through} {
		b.result.Judge(name, cpuOfAll, report.Goal{})
	}
	return nil
}

// by is an arm whose load goes to another address, which hands it on.
func (s *system) by(addr string, a arm) arm {
	return arm{a.name, func(ctx context.Context) (figures, error) {
		defer func(direct string) { s.addr = direct }(s.addr)
		s.addr = addr
		return a.run(ctx)
	}}
}

// nginx starts an nginx before an API process, to the scenario's end, and returns its address. It has the configuration of
// deploy/gateway/nginx, without TLS: what that costs is not asked here.
func (b *bench) nginx(ctx context.Context, api string) (string, error) {
	binary, err := testenv.Script(ctx, "gateways.sh", "nginx")
	if err != nil {
		return "", err
	}
	server, err := testenv.ReadFile("deploy/gateway/nginx/eventio.conf")
	if err != nil {
		return "", err
	}
	port, err := testenv.FreePort()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(b.dir, "nginx-")
	if err != nil {
		return "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	config := strings.NewReplacer("LISTEN", addr, "API", api, "FOLDER", dir, "SERVER", strings.NewReplacer(
		"10.0.0.11:3000", api, "    server 10.0.0.12:3000 max_fails=1 fail_timeout=5s;\n", "", "443 ssl http2", addr,
		"    ssl_certificate /etc/ssl/eventio/cert.pem;\n    ssl_certificate_key /etc/ssl/eventio/key.pem;\n", "",
	).Replace(server)).Replace(nginxConfig)
	if os.Getuid() == 0 {
		config = "user root;\n" + config // its workers write into a folder that is for nobody else
	}
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return "", err
	}
	// Its workers outlive it when it is killed.
	p, err := testenv.StartProgram(b.dir, "nginx", exec.Command(binary, "-p", dir, "-c", path, "-e", "stderr"))
	if err != nil {
		return "", err
	}
	b.atEnd = append(b.atEnd, func(context.Context) error { return p.End(syscall.SIGTERM) })
	return addr, awaitReady(ctx, addr)
}

// nginxConfig is around the configuration of a server.
const nginxConfig = `daemon off;
pid FOLDER/pid;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path FOLDER/body;
	proxy_temp_path FOLDER/proxy;
	fastcgi_temp_path FOLDER/fastcgi;
	uwsgi_temp_path FOLDER/uwsgi;
	scgi_temp_path FOLDER/scgi;
	SERVER
}
`
