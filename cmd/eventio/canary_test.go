package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/eventio/eventio/internal/process"
)

// canary is a secret that nothing may print.
const canary = "cAnArYbIrD"

// TestNoErrorTellsASecret gives every flag of every command, and every argument, values that hold a
// secret and are wrong in many ways: whatever becomes of the command, the secret is neither in its
// error nor in what it prints or logs. A password belongs into some settings only, but it gets into
// any of them by a mistake in a shell or in an environment file.
func TestNoErrorTellsASecret(t *testing.T) {
	var c config
	parser, err := kong.New(&c, kong.Name("eventio"), kong.Vars{"version": "x"})
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	values := []string{
		"nats://ada:" + canary + "%@127.0.0.1:1", "nats://ada:" + canary + "%zz@127.0.0.1:1,nats://b:" + canary + "@x:y",
		"nats://ada:" + canary + "/@127.0.0.1:1", "nats://ada:" + canary + "#@127.0.0.1:1", "nats://ada:" + canary + " x@127.0.0.1:1",
		"mongodb://ada:" + canary + "%@127.0.0.1:1/x", "mongodb://ada:" + canary + "@127.0.0.1:1/x?tls=maybe", "mongodb://ada:" + canary + "@p@127.0.0.1:1/x",
		"mongodb+srv://ada:" + canary + "@", "http://ada:" + canary + "%@127.0.0.1:1", "http://ada:" + canary + "@127.0.0.1:1",
		"ada:" + canary + "@127.0.0.1:1", "k1:" + canary, canary + ":k1", "k1:" + canary + "!,k1:" + canary, "\x7f" + canary,
	}
	// Flags whose value is a name or a word of a list, which an error must tell.
	named := []string{"data", "addr", "nats-prefix", "log-level", "cors-origins", "trusted-proxies", "database"}
	tried := 0
	for _, leaf := range parser.Model.Leaves(true) {
		command := strings.Fields(leaf.Path())[1:]
		command = slices.DeleteFunc(command, func(s string) bool { return strings.HasPrefix(s, "<") })
		for _, group := range leaf.AllFlags(true) {
			for _, flag := range group {
				if flag.IsBool() || flag.Enum != "" || flag.Name == "help" || slices.Contains(named, flag.Name) {
					continue
				}
				if kind := flag.Target.Kind(); kind != reflect.String && kind != reflect.Slice {
					continue
				}
				for i, value := range values {
					t.Run(fmt.Sprintf("%s/%s/%d", strings.Join(command, " "), flag.Name, i), func(t *testing.T) {
						args := append(slices.Clone(command), "--"+flag.Name+"="+value)
						for _, p := range leaf.Positional {
							args = append(args, map[string]string{"who": "6b056f1db8a8b20890367b25", "file": filepath.Join(data, "copy")}[p.Name])
						}
						ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
						defer cancel()
						var out, log bytes.Buffer
						err := run(ctx, process.Env{Args: args, Stdin: strings.NewReader("x"), Stdout: &out, Stderr: &log})
						if said := fmt.Sprint(err) + out.String() + log.String(); strings.Contains(said, canary) {
							t.Errorf("%q says %s", args, said)
						}
						tried++
					})
				}
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d values were tried", tried)
	}
}
