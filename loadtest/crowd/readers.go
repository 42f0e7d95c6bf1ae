package crowd

import (
	"context"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"time"

	"github.com/eventio/eventio/loadtest/load"
	"github.com/eventio/eventio/pkg/store"
)

// Always reads one path.
func Always(path string) func() load.Request {
	return func() load.Request { return load.Request{Path: path} }
}

// Zipf reads events: of popular things the n-th is asked for a n-th as often.
func Zipf(events []store.ID) func() load.Request {
	order := rand.NewZipf(rand.New(rand.NewSource(14)), 1.01, 1, uint64(len(events)-1))
	paths := make([]string, 1<<16)
	for i := range paths {
		paths[i] = "/api/events/" + events[order.Uint64()].Hex()
	}
	return func() load.Request { return load.Request{Path: paths[rand.Intn(len(paths))]} }
}

// readLimit bounds a reading: a large roster takes long.
const readLimit = 2 * time.Minute

// ReadWhole reads a list to its end as somebody with a token, or with none, and looks at nothing of it: decoding would take the cores that
// are measured.
func ReadWhole(ctx context.Context, url, token string) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
