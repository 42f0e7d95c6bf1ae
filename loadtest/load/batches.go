package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/eventio/eventio/internal/testenv"
)

// batchesLimit is how long a worker may take to log its last batches.
const batchesLimit = 30 * time.Second

// Batches returns the sizes of the batches that workers have settled since they were asked
// last, when these are n requests together. A batch is logged after its requests are
// answered, so it may wait a moment.
func Batches(ctx context.Context, n int, workers ...*testenv.Program) ([]int, error) {
	var sizes []int
	sum := 0
	err := testenv.Poll(ctx, batchesLimit, func() error {
		for _, p := range workers {
			lines, err := p.Lines()
			if err != nil {
				return err
			}
			for line := range bytes.Lines(lines) {
				if !bytes.Contains(line, []byte(`"batch"`)) { // most are others, and need no decoding
					continue
				}
				var entry struct {
					Message   string
					BatchSize int `json:"batch_size"`
				}
				if err := json.Unmarshal(line, &entry); err != nil {
					return fmt.Errorf("a line of the log of %s is no JSON: %s", p.Name, line)
				}
				if entry.Message == "batch" {
					sizes = append(sizes, entry.BatchSize)
					sum += entry.BatchSize
				}
			}
		}
		if sum < n {
			return fmt.Errorf("the logs of the workers tell of %d requests, want %d", sum, n)
		}
		return nil
	})
	return sizes, err
}
