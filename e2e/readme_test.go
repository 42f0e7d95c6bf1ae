package e2e

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
)

// update writes what the tour prints into README.md, where that differs.
var update = flag.Bool("update", false, "write what the tour of README.md prints into it")

// block is commands of README.md, with the output that it shows. Offsets are those in the file.
type block struct {
	commands string
	output   string
	shows    bool // an output follows
	at, end  int  // of the output
}

// tourBlocks finds the blocks of the tour in order.
func tourBlocks(t *testing.T, readme string) (blocks []block) {
	t.Helper()
	begin := strings.Index(readme, "\n## A tour with curl\n")
	if begin < 0 {
		t.Fatal("README.md has no tour")
	}
	tour, _, _ := strings.Cut(readme[begin+1:], "\n## ")
	fence := regexp.MustCompile("(?ms)^```(sh|text)\n(.*?)^```$")
	for _, at := range fence.FindAllStringSubmatchIndex(tour, -1) {
		text := tour[at[4]:at[5]]
		if tour[at[2]:at[3]] == "sh" {
			blocks = append(blocks, block{commands: text})
			continue
		}
		last := &blocks[len(blocks)-1]
		last.output, last.shows, last.at, last.end = text, true, begin+1+at[4], begin+1+at[5]
	}
	if n := strings.Count(tour, "```"); n != 2*len(fence.FindAllString(tour, -1)) {
		t.Errorf("the tour has %d fences, and not all of them are of sh or text", n)
	}
	return blocks
}

// made matches what differs from run to run: ids, tokens, tags, times and durations.
var made = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\r`), ""},
	{regexp.MustCompile(`eyJ[A-Za-z0-9_-]+[A-Za-z0-9_.-]*`), "TOKEN"},
	{regexp.MustCompile(`"token":"[^"]*"`), `"token":"TOKEN"`},
	{regexp.MustCompile(`W/"[^"]*"`), "TAG"},
	{regexp.MustCompile(`cursor=[A-Za-z0-9_-]+`), "CURSOR"},
	{regexp.MustCompile(`\b[0-9a-f]{24}\b`), "ID"},
	{regexp.MustCompile(`\b20[0-9-]{8}T[0-9:.]+Z`), "TIME"},
	{regexp.MustCompile(`\b[0-9.]+(ms|µs|s)\b`), "DURATION"},
	{regexp.MustCompile(`(?m)^(  (?:data|database) +).*$`), "${1}X"},
	{regexp.MustCompile(`--data [^ \n]*`), "--data X"},
}

func withoutMade(text string) string {
	for _, m := range made {
		text = m.what.ReplaceAllString(text, m.as)
	}
	return text
}

// shell is a bash that runs one block after the other, as a person in a terminal does.
type shell struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

const blockEnds = "the-block-ends-here"

// run returns what the commands print, with their errors.
func (s *shell) run(commands string) string {
	s.t.Helper()
	if _, err := fmt.Fprintf(s.in, "%s\nprintf '%%s\\n' %s\n", commands, blockEnds); err != nil {
		s.t.Fatal(err)
	}
	var out strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		before, _, ended := strings.Cut(line, blockEnds)
		if ended {
			return out.String() + before
		}
		out.WriteString(line)
		if err != nil {
			s.t.Fatalf("the shell ends with %v in\n%s\nafter\n%s", err, commands, out.String())
		}
	}
}

func startShell(t *testing.T, dir string, env []string) *shell {
	t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc")
	cmd.Dir, cmd.Env = dir, env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	s := &shell{t, in, bufio.NewReader(out)}
	s.run("exec 2>&1")
	return s
}

// TestReadmeTour pastes each block of the tour of README.md into a shell, in order, and wants what the
// README shows, but for ids and times. The ports are free ones, and HOME is a folder of the test.
func TestReadmeTour(t *testing.T) {
	path := filepath.Join("..", "README.md")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	first, second := freeAddr(t), freeAddr(t)
	ports := strings.NewReplacer("127.0.0.1:3000", first, "127.0.0.1:3001", second)
	shown := strings.NewReplacer(first, "127.0.0.1:3000", second, "127.0.0.1:3001")
	home := t.TempDir()
	env := append(os.Environ(), "HOME="+home, "GOPATH="+filepath.Join(home, "go"), "GOBIN=", "GOFLAGS=", "EVENTIO_ADDR="+first,
		"EVENTIO_DATA=", "MONGODB_URI=", "EVENTIO_AUTH=", "EVENTIO_AUTH_KEYS=")
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} { // those of whoever runs the test
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(value)))
	}
	person := startShell(t, "..", env)
	var edits []block
	for _, b := range tourBlocks(t, readme) {
		var got string
		if words := strings.Fields(b.commands); words[0] == "eventio" && (len(words) == 1 || strings.HasPrefix(words[1], "-")) {
			got = serveBlock(t, person, ports.Replace(b.commands), env)
		} else {
			got = person.run(ports.Replace(b.commands))
		}
		got = strings.ReplaceAll(shown.Replace(got), home, "/home/ada")
		switch {
		case withoutMade(got) == withoutMade(b.output):
		case *update && b.shows:
			b.output = readable(got)
			edits = append(edits, b)
		default:
			t.Errorf("the block\n%sprints\n%s\nand README.md shows\n%s", b.commands, got, b.output)
		}
	}
	for _, b := range slices.Backward(edits) {
		readme = readme[:b.at] + b.output + readme[b.end:]
	}
	if len(edits) > 0 {
		if err := os.WriteFile(path, []byte(readme), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// readable is the output as README.md shows it: with the beginning of tokens only.
func readable(output string) string {
	token := regexp.MustCompile(`(eyJ[A-Za-z0-9_-]{7})[A-Za-z0-9_.-]*`)
	return strings.ReplaceAll(token.ReplaceAllString(output, "$1..."), "\r", "")
}

// serveBlock runs a block that goes on until Ctrl-C, in a terminal of its own, and returns what it says
// when it serves. When the test ends it is stopped with Ctrl-C, and must then end well.
func serveBlock(t *testing.T, person *shell, commands string, env []string) string {
	t.Helper()
	dir := strings.TrimSpace(person.run("pwd"))
	path := strings.TrimSpace(person.run("printf '%s\\n' \"$PATH\""))
	cmd := exec.Command("bash", "--noprofile", "--norc", "-c", "exec "+commands)
	cmd.Dir, cmd.Env = dir, append(env, "PATH="+path, "EVENTIO_LOG_LEVEL=error")
	p := testenv.RunProgram(t, cmd)
	if _, err := p.Find(t.Context(), "stop "); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.End(syscall.SIGINT); err != nil || p.ExitCode() != 0 {
			t.Errorf("after Ctrl-C: %v, exit %d", err, p.ExitCode())
		}
	})
	return string(p.Output())
}

// freeAddr returns an address at which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
