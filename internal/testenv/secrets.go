package testenv

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
)

// Canary is the secret in the values that WantNoSecrets tries.
const Canary = "cAnArYbIrD"

// secrets are values that hold a secret and are wrong in many ways.
var secrets = [...]string{
	"nats://ada:" + Canary + "%@127.0.0.1:1", "nats://ada:" + Canary + "%zz@127.0.0.1:1,nats://b:" + Canary + "@x:y",
	"nats://ada:" + Canary + "/@127.0.0.1:1", "nats://ada:" + Canary + "#@127.0.0.1:1", "nats://ada:" + Canary + " x@127.0.0.1:1",
	"mongodb://ada:" + Canary + "%@127.0.0.1:1/x", "mongodb://ada:" + Canary + "@127.0.0.1:1/x?tls=maybe", "mongodb://ada:" + Canary + "@p@127.0.0.1:1/x",
	"mongodb+srv://ada:" + Canary + "@", "http://ada:" + Canary + "%@127.0.0.1:1", "http://ada:" + Canary + "@127.0.0.1:1",
	"ada:" + Canary + "@127.0.0.1:1", Canary + "@127.0.0.1:1", "nats://" + Canary + "@127.0.0.1:1", "-----BEGIN NATS USER JWT-----\n" + Canary,
	// Without a form that tells of the secret.
	"k1:" + Canary, Canary + ":k1", "k1:" + Canary + "!,k1:" + Canary, "\x7f" + Canary,
}

// mayBeSecret matches the names of flags whose values may have a secret.
var mayBeSecret = regexp.MustCompile(`(^|-)(password|token|secret|keys|listen-auth|uri|smtp-url|nats-url)$|^from$`)

// formless is how many of the last secrets nothing tells from a name.
const formless = 4

// Secrets says how WantNoSecrets runs a program.
type Secrets struct {
	// CommandLine is a pointer to the program's flags and commands, as kong reads them.
	CommandLine any
	// Run runs the program until ctx ends, and returns everything that it said.
	Run func(ctx context.Context, args []string) string
	// Base are flags with values that lead the program as far as it gets without servers, and
	// Positional are the arguments of its commands by name.
	Base, Positional map[string]string
	// Names are the flags whose values are names, which errors must tell, without "--". They are
	// tried with values that a form tells from a name only.
	Names []string
	// Paths are the flags whose values are told whatever they are.
	Paths []string
}

// WantNoSecrets gives every flag of every command values that hold a secret, and so it does with
// arguments that nobody expects. It fails the test when the program tells the secret, in its error, in
// what it prints or in its log. A secret belongs into some settings only, but it gets into any of
// them by a mistake in a shell or in an environment file.
func WantNoSecrets(t *testing.T, s Secrets) {
	t.Helper()
	parser, err := kong.New(s.CommandLine, kong.Name("program"), kong.Vars{"version": "x"})
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	tried := 0
	try := func(name string, args ...string) {
		tried++
		t.Run(fmt.Sprintf("%s/%d", name, tried), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if said := s.Run(ctx, args); strings.Contains(said, Canary) {
				t.Errorf("%q says %s\nA flag whose value is a name that errors must tell belongs into Names.", args, said)
			}
		})
	}
	for _, leaf := range parser.Model.Leaves(true) {
		command := strings.Fields(leaf.Path())[1:]
		command = slices.DeleteFunc(command, func(s string) bool { return strings.HasPrefix(s, "<") })
		var flags []*kong.Flag
		for _, group := range leaf.AllFlags(true) {
			flags = append(flags, group...)
		}
		args := func(but string, more ...string) []string {
			all := slices.Clone(command)
			for _, flag := range flags {
				if value, ok := s.Base[flag.Name]; ok && flag.Name != but {
					all = append(all, "--"+flag.Name+"="+value)
				}
			}
			for _, p := range leaf.Positional {
				all = append(all, s.Positional[p.Name])
			}
			return append(all, more...)
		}
		name := strings.Join(command, " ")
		for _, value := range secrets {
			try(name+"/an argument more", args("", value)...)
		}
		try(name+"/an unknown flag", args("", "--secret="+Canary)...)
		try(name+"/a bare secret", args("", Canary)...)
		for _, flag := range flags {
			if flag.Name == "help" || flag.Name == "version" || slices.Contains(s.Paths, flag.Name) {
				continue
			}
			values := secrets[:]
			kind := flag.Target.Kind()
			if slices.Contains(s.Names, flag.Name) || flag.Target.Type() == reflect.TypeFor[time.Duration]() {
				values = values[:len(values)-formless]
			}
			if kind != reflect.String && kind != reflect.Slice { // what is read no further than its kind
				values = values[len(values)-formless-3 : len(values)-formless]
			}
			for _, value := range values {
				try(name+"/"+flag.Name, args(flag.Name, "--"+flag.Name+"="+value)...)
			}
			if !flag.Tag.Has("secret") {
				if kind == reflect.String && mayBeSecret.MatchString(flag.Name) {
					t.Errorf("--%s of %q may have a secret, and not from a file: give it the tag secret", flag.Name, name)
				}
				continue
			}
			for n, value := range values {
				file := filepath.Join(folder, fmt.Sprintf("secret%d", n))
				if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
					t.Fatal(err)
				}
				try(name+"/"+flag.Name+"-file", args(flag.Name, "--"+flag.Name+"-file="+file)...)
			}
			try(name+"/"+flag.Name+"-file and the value", args(flag.Name, "--"+flag.Name+"-file=/nowhere", "--"+flag.Name+"="+Canary)...)
		}
	}
	if tried < 50 {
		t.Errorf("only %d command lines were tried", tried)
	}
}
