package bench

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	longest = int64(time.Hour / time.Microsecond)
	digits  = 3
)

// histogram collects durations. It may be used by many goroutines; those that share a connection share one.
type histogram struct {
	mu  sync.Mutex
	hdr *hdrhistogram.Histogram // microseconds
}

func newHistogram() *histogram { return &histogram{hdr: hdrhistogram.New(1, longest, digits)} }

func (h *histogram) record(d time.Duration) {
	us := min(max(int64((d+time.Microsecond/2)/time.Microsecond), 1), longest)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.hdr.RecordValue(us); err != nil {
		panic(err) // us is within the histogram's range
	}
}

// Percentiles are latencies in microseconds.
type Percentiles struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean"`
	P50   int64   `json:"p50"`
	P90   int64   `json:"p90"`
	P99   int64   `json:"p99"`
	P999  int64   `json:"p999"`
	Max   int64   `json:"max"`
}

// merge gives the percentiles of all durations in the histograms; nil if there is none.
func merge(parts []*histogram) *Percentiles {
	all := hdrhistogram.New(1, longest, digits)
	for _, part := range parts {
		part.mu.Lock()
		all.Merge(part.hdr)
		part.mu.Unlock()
	}
	if all.TotalCount() == 0 {
		return nil
	}
	return &Percentiles{
		Count: all.TotalCount(), Mean: round(all.Mean(), 1), P50: all.ValueAtQuantile(50), P90: all.ValueAtQuantile(90),
		P99: all.ValueAtQuantile(99), P999: all.ValueAtQuantile(99.9), Max: all.Max(),
	}
}
