package setup

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/api"
	"github.com/eventio/eventio/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// TestOneProcessHasTheFolder: a second one is told who was first, whatever ends the first one
// frees the folder, and so does an opening that fails half-way.
func TestOneProcessHasTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	config := EmbeddedConfig{Data: dir}
	first, err := OpenEmbedded(t.Context(), config, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenEmbedded(t.Context(), config, zerolog.Nop())
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("by process %d:", os.Getpid())) {
		t.Errorf("error is %v", err)
	}
	if _, err := first.NewAPI(t.Context(), api.Config{}, Identity{}); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config.NATSListen, config.NATSListenAuth = taken.Addr().String(), "ada:0123456789abcdef"
	if _, err := OpenEmbedded(t.Context(), config, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "--nats-listen") {
		t.Errorf("with an address that is taken: %v", err)
	}
	unlock, err := LockFolder(dir, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestDatabaseChoice(t *testing.T) {
	for _, c := range []struct {
		given, want Database
		fails       bool
	}{
		{Database{}, Database{Data: "data"}, false},
		{Database{Data: "x"}, Database{Data: "x"}, false},
		{Database{MongoDBURI: "mongodb://h"}, Database{MongoDBURI: "mongodb://h"}, false},
		{Database{Data: "x", MongoDBURI: "mongodb://h"}, Database{}, true},
	} {
		got, err := c.given.Resolve()
		if (err != nil) != c.fails || !c.fails && got != c.want {
			t.Errorf("%+v is resolved to %+v, %v", c.given, got, err)
		}
	}
}
