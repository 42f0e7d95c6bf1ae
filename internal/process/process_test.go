package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/eventio/eventio/internal/process"
)

// actEnv makes the test's own binary one of the programs below.
const actEnv = "PROCESS_TEST_ACT"

func TestMain(m *testing.M) {
	if program, ok := programs[os.Getenv(actEnv)]; ok {
		process.Main(program)
		return
	}
	goleak.VerifyTestMain(m)
}

// settings is a command line with everything that ours have.
type settings struct {
	process.Logging
	Addr  string        `env:"EVENTIO_ADDR" default:"127.0.0.1:3000" help:"Address to listen on."`
	Serve serveSettings `cmd:"" default:"withargs" help:"Serve (the default)."`
	Check struct{}      `cmd:"" help:"Ask whether it is ready."`
}

type serveSettings struct {
	NATSURL        string        `name:"nats-url" env:"NATS_URL" required:"" help:"NATS servers."`
	RequestTimeout time.Duration `env:"EVENTIO_REQUEST_TIMEOUT" default:"5s" help:"Longest time until an answer."`
	Most           int           `help:"Most of something."`
}

// variables are those of settings. Tests begin without those of whoever runs them.
var variables = []string{"EVENTIO_ADDR", "NATS_URL", "EVENTIO_REQUEST_TIMEOUT", "EVENTIO_LOG_LEVEL"}

func init() {
	for _, name := range variables {
		os.Unsetenv(name)
	}
}

func parse(t *testing.T, args ...string) (s settings, command, stdout string, err error) {
	t.Helper()
	var out, log bytes.Buffer
	line, err := process.Parse(&s, process.Env{Args: args, Stdout: &out, Stderr: &log}, "api", "The HTTP side.")
	if log.Len() > 0 {
		t.Errorf("Parse writes to the log: %s", &log)
	}
	return s, line.Command, out.String(), err
}

