package system

import (
	"bytes"
	"sync"
)

// Log collects the lines of a log. It is safe for concurrent use.
type Log struct {
	mu   sync.Mutex // guards data
	data []byte
}

// Write adds to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data = append(l.data, p...)
	return len(p), nil
}

// String returns the whole log.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.data)
}

// With returns the lines that contain text.
func (l *Log) With(text string) (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(l.data) {
		if bytes.Contains(line, []byte(text)) {
			lines = append(lines, string(line))
		}
	}
	return lines
}
