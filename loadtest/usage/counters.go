package usage

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Values are the counters of a process by name, with the values of their labels behind it:
// eventio_store_guesses_total:wrong. A histogram is two of them, which end in _sum and _count.
type Values map[string]float64

// Read asks the process whose admin listener is at addr.
func Read(ctx context.Context, addr string) (Values, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read metrics: %s", res.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	all := make(Values)
	for name, family := range families {
		for _, m := range family.GetMetric() {
			var labels strings.Builder
			for _, l := range m.GetLabel() {
				labels.WriteString(":" + l.GetValue())
			}
			if h := m.GetHistogram(); h != nil {
				all[name+"_sum"+labels.String()] += h.GetSampleSum()
				all[name+"_count"+labels.String()] += float64(h.GetSampleCount())
			}
			if c := m.GetCounter(); c != nil {
				all[name+labels.String()] += c.GetValue()
			}
		}
	}
	return all, nil
}

// Add adds the counters of another process, by a factor: -1 takes them away.
func (v Values) Add(others Values, factor float64) {
	for name, n := range others {
		v[name] += factor * n
	}
}

// Sum adds up what begins with one of the names.
func (v Values) Sum(names ...string) (sum float64) {
	for name, n := range v {
		for _, prefix := range names {
			if strings.HasPrefix(name, prefix) {
				sum += n
			}
		}
	}
	return sum
}