func TestParse(t *testing.T) {
	t.Run("help_shows_every_flag_with_its_variable_and_default", func(t *testing.T) {
		_, _, stdout, err := parse(t, "--help")
		if err == nil {
			t.Error("the program would go on")
		}
		if n := strings.Count(stdout, "Usage:"); n != 2 { // the program, and what it does by default
			t.Errorf("%d usages in:\n%s", n, stdout)
		}
		for _, want := range [][]string{
			{"The HTTP side."},
			{"--addr", "127.0.0.1:3000", "$EVENTIO_ADDR", "Address to listen on"},
			{"--nats-url", "$NATS_URL", "NATS servers"},
			{"--request-timeout", "5s", "$EVENTIO_REQUEST_TIMEOUT", "Longest time until an answer"},
			{"--log-level", "info", "$EVENTIO_LOG_LEVEL", "debug, info, warn or error"},
			{"check", "Ask whether it is ready."},
		} {
			if !inOneEntry(stdout, want) {
				t.Errorf("no entry has all of %q in:\n%s", want, stdout)
			}
		}
	})
	t.Run("flags_win_over_variables_and_those_over_defaults", func(t *testing.T) {
		s, command, _, err := parse(t, "--nats-url=nats://flag:1")
		if err != nil || command != "serve" || s.Addr != "127.0.0.1:3000" || s.Serve.RequestTimeout != 5*time.Second || s.LogLevel != "info" {
			t.Errorf("%q, %+v, %v", command, s, err)
		}
		t.Setenv("EVENTIO_ADDR", "0.0.0.0:1")
		t.Setenv("NATS_URL", "nats://env:1")
		t.Setenv("EVENTIO_REQUEST_TIMEOUT", "7s")
		s, _, _, err = parse(t, "serve", "--nats-url", "nats://flag:1", "--log-level=debug")
		if err != nil || s.Addr != "0.0.0.0:1" || s.Serve.NATSURL != "nats://flag:1" || s.Serve.RequestTimeout != 7*time.Second || s.LogLevel != "debug" {
			t.Errorf("%+v, %v", s, err)
		}
	})
	t.Run("what_is_required_can_come_from_the_environment", func(t *testing.T) {
		t.Setenv("NATS_URL", "nats://env:1")
		if s, _, _, err := parse(t); err != nil || s.Serve.NATSURL != "nats://env:1" {
			t.Errorf("%+v, %v", s, err)
		}
	})
	// As compose files and manifests make them, when what they were to be filled from is not there.
	t.Run("an_empty_variable_is_as_good_as_none", func(t *testing.T) {
		for _, name := range variables {
			t.Setenv(name, "")
		}
		if s, _, _, err := parse(t, "--nats-url=x"); err != nil || s.Addr != "127.0.0.1:3000" || s.LogLevel != "info" || s.Serve.RequestTimeout != 5*time.Second {
			t.Errorf("%+v, %v", s, err)
		}
		if s, _, _, err := parse(t); err == nil || !strings.Contains(err.Error(), "nats-url") {
			t.Errorf("a required value is %q, %v", s.Serve.NATSURL, err)
		}
	})
	t.Run("another_command_does_not_need_it", func(t *testing.T) {
		if _, command, _, err := parse(t, "check"); err != nil || command != "check" {
			t.Errorf("%q, %v", command, err)
		}
	})
	for name, row := range map[string]struct {
		args      []string
		variables []string // name and value
		want      string
	}{
		"a_required_value_that_is_missing": {nil, nil, "--nats-url or NATS_URL must be given (see api --help)"},
		"an_unknown_flag":                  {[]string{"--nats-url=x", "--quickly"}, nil, "unknown flag --quickly (see api --help)"},
		"an_unknown_command":               {[]string{"--nats-url=x", "fly"}, nil, "unexpected argument fly (see api --help)"},
		"no_duration":                      {[]string{"--nats-url=x", "--request-timeout=soon"}, nil, `--request-timeout: "soon" is not a duration like 500ms, 5s or 1m (see api --help)`},
		"a_duration_below_zero":            {[]string{"--nats-url=x", "--request-timeout=-1s"}, nil, `--request-timeout: "-1s" is not a duration like 500ms, 5s or 1m (see api --help)`},
		"no_duration_in_a_variable":        {[]string{"--nats-url=x"}, []string{"EVENTIO_REQUEST_TIMEOUT", "soon"}, `EVENTIO_REQUEST_TIMEOUT: "soon" is not a duration like 500ms, 5s or 1m (see api --help)`},
		"no_value":                         {[]string{"--nats-url"}, nil, "--nats-url needs a value (see api --help)"},
		"a_flag_for_a_value":               {[]string{"--nats-url", "--addr=x"}, nil, "--nats-url: --addr=x is taken for another flag; if it is the value write --nats-url=--addr=x (see api --help)"},
		"no_number":                        {[]string{"--nats-url=x", "--most=many"}, nil, `--most: "many" is not a whole number (see api --help)`},
		"no_log_level":                     {[]string{"--nats-url=x", "--log-level=loud"}, nil, `--log-level must be one of "debug","info","warn","error" but got "loud" (see api --help)`},
		"no_log_level_in_a_variable":       {[]string{"--nats-url=x"}, []string{"EVENTIO_LOG_LEVEL", "loud"}, `EVENTIO_LOG_LEVEL must be one of "debug","info","warn","error" but got "loud" (see api --help)`},
		"a_flag_wins_over_a_wrong_one":     {[]string{"--nats-url=x", "--log-level=quiet"}, []string{"EVENTIO_LOG_LEVEL", "loud"}, `--log-level must be one of "debug","info","warn","error" but got "quiet" (see api --help)`},
	} {
		t.Run(name+"_is_told_in_one_sentence", func(t *testing.T) {
			for pair := range slices.Chunk(row.variables, 2) {
				t.Setenv(pair[0], pair[1])
			}
			_, _, stdout, err := parse(t, row.args...)
			if err == nil || err.Error() != row.want || !errors.Is(err, process.ErrUsage) {
				t.Errorf("the error is %v, want %s", err, row.want)
			}
			if stdout != "" {
				t.Errorf("on standard output: %s", stdout)
			}
		})
	}
}

