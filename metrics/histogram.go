package metrics

import (
	"math"
	"sort"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The bounds of buckets, in seconds. What one disk or one round takes is told apart by a factor of 1.6, what depends on
// people's handlers and backlogs by 2 to 2.5.
var (
	quickBounds = []float64{.0001, .00016, .00025, .0004, .00063, .001, .0016, .0025, .004, .0063, .01, .016, .025, .04,
		.063, .1, .16, .25, .4, .63, 1, 1.6, 2.5, 5, 10}
	longBounds = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300,
		600, 1800, 3600, 14400, 86400}
	snapshotBounds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}
)

// maxBuckets is how many buckets a histogram has at most, the last one without bound included.
const maxBuckets = 26

// histogram counts durations by size.
type histogram struct {
	bounds []float64
	limits []time.Duration // bounds
	counts [maxBuckets]atomic.Uint64
	sum    atomic.Int64
}

func newHistogram(bounds []float64) *histogram {
	h := &histogram{bounds: bounds}
	for _, b := range bounds {
		h.limits = append(h.limits, time.Duration(b*float64(time.Second)))
	}
	return h
}

func (h *histogram) observe(d time.Duration) {
	d = max(d, 0) // a clock that was set
	h.counts[sort.Search(len(h.limits), func(i int) bool { return d <= h.limits[i] })].Add(1)
	h.sum.Add(int64(d))
}

// buckets are the counts of a histogram at a moment, not added up.
type buckets [maxBuckets]uint64

func (h *histogram) read() (b buckets) {
	for i := range b {
		b[i] = h.counts[i].Load()
	}
	return b
}

// metric is the histogram for Prometheus.
func (h *histogram) metric(d *prometheus.Desc, labels ...string) prometheus.Metric {
	sum := time.Duration(h.sum.Load()).Seconds() // before the counts, so that it holds no more than they do
	b := h.read()
	upTo := make(map[float64]uint64, len(h.bounds))
	var count uint64
	for i, bound := range h.bounds {
		count += b[i]
		upTo[bound] = count
	}
	return prometheus.MustNewConstHistogram(d, count+b[len(h.bounds)], sum, upTo, labels...)
}

// since returns what came after another moment.
func (b buckets) since(before *buckets) buckets {
	for i := range b {
		b[i] -= before[i]
	}
	return b
}

// quantile estimates the duration, in seconds, below which a share q of what was counted lies; NaN if nothing was.
func (h *histogram) quantile(b *buckets, q float64) float64 {
	var count uint64
	for _, n := range b {
		count += n
	}
	if count == 0 {
		return math.NaN()
	}
	rank, below, low := q*float64(count), 0.0, 0.0
	for i, bound := range h.bounds {
		n := float64(b[i])
		if n > 0 && below+n >= rank {
			return low + (bound-low)*max(0, rank-below)/n
		}
		below += n
		low = bound
	}
	return low
}
