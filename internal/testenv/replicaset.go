package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"golang.org/x/sync/errgroup"
)

// A ReplicaSet is three mongods that elect a primary among them. Its methods are safe for
// concurrent use.
type ReplicaSet struct {
	members []*Mongo
	hosts   []string // by which they know each other
}

// StartReplicaSet starts three mongods for this test and returns when one is a writable primary
// and the others are secondaries. A primary that is silent for electionTimeout is replaced;
// MongoDB's own default is 10 s.
func StartReplicaSet(tb testing.TB, electionTimeoutMillis int) *ReplicaSet {
	tb.Helper()
	return startReplicaSet(tb, electionTimeoutMillis, (*Mongo).Addr)
}

// StartDistantReplicaSet is [StartReplicaSet] with a round trip between each two of its members, and none
// between a member and a client that connects to it directly.
func StartDistantReplicaSet(tb testing.TB, electionTimeoutMillis int, roundTrip time.Duration) *ReplicaSet {
	tb.Helper()
	return startReplicaSet(tb, electionTimeoutMillis, func(m *Mongo) string {
		return StartDistance(tb, m.Addr(), roundTrip).Addr()
	})
}

func startReplicaSet(tb testing.TB, electionTimeoutMillis int, hostOf func(*Mongo) string) *ReplicaSet {
	tb.Helper()
	set := &ReplicaSet{members: make([]*Mongo, 3)}
	var starts errgroup.Group
	for i := range set.members {
		dir := tb.TempDir()
		starts.Go(func() (err error) {
			set.members[i], err = newMongo(&Mongo{dir: dir, args: forTests(), member: true})
			return err
		})
	}
	err := starts.Wait()
	for _, m := range set.members {
		if m != nil {
			m.killAfter(tb)
		}
	}
	if err != nil {
		tb.Fatalf("testenv: %v", err)
	}
	for _, m := range set.members {
		set.hosts = append(set.hosts, hostOf(m))
	}
	if err := set.initiate(electionTimeoutMillis); err != nil {
		tb.Fatalf("testenv: initiate a replica set: %v", err)
	}
	return set
}

func (s *ReplicaSet) initiate(electionTimeoutMillis int) error {
	members := bson.A{}
	for i, host := range s.hosts {
		members = append(members, bson.D{{Key: "_id", Value: i}, {Key: "host", Value: host}})
	}
	err := withAdmin(s.members[0].direct(), func(admin *mongo.Database) error {
		return run(context.Background(), admin, bson.D{{Key: "replSetInitiate", Value: bson.D{
			{Key: "_id", Value: "rs0"}, {Key: "members", Value: members},
			{Key: "settings", Value: bson.D{{Key: "electionTimeoutMillis", Value: electionTimeoutMillis}}},
		}}}, nil)
	})
	if err != nil {
		return err
	}
	return s.Settle()
}

// SetElectionTimeout changes how long a primary may be silent before it is replaced.
func (s *ReplicaSet) SetElectionTimeout(millis int) error {
	return Poll(context.Background(), startLimit, func() error { // a node that has just come back must agree
		primary, err := s.Primary()
		if err != nil {
			return err
		}
		return primary.setElectionTimeout(millis)
	})
}

func (m *Mongo) setElectionTimeout(millis int) error {
	return withAdmin(m.direct(), func(admin *mongo.Database) error {
		var reply struct{ Config bson.M }
		if err := run(context.Background(), admin, bson.D{{Key: "replSetGetConfig", Value: 1}}, &reply); err != nil {
			return err
		}
		version, ok := reply.Config["version"].(int32)
		if !ok {
			return fmt.Errorf("the configuration has the version %v", reply.Config["version"])
		}
		reply.Config["version"] = version + 1
		reply.Config["settings"] = bson.D{{Key: "electionTimeoutMillis", Value: millis}}
		return run(context.Background(), admin, bson.D{{Key: "replSetReconfig", Value: reply.Config}}, nil)
	})
}

// Settle waits until there is a writable primary and both others are its secondaries.
func (s *ReplicaSet) Settle() error {
	return Poll(context.Background(), startLimit, func() error {
		_, secondaries, err := s.roles()
		if err == nil && len(secondaries) != len(s.members)-1 {
			err = fmt.Errorf("%d secondaries", len(secondaries))
		}
		return err
	})
}

// Primary is the only node that says that it is the writable primary. It waits until all answer and one does:
// nodes that change their roles break off connections.
func (s *ReplicaSet) Primary() (primary *Mongo, err error) {
	err = Poll(context.Background(), startLimit, func() (err error) {
		primary, _, err = s.roles()
		return err
	})
	return primary, err
}

// Secondaries are the other nodes than Primary.
func (s *ReplicaSet) Secondaries() ([]*Mongo, error) {
	primary, err := s.Primary()
	if err != nil {
		return nil, err
	}
	var others []*Mongo
	for _, m := range s.members {
		if m != primary {
			others = append(others, m)
		}
	}
	return others, nil
}

