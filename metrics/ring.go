package metrics

import (
	"math"
	"time"
)

// seriesNames are the samples of history, in the order of their file.
var seriesNames = [...]string{
	"submitted", "completed", "failed", "dead", "depth", "in_progress", "oldest_ready_age_s", "submit_p99_us", "wait_p99_us",
}

const seriesCount = len(seriesNames)

// sample is one value of each series; NaN for none.
type sample [seriesCount]float32

func noSample() (s sample) {
	for i := range s {
		s[i] = float32(math.NaN())
	}
	return s
}

// ring keeps the newest samples of a span. A slot is a moment divided by the step: slot n stands at n modulo the length.
type ring struct {
	step   time.Duration
	last   int64 // newest slot; 0 for none yet
	values []sample
}

func newRing(step, span time.Duration) *ring {
	r := &ring{step: step, values: make([]sample, span/step)}
	r.clear()
	return r
}

func (r *ring) clear() {
	for i := range r.values {
		r.values[i] = noSample()
	}
}

// slot is where a moment belongs.
func (r *ring) slot(at time.Time) int64 { return at.UnixNano() / int64(r.step) }

func (r *ring) at(slot int64) *sample { return &r.values[slot%int64(len(r.values))] }

// put keeps a sample. Slots that were passed over have none. A clock that was set back writes over what it comes to again.
func (r *ring) put(slot int64, s sample) {
	n := int64(len(r.values))
	if slot <= 0 {
		return // a clock from before 1970
	}
	if slot >= r.last+n || slot <= r.last-n {
		r.clear()
		r.last = slot
	}
	for ; r.last < slot; r.last++ {
		*r.at(r.last + 1) = noSample()
	}
	*r.at(slot) = s
}

// window returns the series of the whole span up to a slot, which is the last of them.
func (r *ring) window(end int64) map[string][]float64 {
	n := int64(len(r.values))
	series := make(map[string][]float64, seriesCount)
	for i, name := range seriesNames {
		values := make([]float64, n)
		for k := range values {
			slot := end - n + 1 + int64(k)
			values[k] = math.NaN()
			if slot > 0 && slot > r.last-n && slot <= r.last {
				values[k] = float64(r.at(slot)[i])
			}
		}
		series[name] = values
	}
	return series
}
