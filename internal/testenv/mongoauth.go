package testenv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// rootLogin is that of the user who may do everything, in a URI.
const rootLogin = "root:root@"

// StartMongoWithLogin is [StartMongo] for a server that lets nobody in without a password.
// [Mongo.Command] makes users, and [Mongo.URIOf] is how one of them connects.
func StartMongoWithLogin(tb testing.TB) *Mongo {
	tb.Helper()
	return startMongoWithLogin(tb, "")
}

func startMongoWithLogin(tb testing.TB, tls string, args ...string) *Mongo {
	tb.Helper()
	m := startMongo(tb, tls, args...)
	if err := m.requireLogin(); err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return m
}

// mongoUsers are the users of [StartMongoSecured], with the role of each in deploy/mongodb/roles.json.
var mongoUsers = map[string]string{
	"api": "eventioApi", "worker": "eventioWorker", "notifier": "eventioNotifier", "migrate": "eventioMigrate", "operator": "eventioOperator",
}

// StartMongoSecured starts a mongod for this test that speaks TLS only, with the authority a, and lets nobody in without
// a login. It has the roles of deploy/mongodb/roles.json, and a user for each: api, worker, notifier, migrate and
// operator, twice. One has the password PASSWORD-OF-NAME ([Mongo.SecuredURI]), the other a certificate that a
// signs ([Mongo.CertifiedURI]).
func StartMongoSecured(tb testing.TB, a *Authority) *Mongo {
	tb.Helper()
	a.Issue("Event.io", "mongodb")
	m := startMongoWithLogin(tb, "&tls=true&tlsCAFile="+a.CA,
		"--tlsMode", "requireTLS", "--tlsCertificateKeyFile", a.PEM("mongodb"), "--tlsCAFile", a.CA, "--tlsAllowConnectionsWithoutCertificates")
	if err := m.makeUsers(); err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	for name := range mongoUsers {
		a.Issue("eventio", name)
	}
	return m
}

// makeUsers makes the roles and the users.
func (m *Mongo) makeUsers() error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, "deploy", "mongodb", "roles.json"))
	if err != nil {
		return err
	}
	var file struct {
		Roles []bson.D `bson:"roles"`
	}
	if err := bson.UnmarshalExtJSON([]byte(`{"roles": `+string(text)+`}`), false, &file); err != nil {
		return fmt.Errorf("read roles.json: %w", err)
	}
	for _, command := range file.Roles {
		if err := m.Command(command); err != nil {
			return err
		}
	}
	for name, role := range mongoUsers {
		roles := bson.A{bson.D{{Key: "role", Value: role}, {Key: "db", Value: "admin"}}}
		if err := m.Command(bson.D{{Key: "createUser", Value: name}, {Key: "pwd", Value: MongoPassword(name)}, {Key: "roles", Value: roles}}); err != nil {
			return err
		}
		if err := m.command("$external", bson.D{{Key: "createUser", Value: "CN=" + name + ",O=eventio"}, {Key: "roles", Value: roles}}); err != nil {
			return err
		}
	}
	return nil
}

// MongoPassword returns the password of a user of StartMongoSecured.
func MongoPassword(user string) string { return "password-of-" + user }

// SecuredURI is [Mongo.URIOf] for a user of StartMongoSecured and a password.
func (m *Mongo) SecuredURI(user, password string) string { return m.URIOf(user, password) + m.tls }

// CertifiedURI is [Mongo.URI] for a user who has the certificate in a file of a.Issue.
func (m *Mongo) CertifiedURI(certificate string) string {
	return m.URI() + m.tls + "&authMechanism=MONGODB-X509&tlsCertificateKeyFile=" + certificate
}

// requireLogin makes the root user while everybody is one, and then starts the server again.
func (m *Mongo) requireLogin() error {
	if err := m.Command(bson.D{
		{Key: "createUser", Value: "root"}, {Key: "pwd", Value: "root"}, {Key: "roles", Value: bson.A{"root"}},
	}); err != nil {
		return fmt.Errorf("make the root user: %w", err)
	}
	key := filepath.Join(m.dir, "key") // replica sets want one, even of one node
	if err := os.WriteFile(key, []byte(strings.Repeat("eventio", 10)), 0o600); err != nil {
		return err
	}
	m.mu.Lock()
	m.args, m.login = append(m.args, "--keyFile", key), rootLogin
	m.mu.Unlock()
	return m.Restart()
}

// Command runs a command on the database admin, as root.
func (m *Mongo) Command(command bson.D) error { return m.command("admin", command) }

// command is Command on another database.
func (m *Mongo) command(database string, command bson.D) error {
	m.mu.Lock()
	uri := m.direct()
	m.mu.Unlock()
	return withAdmin(uri, func(admin *mongo.Database) error {
		return run(context.Background(), admin.Client().Database(database), command, nil)
	})
}

// URIOf is [Mongo.URI] for a user.
func (m *Mongo) URIOf(user, password string) string {
	return "mongodb://" + user + ":" + password + "@" + m.Addr() + "/eventio?replicaSet=rs0&authSource=admin"
}
