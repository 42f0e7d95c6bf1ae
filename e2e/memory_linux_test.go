package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

// TestMemoryAfterAFlood: when thousands of connections have come, asked something each and
// gone, a process soon holds little more than before they came.
func TestMemoryAfterAFlood(t *testing.T) {
	const (
		connections = 3000
		flooded     = 64 << 10 // KiB that the flood takes at least, or nothing is shown
		left        = 48 << 10 // KiB more than before, at most
	)
	p := newCluster(t).start(t, "api")
	api := newClient(t, p.addr)
	e := createEvent(t, api, 100000)
	before := resident(t, p)
	var crowd sync.WaitGroup
	conns := make([]net.Conn, connections)
	for i := range conns {
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = conn
		defer conn.Close()
	}
	for _, conn := range conns {
		crowd.Go(func() {
			fmt.Fprintf(conn, "GET /api/events/%s HTTP/1.1\r\nHost: %s\r\n\r\n", e.ID.Hex(), p.addr) // an error shows below
			res, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			// A slow machine may not read for all of them in time: that is not what this is about.
			_, err = io.Copy(io.Discard, res.Body)
			if err != nil || res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%d, %v", res.StatusCode, err)
			}
		})
	}
	crowd.Wait()
	for _, conn := range conns {
		_ = conn.Close() // a second time at the end, in vain
	}
	flood := resident(t, p)
	if flood-before < flooded {
		t.Errorf("the flood took %d KiB, so nothing is shown", flood-before)
	}
	gone := time.Now()
	testenv.Eventually(t, limit, "give memory back", func() error {
		if now := resident(t, p); now-before > left {
			return fmt.Errorf("%d KiB before the flood, %d after it, %d now", before, flood, now)
		}
		return nil
	})
	t.Logf("%d KiB before the flood, %d after it, %d after %v more", before, flood, resident(t, p), time.Since(gone))
}

// resident is the memory that a process holds, in KiB.
func resident(t *testing.T, p *process) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	if _, err := fmt.Sscan(string(rest), &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}