// TestNames: an error names what the operator used, the flag or its variable.
func TestNames(t *testing.T) {
	failure := process.Usage("correct --nats-url or --addr, not --address")
	for want, args := range map[string][]string{
		"correct --nats-url or EVENTIO_ADDR, not --address": {"--nats-url=x"},
		"correct NATS_URL or --addr, not --address":         {"--addr=y"},
		"correct --nats-url or --addr, not --address":       {"serve", "--nats-url=x", "--addr=y"},
	} {
		t.Setenv("EVENTIO_ADDR", "a")
		t.Setenv("NATS_URL", "b")
		var s settings
		line, err := process.Parse(&s, process.Env{Args: args, Stdout: io.Discard, Stderr: io.Discard}, "api", "The HTTP side.")
		if err != nil {
			t.Fatal(err)
		}
		if got := line.Named(failure); got.Error() != want || !errors.Is(got, process.ErrUsage) {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
	if err := (process.CommandLine{}).Named(nil); err != nil {
		t.Errorf("no error is named %v", err)
	}
}

// inOneEntry looks for all words in one entry of a help text: a line and what is indented
// under it.
func inOneEntry(help string, words []string) bool {
	var entries []string
	for line := range strings.Lines(help) {
		if continued := strings.HasPrefix(line, strings.Repeat(" ", 12)); continued && len(entries) > 0 {
			entries[len(entries)-1] += line
		} else {
			entries = append(entries, line)
		}
	}
	for _, entry := range entries {
		entry = strings.Join(strings.Fields(entry), " ")
		all := true
		for _, word := range words {
			all = all && strings.Contains(entry, word)
		}
		if all {
			return true
		}
	}
	return false
}

func TestLogger(t *testing.T) {
	for level, want := range map[string]int{"debug": 2, "info": 1, "warn": 0, "error": 0, "": 1, "loud": 1} {
		var log bytes.Buffer
		l := process.Logging{LogLevel: level}.Logger(process.Env{Stderr: &log})
		l.Debug().Msg("d")
		l.Info().Str("outcome", "ok").Msg("i")
		if n := strings.Count(log.String(), "\n"); n != want {
			t.Errorf("with level %q there are %d lines, want %d: %s", level, n, want, &log)
		}
		if want == 1 && !strings.HasPrefix(log.String(), `{"level":"info","outcome":"ok","time":`) {
			t.Errorf("the line is %s", &log)
		}
	}
}

// programs are run by Main in a process of their own.
var programs = map[string]func(context.Context, process.Env) error{
	"succeeds": func(context.Context, process.Env) error { return nil },
	"fails":    func(context.Context, process.Env) error { return errors.New("the store is gone") },
	"parses": func(_ context.Context, env process.Env) error {
		var s settings
		_, err := process.Parse(&s, env, "api", "The HTTP side.")
		return err
	},
	"drains": func(ctx context.Context, env process.Env) error {
		fmt.Fprintln(env.Stdout, "running")
		<-ctx.Done()
		fmt.Fprintln(env.Stdout, "drained")
		return nil
	},
	"hangs": func(ctx context.Context, env process.Env) error {
		fmt.Fprintln(env.Stdout, "running")
		<-ctx.Done()
		fmt.Fprintln(env.Stdout, "draining")
		time.Sleep(time.Minute)
		return nil
	},
}

// start runs a program; it is gone when the test ends.
func start(t *testing.T, program string, args ...string) (cmd *exec.Cmd, stdout io.Reader, stderr *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	stderr = &bytes.Buffer{}
	cmd = exec.CommandContext(ctx, self, args...)
	cmd.Env = append(os.Environ(), actEnv+"="+program, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = stderr
	if stdout, err = cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stdout, stderr
}

func TestMainsExit(t *testing.T) {
	for name, row := range map[string]struct {
		program        string
		args           []string
		code           int
		stdout, stderr string
	}{
		"success_is_0":                {"succeeds", nil, 0, "", ""},
		"a_failure_is_1_and_told":     {"fails", nil, 1, "", "error: the store is gone\n"},
		"help_is_a_success":           {"parses", []string{"--help"}, 0, "Usage: api", ""},
		"help_is_a_command_too":       {"parses", []string{"help"}, 0, "Usage: api", ""},
		"help_about_a_command":        {"parses", []string{"help", "check"}, 0, "Usage: api check", ""},
		"help_about_none":             {"parses", []string{"help", "fly"}, 2, "", "unexpected argument fly"},
		"version_is_a_command_too":    {"parses", []string{"version"}, 0, "api ", ""},
		"a_bad_command_line_is_2":     {"parses", []string{"--fast", "--nats-url=x"}, 2, "", "error: unknown flag --fast"},
		"a_missing_value_is_2":        {"parses", []string{"serve"}, 2, "", "--nats-url"},
		"what_is_asked_for_is_parsed": {"parses", []string{"--nats-url=x"}, 0, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, stdout, stderr := start(t, row.program, row.args...)
			out, err := io.ReadAll(stdout)
			if err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != row.code {
				t.Errorf("exit code %d, want %d", code, row.code)
			}
			if !contains(string(out), row.stdout) || !contains(stderr.String(), row.stderr) {
				t.Errorf("standard output %q, want %q; standard error %q, want %q", out, row.stdout, stderr, row.stderr)
			}
		})
	}
}

// contains is strings.Contains, but nothing is only in nothing.
func contains(s, want string) bool {
	return strings.Contains(s, want) && (want != "" || s == "")
}

func TestMainsSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String()+"_drains", func(t *testing.T) {
			cmd, stdout, stderr := start(t, "drains")
			wantLine(t, stdout, "running\n")
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			wantLine(t, stdout, "drained\n")
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ends with %v: %s", err, stderr)
			}
		})
	}
	t.Run("a_second_signal_ends_it_at_once", func(t *testing.T) {
		cmd, stdout, _ := start(t, "hangs")
		wantLine(t, stdout, "running\n")
		began := time.Now()
		// Whether the first one has its default meaning back is not to be seen: try again.
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		for over := false; !over; {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
				over = true
			case <-time.After(10 * time.Millisecond):
			}
		}
		status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if took := time.Since(began); took > 10*time.Second || !status.Signaled() || status.Signal() != syscall.SIGTERM {
			t.Errorf("after %v it ends with %v", took, cmd.ProcessState)
		}
	})
}

