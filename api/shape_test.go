package api_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/internal/testenv"
)

// TestWhatIsNotKnownToPassIsInternal: a store whose shape or rights have been changed under
// the running program will not get better by waiting, so nobody is told to try again, and
// the log has the cause.
func TestWhatIsNotKnownToPassIsInternal(t *testing.T) {
	t.Run("sqlite/a_column_of_events_is_gone", func(t *testing.T) {
		e := newEnv(t, "sqlite", setup{})
		path := e.newEvent(t, 5)
		user := newUser()
		e.register(t, path, user).object(t, 201, registrationFields)
		e.alter(t, `ALTER TABLE events DROP COLUMN last_edit`)
		e.wantEventsInternal(t, path, user)
		e.post(t, events, eventBody()).problem(t, 500, "internal")
		e.wantLogged(t, "no such column")
	})
	t.Run("sqlite/a_column_of_users_is_gone", func(t *testing.T) {
		e := newEnv(t, "sqlite", setup{})
		e.post(t, users, userBody())
		e.alter(t, `ALTER TABLE users DROP COLUMN password_version`)
		e.post(t, users, userBody("email", `"new@example.org"`)).problem(t, 500, "internal")
		e.post(t, users, userBody("email", `"new@example.org"`), "Idempotency-Key", "k").problem(t, 500, "internal")
		e.post(t, login, loginBody("ada@example.org", password)).problem(t, 500, "internal")
		e.wantLogged(t, "password_version")
	})
	t.Run("mongo/a_field_has_another_type", func(t *testing.T) {
		e := newEnv(t, "mongo", setup{})
		db := e.database(t)
		path := e.newEvent(t, 5)
		user := newUser()
		e.register(t, path, user).object(t, 201, registrationFields)
		e.post(t, users, userBody())
		for collection, field := range map[string]string{"events": "capacity", "users": "password_version"} {
			_, err := db.Collection(collection).UpdateMany(t.Context(), bson.D{}, bson.D{{Key: "$set", Value: bson.D{{Key: field, Value: "many"}}}})
			must(t, err)
		}
		e.wantEventsInternal(t, path, user)
		e.post(t, login, loginBody("ada@example.org", password)).problem(t, 500, "internal")
		e.wantLogged(t, "capacity")
	})
	t.Run("mongo/a_right_is_gone", func(t *testing.T) {
		const app = "without_rights"
		e := newEnv(t, "mongo", setup{mongo: func(t testing.TB) string { return testenv.MongoDB(t) + "&appName=" + app }})
		path := e.newEvent(t, 5)
		user := newUser()
		e.register(t, path, user).object(t, 201, registrationFields)
		admin := e.database(t).Client().Database("admin")
		failPoint := func(mode string) {
			must(t, admin.RunCommand(context.Background(), bson.D{
				{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: mode}, {Key: "data", Value: bson.D{
					{Key: "failCommands", Value: bson.A{"find", "aggregate", "count", "insert", "update", "findAndModify"}},
					{Key: "appName", Value: app}, {Key: "errorCode", Value: 13},
				}},
			}).Err())
		}
		failPoint("alwaysOn")
		defer failPoint("off")
		e.wantEventsInternal(t, path, user)
		e.post(t, events, eventBody()).problem(t, 500, "internal")
		e.post(t, users, userBody()).problem(t, 500, "internal")
		e.post(t, users, userBody(), "Idempotency-Key", "k").problem(t, 500, "internal")
		e.post(t, login, loginBody("ada@example.org", password)).problem(t, 500, "internal")
		e.wantLogged(t, "Unauthorized")
	})
}

// wantEventsInternal wants 500 from every route that needs an event.
func (e *env) wantEventsInternal(t *testing.T, path, user string) {
	t.Helper()
	seat := path + "/registrations/" + user
	for range 2 { // the second time shows that nothing is left locked
		e.get(t, path).problem(t, 500, "internal")
		e.get(t, events).problem(t, 500, "internal")
		e.get(t, events+"?q=night&limit=5").problem(t, 500, "internal")
		e.get(t, path+"/registrations").problem(t, 500, "internal")
		e.get(t, seat).problem(t, 500, "internal")
		e.get(t, users+"/"+user+"/registrations").problem(t, 500, "internal")
		e.register(t, path, newUser()).problem(t, 500, "internal")
		e.do(t, "PUT", path+"/registrations/"+newUser(), "").problem(t, 500, "internal")
		e.do(t, "DELETE", seat, "").problem(t, 500, "internal")
		e.do(t, "PATCH", path, `{"title":"x"}`, "If-Match", "*").problem(t, 500, "internal")
		e.post(t, path+"/cancel", "").problem(t, 500, "internal")
	}
}

// wantLogged wants a line at level error with the cause.
func (e *env) wantLogged(t *testing.T, cause string) {
	t.Helper()
	if faults := e.log.faults(); !strings.Contains(faults, `"status":500`) || !strings.Contains(faults, cause) {
		t.Errorf("the lines at level error do not have %q:\n%s", cause, faults)
	}
	if line := e.log.find(`"status":503`); line != "" {
		t.Errorf("somebody was told to try again: %s", line)
	}
}

// alter changes the store's file as no process of Event.io would.
func (e *env) alter(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+e.path+"?_pragma=busy_timeout(5000)")
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), statement)
	must(t, err)
}

// database is the store's, without the store.
func (e *env) database(t *testing.T) *mongo.Database {
	t.Helper()
	cs, err := connstring.ParseAndValidate(e.path)
	must(t, err)
	uri, _, _ := strings.Cut(e.path, "&appName=")
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	must(t, err)
	t.Cleanup(func() { must(t, client.Disconnect(context.Background())) })
	return client.Database(cs.Database)
}
