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

// TestMemoryOfManyConnections: 10,000 connections that have asked once and stay, and 500 that have sent a part of a
// request, cost a process a bounded amount of memory, and others are served all the time.
func TestMemoryOfManyConnections(t *testing.T) {
	const (
		idle = 10000
		slow = 500
		most = 40 // KiB of each
	)
	p := newCluster(t).with("EVENTIO_MAX_CONNECTIONS=12000").start(t, "api")
	api := newClient(t, p.addr)
	e := createEvent(t, api, 100000)
	before := resident(t, p)
	dial := func(i int) net.Conn {
		// More than one address of ours: each has 28,000 ports.
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%4))}
		conn, err := (&net.Dialer{LocalAddr: from}).Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	request := fmt.Sprintf("GET /api/events/%s HTTP/1.1\r\nHost: %s\r\n\r\n", e.ID.Hex(), p.addr)
	served := 0
	for i := range idle {
		conn := dial(i)
		_, _ = io.WriteString(conn, request) // an error shows below
		res, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err == nil && res.StatusCode == http.StatusOK {
			served++
		}
		_ = res.Body.Close()
	}
	if served < idle {
		t.Errorf("%d of %d were served", served, idle)
	}
	for i := range slow {
		_, _ = io.WriteString(dial(i), request[:1+i%40])
	}
	if _, err := api.Event(t.Context(), e.ID); err != nil {
		t.Errorf("beside them: %v", err)
	}
	grown := resident(t, p) - before
	t.Logf("%d idle connections and %d slow ones take %d KiB, %.1f each", idle, slow, grown, float64(grown)/(idle+slow))
	if grown > most*(idle+slow) {
		t.Errorf("that is more than %d KiB each", most)
	}
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
