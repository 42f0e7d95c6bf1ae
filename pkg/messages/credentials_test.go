package messages_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/messages"
)

// TestExpiredCredentialsAreReplaced: a JWT that expires cuts the connection off, and the next
// one in the same file brings it back.
func TestExpiredCredentialsAreReplaced(t *testing.T) {
	t.Parallel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	operator, operatorID := keyPair(t, nkeys.CreateOperator)
	account, accountID := keyPair(t, nkeys.CreateAccount)
	user, userID := keyPair(t, nkeys.CreateUser)
	accountJWT, err := jwt.NewAccountClaims(accountID).Encode(operator)
	must(err)
	resolver := &server.MemAccResolver{}
	must(resolver.Store(accountID, accountJWT))
	srv := testenv.StartNATSWith(t, func(o *server.Options) {
		o.TrustedKeys, o.AccountResolver = []string{operatorID}, resolver
	})

	file := filepath.Join(t.TempDir(), "eventio.creds")
	renew := func(lifetime time.Duration) {
		t.Helper()
		claims := jwt.NewUserClaims(userID)
		claims.Expires = time.Now().Add(lifetime).Unix()
		token, err := claims.Encode(account)
		must(err)
		seed, err := user.Seed()
		must(err)
		text, err := jwt.FormatUserConfig(token, seed)
		must(err)
		must(os.WriteFile(file, text, 0o600))
	}
	renew(2 * time.Second) // whole seconds count
	log := new(logged)
	conn, err := messages.Connect(srv.URL(), "api", zerolog.New(log), nats.UserCredentials(file))
	must(err)
	t.Cleanup(conn.Close)
	log.await(t, "connected to NATS")
	testenv.Eventually(t, awhile, "four refused attempts", func() error {
		if n := conn.Stats().Reconnects; n < 4 {
			return fmt.Errorf("%d attempts, the connection is %s", n, conn.Status())
		}
		return nil
	})
	log.await(t, "xpired")
	renew(time.Hour)
	testenv.Eventually(t, awhile, "be connected again", func() error { return conn.FlushTimeout(time.Second) })
}

func keyPair(t *testing.T, create func() (nkeys.KeyPair, error)) (pair nkeys.KeyPair, id string) {
	t.Helper()
	pair, err := create()
	if err == nil {
		id, err = pair.PublicKey()
	}
	if err != nil {
		t.Fatal(err)
	}
	return pair, id
}