func wantLine(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
		t.Fatalf("the program says %q, %v; want %q", got, err, want)
	}
}

func TestHealthcheck(t *testing.T) {
	status := http.StatusOK
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		w.WriteHeader(status)
	}))
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	addr := server.Listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{addr, ":" + port, "0.0.0.0:" + port, "[::]:" + port, "localhost:" + port} {
		t.Run("of_"+addr+"_finds_what_is_ready", func(t *testing.T) {
			asked = nil
			if err := process.Healthcheck(t.Context(), addr); err != nil || len(asked) != 1 || asked[0] != "GET /readyz" {
				t.Errorf("%v, asked %q", err, asked)
			}
		})
	}
	t.Run("says_what_an_unready_process_answers", func(t *testing.T) {
		for _, status = range []int{http.StatusServiceUnavailable, http.StatusNotFound, http.StatusNoContent} {
			err := process.Healthcheck(t.Context(), addr)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) {
				t.Errorf("with status %d the error is %v", status, err)
			}
		}
	})
	t.Run("fails_where_nobody_listens", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = listener.Close()
		if process.Healthcheck(t.Context(), listener.Addr().String()) == nil {
			t.Error("it is content")
		}
	})
	t.Run("fails_on_an_address_that_is_none", func(t *testing.T) {
		for _, addr := range []string{"", "127.0.0.1", "a b:1", "127.0.0.1:x"} {
			if process.Healthcheck(t.Context(), addr) == nil {
				t.Errorf("it is content with %q", addr)
			}
		}
	})
	t.Run("does_not_wait_long_for_one_that_is_silent", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0") // connects, and nobody accepts
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		began := time.Now()
		err = process.Healthcheck(t.Context(), listener.Addr().String())
		if took := time.Since(began); err == nil || took > 5*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}