// Replaced waits until another node than m is the writable primary.
func (s *ReplicaSet) Replaced(m *Mongo) error {
	return Poll(context.Background(), startLimit, func() error {
		for _, other := range s.members {
			if other == m {
				continue
			}
			var hello struct {
				IsWritablePrimary bool `bson:"isWritablePrimary"`
			}
			err := withAdmin(other.direct(), func(admin *mongo.Database) error {
				return run(context.Background(), admin, bson.D{{Key: "hello", Value: 1}}, &hello)
			})
			if err != nil || hello.IsWritablePrimary {
				return err
			}
		}
		return errors.New("no other node is the primary")
	})
}

// SameData returns an error unless every node has the same documents in the database eventio.
func (s *ReplicaSet) SameData() error {
	var first string
	for i, m := range s.members {
		var reply struct {
			MD5 string `bson:"md5"`
		}
		err := withAdmin(m.direct(), func(admin *mongo.Database) error {
			return run(context.Background(), admin.Client().Database("eventio"), bson.D{{Key: "dbHash", Value: 1}}, &reply)
		})
		switch {
		case err != nil:
			return err
		case i == 0:
			first = reply.MD5
		case reply.MD5 != first:
			return fmt.Errorf("node %d has other data than the first one", i)
		}
	}
	return nil
}

func (s *ReplicaSet) roles() (primary *Mongo, secondaries []*Mongo, err error) {
	for _, m := range s.members {
		if m.Frozen() {
			continue
		}
		var hello struct {
			IsWritablePrimary bool `bson:"isWritablePrimary"`
			Secondary         bool `bson:"secondary"`
		}
		err := withAdmin(m.direct(), func(admin *mongo.Database) error {
			return run(context.Background(), admin, bson.D{{Key: "hello", Value: 1}}, &hello)
		})
		switch {
		case err != nil:
			return nil, nil, err
		case hello.IsWritablePrimary && primary != nil:
			return nil, nil, errors.New("two nodes say that they are the primary")
		case hello.IsWritablePrimary:
			primary = m
		case hello.Secondary:
			secondaries = append(secondaries, m)
		}
	}
	if primary == nil {
		return nil, nil, errors.New("no node is a writable primary")
	}
	return primary, secondaries, nil
}

// Freeze stops nodes with SIGSTOP; Thaw lets them go on. A node that is frozen when the test
// ends is killed like the others.
func Freeze(nodes ...*Mongo) error { return signal(syscall.SIGSTOP, nodes) }

// Thaw lets frozen nodes go on.
func Thaw(nodes ...*Mongo) error { return signal(syscall.SIGCONT, nodes) }

func signal(sig syscall.Signal, nodes []*Mongo) error {
	var errs []error
	for _, m := range nodes {
		errs = append(errs, m.Signal(sig))
	}
	return errors.Join(errs...)
}

// URI is the connection string of the whole set, with the database eventio in its path.
func (s *ReplicaSet) URI() string {
	return "mongodb://" + strings.Join(s.hosts, ",") + "/eventio?replicaSet=rs0"
}

// CopyOf stops a member cleanly, copies its files, starts it again, and returns a mongod of its own for this
// test that has the copy and is alone in its set: a database that was restored from a backup.
func CopyOf(tb testing.TB, member *Mongo) *Mongo {
	tb.Helper()
	dir := tb.TempDir()
	err := member.Stop()
	if err == nil {
		err = os.CopyFS(filepath.Join(dir, "data"), os.DirFS(filepath.Join(member.dir, "data")))
	}
	if again := member.Restart(); err == nil {
		err = again
	}
	if err == nil {
		err = os.Remove(filepath.Join(dir, "data", "mongod.lock"))
	}
	if err != nil {
		tb.Fatalf("testenv: copy the files of a member: %v", err)
	}
	m, err := newMongo(&Mongo{dir: dir, args: forTests(), member: true})
	if err != nil {
		tb.Fatalf("testenv: start the copy of a member: %v", err)
	}
	m.killAfter(tb)
	if err := m.beAlone(); err != nil {
		tb.Fatalf("testenv: make the copy of a member the only one of its set: %v", err)
	}
	return m
}

// beAlone gives a member a set of its own.
func (m *Mongo) beAlone() error {
	return withAdmin(m.direct(), func(admin *mongo.Database) error {
		err := Poll(context.Background(), startLimit, func() error { // it may not have read its old configuration yet
			return run(context.Background(), admin, bson.D{{Key: "replSetReconfig", Value: bson.D{
				{Key: "_id", Value: "rs0"}, {Key: "version", Value: 1000},
				{Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: m.Addr()}}}},
			}}, {Key: "force", Value: true}}, nil)
		})
		if err != nil {
			return err
		}
		return Poll(context.Background(), startLimit, func() error {
			var hello struct {
				IsWritablePrimary bool `bson:"isWritablePrimary"`
			}
			err := run(context.Background(), admin, bson.D{{Key: "hello", Value: 1}}, &hello)
			if err == nil && !hello.IsWritablePrimary {
				err = errors.New("no writable primary yet")
			}
			return err
		})
	})
}
