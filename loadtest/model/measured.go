package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Measurements are what loadtest/bench measured: medians, by the name of a setup and that of a figure.
type Measurements struct {
	Machine string                        `json:"machine"`
	Date    string                        `json:"date"`
	Rounds  int                           `json:"rounds"`
	Window  string                        `json:"window"`
	Figures map[string]map[string]float64 `json:"figures"`
}

// ReadMeasurements reads what is in a file; nothing when there is none, or no name.
func ReadMeasurements(path string) (Measurements, error) {
	m := Measurements{Figures: make(map[string]map[string]float64)}
	data, err := os.ReadFile(path)
	if path == "" || errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return m, fmt.Errorf("read measurements: %w", err)
	}
	return m, nil
}

// Write writes all of them into a file.
func (m Measurements) Write(path string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o600)
}

// Growth are setups by which loadtest/bench measures what a request costs when there are more API processes,
// workers, events and connections. The model is not compared with them.
func Growth() []Setup {
	base := Setup{Events: 1, Connections: 256, Rate: 4000, APIs: 1, Workers: 1, MaxBatch: 512}
	all := []Setup{base}
	all[0].Name = "as it is"
	vary := func(name string, change func(*Setup)) {
		s := base
		s.Name = name
		change(&s)
		all = append(all, s)
	}
	vary("2 API processes", func(s *Setup) { s.APIs = 2 })
	vary("4 API processes", func(s *Setup) { s.APIs = 4 })
	vary("8 API processes", func(s *Setup) { s.APIs = 8 })
	vary("4 workers", func(s *Setup) { s.Workers = 4 })
	vary("16 workers", func(s *Setup) { s.Workers = 16 })
	vary("64 workers", func(s *Setup) { s.Workers = 64 })
	vary("8 API processes, 16 workers", func(s *Setup) { s.APIs, s.Workers = 8, 16 })
	vary("100 events", func(s *Setup) { s.Events = 100 })
	vary("5,000 events", func(s *Setup) { s.Events = 5000 })
	vary("64 connections", func(s *Setup) { s.Connections = 64 })
	vary("1,024 connections", func(s *Setup) { s.Connections = 1024 })
	return all
}
