package process_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/eventio/eventio/internal/process"
)

// secretSettings is a command line with secrets.
type secretSettings struct {
	Serve secretServe `cmd:"" default:"withargs" help:"Serve (the default)."`
	Check struct{}    `cmd:"" help:"Ask whether it is ready."`
}

type secretServe struct {
	StoreURI     string `name:"store-uri" env:"STORE_URI" secret:"required" help:"Store."`
	StoreURIFile string `name:"store-uri-file" env:"STORE_URI_FILE" help:"File with it."`
	Keys         string `env:"TEST_KEYS" secret:"" help:"Keys."`
	KeysFile     string `env:"TEST_KEYS_FILE" help:"File with them."`
}

func parseSecrets(t *testing.T, args ...string) (secretServe, process.CommandLine, error) {
	t.Helper()
	var s secretSettings
	var out, log bytes.Buffer
	line, err := process.Parse(&s, process.Env{Args: args, Stdout: &out, Stderr: &log}, "api", "The HTTP side.")
	return s.Serve, line, err
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSecretsComeFromFiles(t *testing.T) {
	for _, name := range []string{"STORE_URI", "STORE_URI_FILE", "TEST_KEYS", "TEST_KEYS_FILE"} {
		t.Setenv(name, "")
	}
	for text, want := range map[string]string{"a": "a", "a\n": "a", "a\r\n": "a", " a b \n": " a b ", "a\nb\n": "a\nb", "a\n\n": "a\n"} {
		if s, _, err := parseSecrets(t, "--store-uri-file", secretFile(t, text)); err != nil || s.StoreURI != want {
			t.Errorf("%q is %q, %v", text, s.StoreURI, err)
		}
	}
	t.Run("by_variables", func(t *testing.T) {
		t.Setenv("STORE_URI_FILE", secretFile(t, "x"))
		t.Setenv("TEST_KEYS", "k")
		if s, _, err := parseSecrets(t); err != nil || s.StoreURI != "x" || s.Keys != "k" {
			t.Errorf("%+v, %v", s, err)
		}
	})
	t.Run("another_command_needs_none", func(t *testing.T) {
		t.Setenv("STORE_URI_FILE", "/nowhere")
		if _, line, err := parseSecrets(t, "check"); err != nil || line.Command != "check" {
			t.Errorf("%q, %v", line.Command, err)
		}
	})
	folder := t.TempDir()
	const canary = "cAnArYbIrD"
	for name, c := range map[string]struct {
		args, variables []string
		says            string
		usage           bool
	}{
		"none":                            {nil, nil, "--store-uri or STORE_URI (or, in a file, --store-uri-file or STORE_URI_FILE) must be given (see api --help)", true},
		"both_flags":                      {[]string{"--store-uri=" + canary, "--store-uri-file=x"}, nil, "--store-uri and --store-uri-file are both given: leave one of them out", true},
		"both_variables":                  {nil, []string{"STORE_URI", canary, "STORE_URI_FILE", "x"}, "STORE_URI and STORE_URI_FILE are both given: leave one of them out", true},
		"one_of_each":                     {[]string{"--store-uri=" + canary}, []string{"STORE_URI_FILE", "x"}, "--store-uri and STORE_URI_FILE are both given: leave one of them out", true},
		"no_file":                         {nil, []string{"STORE_URI_FILE", folder + "/x"}, "STORE_URI_FILE: the file " + folder + "/x cannot be read: it does not exist", false},
		"a_folder":                        {[]string{"--store-uri-file", folder}, nil, "--store-uri-file: the file " + folder + " cannot be read: it is a folder, not a file", false},
		"an_empty_file":                   {[]string{"--store-uri-file", secretFile(t, "\n")}, nil, "is empty: write the value into it, in one line", false},
		"a_long_file":                     {[]string{"--store-uri-file", secretFile(t, strings.Repeat(canary, 10_000))}, nil, "is longer than 65536 bytes", false},
		"the_secret_in_place_of_the_file": {nil, []string{"STORE_URI_FILE", "mongodb://ada:" + canary + "@h/x"}, "STORE_URI_FILE: the file cannot be read: it does not exist", false},
	} {
		t.Run(name, func(t *testing.T) {
			for n := 0; n < len(c.variables); n += 2 {
				t.Setenv(c.variables[n], c.variables[n+1])
			}
			_, _, err := parseSecrets(t, c.args...)
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, process.ErrUsage) != c.usage || strings.Contains(err.Error(), canary) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("what_is_wrong_with_a_value_is_wrong_with_its_file", func(t *testing.T) {
		t.Setenv("STORE_URI_FILE", secretFile(t, "x"))
		_, line, err := parseSecrets(t)
		if err != nil {
			t.Fatal(err)
		}
		if got := line.Named(process.Usage("--store-uri is wrong")).Error(); got != "STORE_URI_FILE is wrong" {
			t.Error(got)
		}
	})
}

// TestReadableSecretsAreTold: a secret that other users of the machine can read is in the log, by name.
func TestReadableSecretsAreTold(t *testing.T) {
	private, open := secretFile(t, "x"), secretFile(t, "x")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a_private_file":             {[]string{"--store-uri-file", private}, ""},
		"an_open_file":               {[]string{"--store-uri-file", open}, open},
		"an_argument":                {[]string{"--store-uri=x", "--keys=cAnArYbIrD"}, "--keys"},
		"an_address_with_a_login":    {[]string{"--store-uri=mongodb://a:cAnArYbIrD@h/x"}, "--store-uri"},
		"an_address_without_a_login": {[]string{"--store-uri=mongodb://h/x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			_, line, err := parseSecrets(t, c.args...)
			if err != nil {
				t.Fatal(err)
			}
			line.WarnOfSecrets(zerolog.New(&log))
			if s := log.String(); (c.says == "") != (s == "") || !strings.Contains(s, c.says) || strings.Contains(s, "cAnArYbIrD") {
				t.Errorf("it says %s", s)
			}
		})
	}
	t.Run("a_variable", func(t *testing.T) {
		t.Setenv("STORE_URI", "x")
		var log bytes.Buffer
		_, line, err := parseSecrets(t)
		line.WarnOfSecrets(zerolog.New(&log))
		if err != nil || log.Len() > 0 {
			t.Errorf("%v, it says %s", err, &log)
		}
	})
}
