// Package procfs tells what processes of this machine have used, by /proc.
package procfs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: proc(5) calls it sysconf(_SC_CLK_TCK), and it is 100 a
// second on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// ProcessorTime is the processor time that a process has used so far, by proc_pid_stat(5).
func ProcessorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	// The name, in parentheses, may hold anything; field 3 comes behind it.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("read processor time: %q is too short", text)
	}
	var sum time.Duration
	for _, field := range []string{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read processor time: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// ForgetPeak has PeakMemory begin anew from what the process holds now.
func ForgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0) // proc_pid_clear_refs(5)
}

// PeakMemory is the most bytes that a process has held in memory.
func PeakMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the memory of a process: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	value, _, found := strings.Cut(rest, "kB")
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if !found || err != nil {
		return 0, fmt.Errorf("read the memory of a process: no VmHWM in /proc/%d/status", pid)
	}
	return n << 10, nil
}

// Memory is how many bytes a process holds in memory now. PeakMemory begins anew from that.
func Memory(pid int) (int64, error) {
	if err := ForgetPeak(pid); err != nil {
		return 0, err
	}
	return PeakMemory(pid)
}
