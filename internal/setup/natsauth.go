package setup

import (
	"crypto/rand"
	"net"
	"regexp"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/messages"
)

const (
	// minNATSPassword is the length of the shortest password of --nats-listen-auth, in bytes. There
	// is no limit on guesses.
	minNATSPassword = 16
	// ownInboxes is the inbox prefix of this process's own connections, of which whoever connects
	// from outside can hear and send nothing.
	ownInboxes = "_INBOX_eventio"
)

// natsUser is the form of the user's name in --nats-listen-auth.
var natsUser = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// natsAuth has the credentials of an embedded NATS server.
type natsAuth struct {
	own, outside credentials // outside is zero without a port
}

type credentials struct{ user, password string }

// newNATSAuth reads the credentials for who connects from outside, USER:PASSWORD, and makes those
// of this process. With an address to listen on, it fails with process.ErrUsage without credentials
// or with weak ones; the sentence has no part of them.
func newNATSAuth(listen, auth string) (natsAuth, error) {
	a := natsAuth{own: credentials{"eventio-" + rand.Text(), rand.Text()}}
	if listen == "" {
		return a, nil
	}
	if auth == "" {
		return a, process.Usage("--nats-listen opens no port without credentials, because whoever can send messages can change every event: " +
			"give them as EVENTIO_NATS_LISTEN_AUTH (or --nats-listen-auth, which other users of the machine can see), USER:PASSWORD")
	}
	user, password, _ := strings.Cut(auth, ":")
	if !natsUser.MatchString(user) || len(password) < minNATSPassword || strings.ContainsFunc(password, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return a, process.Usage("--nats-listen-auth is not USER:PASSWORD, with a user of letters, digits, - and _, and a password of at least %d "+
			"printable ASCII characters, such as: eventio:$(openssl rand -hex 16)", minNATSPassword)
	}
	a.outside = credentials{user, password}
	return a, nil
}

// users returns the users of the server for a namespace. Who connects from outside may do what
// `eventio verify --repair` and `nats micro ls` need: ask workers and hear the answers. So they hear
// no message of others, and cannot take part as a worker, answer for one, or end tokens.
func (a natsAuth) users(namespace messages.Namespace) []*server.User {
	users := []*server.User{{Username: a.own.user, Password: a.own.password}}
	if a.outside.user != "" {
		users = append(users, &server.User{Username: a.outside.user, Password: a.outside.password, Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{namespace.Seats(), namespace.Worker("*"), "$SRV.>"}},
			Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
		}})
	}
	return users
}

// options returns the options of this process's own connections.
func (a natsAuth) options() []nats.Option {
	return []nats.Option{nats.UserInfo(a.own.user, a.own.password), nats.CustomInboxPrefix(ownInboxes)}
}

// logPort says that the server has a port, and warns when passwords and messages cross a network
// unencrypted.
func logPort(addr net.Addr, log zerolog.Logger) {
	line, text := log.Info(), "the embedded NATS server is open to who knows the user and password of --nats-listen-auth"
	if !onLoopback(addr) {
		line, text = log.Warn(), text+", which cross the network unencrypted with all messages: use an address that only trusted machines reach"
	}
	line.Str("addr", addr.String()).Msg(text)
}
