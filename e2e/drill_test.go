package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/pkg/client"
	"github.com/eventio/eventio/pkg/store"
)

// TestBackupOfAReplicaSet plays the drill of docs/operations.md, "Backup of MongoDB": the files of one
// secondary are the backup, people go on registering meanwhile, and what is restored is clean and has
// everybody who was confirmed before the backup began.
func TestBackupOfAReplicaSet(t *testing.T) {
	set := testenv.StartReplicaSet(t, 2000)
	c := newCluster(t).with("MONGODB_URI=" + set.URI())
	people := newClient(t, c.start(t, "api").addr, client.Retry{})
	c.start(t, "worker")
	e := createEvent(t, people, 1_000_000)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	var confirmed []store.ID
	known := func() []store.ID {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(confirmed)
	}
	var crowd sync.WaitGroup
	for range 4 {
		crowd.Go(func() {
			for ctx.Err() == nil {
				user := store.NewID()
				if _, err := people.Register(t.Context(), e.ID, user); err != nil {
					t.Errorf("a registration beside a backup: %v", err)
					return
				}
				mu.Lock()
				confirmed = append(confirmed, user)
				mu.Unlock()
			}
		})
	}
	atLeast := func(n int) {
		t.Helper()
		testenv.Eventually(t, limit, "register", func() error {
			if len(known()) < n {
				return context.DeadlineExceeded
			}
			return nil
		})
	}
	atLeast(50)

	secondaries, err := set.Secondaries()
	succeeds(t, err)
	before := known()
	onEveryMember(t, set.URI())
	restored := testenv.CopyOf(t, secondaries[0])
	during := len(known()) - len(before)
	atLeast(len(known()) + 50)
	stop()
	crowd.Wait()
	if during == 0 {
		t.Error("nobody registered while the backup was made")
	}

	for name, uri := range map[string]string{"the original": set.URI(), "the restored one": restored.URI()} {
		cmd := exec.Command(filepath.Join(programs, "eventio"), "verify", "--mongodb-uri", uri)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "clean: every promise holds") {
			t.Errorf("verify %s: %v\n%s", name, err, out)
		}
	}

	// The copy has the original's id, so it gets another prefix, as docs/operations.md says.
	r := c.with("MONGODB_URI="+restored.URI(), "EVENTIO_NATS_PREFIX=restored")
	again := newClient(t, r.start(t, "api").addr, client.Retry{})
	r.start(t, "worker")
	there := make(map[store.ID]bool)
	for _, user := range roster(t, again, e, "") {
		there[user] = true
	}
	for _, user := range before {
		if !there[user] {
			t.Errorf("%s was confirmed before the backup began and is not in it", user.Hex())
		}
	}
	lost := 0
	for _, user := range known() {
		if !there[user] {
			lost++
		}
	}
	if lost < 50 {
		t.Errorf("the restored database lacks %d registrations: those after the backup cannot be in it", lost)
	}
	t.Logf("%d confirmed before the backup, %d while it was made, %d lost by restoring it", len(before), during, lost)
	testenv.Eventually(t, limit, "sell again", func() error { return register(t, again, e) })
}

// onEveryMember waits until everything that was confirmed is on every member, as an operator does who looks
// at rs.printSecondaryReplicationInfo() before a backup.
func onEveryMember(t *testing.T, uri string) {
	t.Helper()
	db, err := mongo.Connect(options.Client().ApplyURI(uri))
	succeeds(t, err)
	defer func() { succeeds(t, db.Disconnect(context.WithoutCancel(t.Context()))) }()
	concern := options.Collection().SetWriteConcern(&writeconcern.WriteConcern{W: 3})
	_, err = db.Database("drill").Collection("mark", concern).InsertOne(t.Context(), bson.D{{Key: "at", Value: len(uri)}})
	succeeds(t, err)
}
