package peer

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// dialEnv makes this test binary a client of the address that it names.
const dialEnv = "EVENTIO_TEST_DIAL"

func TestMain(m *testing.M) {
	if address := os.Getenv(dialEnv); address != "" {
		res, err := http.Get("http://" + address) //nolint:noctx // the test ends it
		if err != nil {
			os.Exit(1)
		}
		_ = res.Body.Close()
		os.Exit(res.StatusCode - 200)
	}
	os.Exit(m.Run())
}

// serve answers 200 to the own user and 201 to another one.
func serve(t *testing.T, network, address string) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if IsAnother(r.Context()) {
			w.WriteHeader(http.StatusCreated)
		}
	}))
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	_ = server.Listener.Close()
	server.Listener = listener
	server.Config.ConnContext = Context
	server.Start()
	t.Cleanup(server.Close)
	return listener.Addr().String()
}

// TestOwnConnections: on every kind of loopback socket, those of our own user are ours.
func TestOwnConnections(t *testing.T) {
	if !Works() {
		t.Fatal("the kernel does not tell whose connections are")
	}
	dual := serve(t, "tcp", "[::]:0") // takes IPv4, too
	_, port, err := net.SplitHostPort(dual)
	if err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{
		"IPv4": serve(t, "tcp4", "127.0.0.1:0"), "IPv6": serve(t, "tcp6", "[::1]:0"),
		"IPv4 to both": net.JoinHostPort("127.0.0.1", port), "IPv6 to both": net.JoinHostPort("::1", port),
	} {
		for range 3 {
			res, err := http.Get("http://" + address) //nolint:noctx // it is our own server
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s: our own connection counts as another user's", name)
			}
		}
	}
	if IsAnother(context.Background()) {
		t.Error("where nobody has looked it is another user's")
	}
}

// TestWhoseConnection: the kernel tells the user of each end, and that nobody has one that is closed.
func TestWhoseConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	here, there := netip.MustParseAddrPort(conn.LocalAddr().String()), netip.MustParseAddrPort(conn.RemoteAddr().String())
	if user, err := userOf(here, there); err != nil || user != os.Geteuid() {
		t.Errorf("the user of an open one is %d, %v", user, err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if user, err := userOf(here, there); err != nil || user != nobody {
		t.Errorf("the user of a closed one is %d, %v", user, err)
	}
	if user, err := userOf(netip.MustParseAddrPort("127.0.0.1:1"), there); err != nil || user != nobody {
		t.Errorf("the user of none is %d, %v", user, err)
	}
}

// TestAnotherUser: a process of another user is told from ours. To become one takes root, which CI is.
func TestAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root can start a process of another user")
		return
	}
	// What another user can run: a copy outside the folders of go test, which are root's.
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("/tmp", "eventio-peer-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	copied := folder + "/client"
	if err := os.WriteFile(copied, program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	const other = 65534
	for name, address := range map[string]string{"IPv4": serve(t, "tcp4", "127.0.0.1:0"), "IPv6": serve(t, "tcp6", "[::1]:0")} {
		client := exec.Command(copied)
		client.Env = []string{dialEnv + "=" + address}
		client.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: other, Gid: other}}
		if out, err := client.CombinedOutput(); client.ProcessState == nil || client.ProcessState.ExitCode() != 1 {
			t.Errorf("%s: another user's connection is not told: %v %s", name, err, out)
		}
	}
}
