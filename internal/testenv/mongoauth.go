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
	m := StartMongo(tb)
	if err := m.requireLogin(); err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	return m
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
func (m *Mongo) Command(command bson.D) error {
	m.mu.Lock()
	uri := "mongodb://" + m.login + m.Addr() + "/?directConnection=true"
	m.mu.Unlock()
	return withAdmin(uri, func(admin *mongo.Database) error { return run(context.Background(), admin, command, nil) })
}

// URIOf is [Mongo.URI] for a user.
func (m *Mongo) URIOf(user, password string) string {
	return "mongodb://" + user + ":" + password + "@" + m.Addr() + "/eventio?replicaSet=rs0&authSource=admin"
}
