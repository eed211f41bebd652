package metrics

import (
	"math"
	"time"

	"github.com/haiku-queue/haiku/store"
)

const (
	recentSamples = 61 // a minute between the first and the last
	rateSpan      = 5  // samples
	bridged       = 3  // seconds that one late sample may stand for
)

// moment is what was counted up to a second.
type moment struct {
	at                time.Time
	events            totals
	submit, wait, run buckets
}

// level is what there is at a moment.
type level struct{ depth, running, oldest float64 }

// sampler turns counts into samples: one a second, one a minute.
type sampler struct {
	m       *Metrics
	seconds *ring
	minutes *ring

	recent [recentSamples]moment
	count  int // of recent, up to its length
	next   int // place of the next one

	minute   int64  // slot that is being gathered
	from     moment // where it began
	levels   level  // added up
	sampled  int    // seconds of it
	lastSlot int64  // of seconds
}

func newSampler(m *Metrics) *sampler {
	return &sampler{m: m, seconds: newRing(time.Second, time.Hour), minutes: newRing(time.Minute, 24*time.Hour)}
}

// take takes the sample of the second that ends at a moment; the first time it only notes where counting begins.
func (s *sampler) take(at time.Time, from Source) {
	now := s.m.moment(at)
	levels := levelOf(from)
	defer s.remember(now)
	slot := s.seconds.slot(at) - 1
	if s.count == 0 {
		s.lastSlot, s.minute, s.from = slot, s.minutes.slot(at), now
		return
	}
	before := s.back(1)
	values := s.sampleOf(before, &now, levels)
	for i := max(s.lastSlot+1, slot-bridged+1); i < slot; i++ {
		s.seconds.put(i, values) // it came late and stands for those before, too
	}
	s.seconds.put(slot, values)
	s.lastSlot = slot
	s.levels.depth += levels.depth
	s.levels.running += levels.running
	s.levels.oldest = max(s.levels.oldest, levels.oldest)
	s.sampled++
	if minute := s.minutes.slot(at); minute != s.minute {
		s.endMinute(&now)
		s.minute, s.from, s.levels, s.sampled = minute, now, level{}, 0
	}
}

// endMinute keeps what the minute at hand came to.
func (s *sampler) endMinute(now *moment) {
	if s.sampled == 0 {
		return
	}
	n := float64(s.sampled)
	s.minutes.put(s.minute, s.sampleOf(&s.from, now, level{s.levels.depth / n, s.levels.running / n, s.levels.oldest}))
}

// flush keeps the minute at hand as far as it came.
func (s *sampler) flush() {
	if s.count > 0 {
		s.endMinute(s.back(1))
	}
}

func (s *sampler) remember(m moment) {
	s.recent[s.next] = m
	s.next = (s.next + 1) % recentSamples
	s.count = min(s.count+1, recentSamples)
}

// back returns the n-th newest moment, or the oldest that is known; s.count is not 0.
func (s *sampler) back(n int) *moment {
	return &s.recent[(s.next-min(n, s.count)+recentSamples)%recentSamples]
}

// sampleOf is what happened between two moments, and what there was at the end.
func (s *sampler) sampleOf(before, now *moment, l level) sample {
	rate := func(e event) float32 { return float32(rateOf(before, now, e)) }
	p99 := func(h *histogram, now, before *buckets) float32 {
		b := now.since(before)
		return float32(micros(h.quantile(&b, .99)))
	}
	return sample{
		rate(submitted), rate(completed), rate(failed), rate(dead), float32(l.depth), float32(l.running), float32(l.oldest),
		p99(s.m.submit, &now.submit, &before.submit), p99(s.m.wait, &now.wait, &before.wait),
	}
}

func rateOf(before, now *moment, e event) float64 {
	elapsed := max(1, now.at.Sub(before.at).Seconds()) // the first sample is of a part of a second
	return float64(now.events[e]-before.events[e]) / elapsed
}

func micros(seconds float64) float64 { return math.Round(seconds * 1e6) }

// rates are events a second over the last samples.
func (s *sampler) rates() map[string]float64 {
	out := make(map[string]float64)
	if s.count < 2 {
		return out
	}
	for name, e := range map[string]event{"submitted": submitted, "claimed": claimed, "completed": completed, "failed": failed, "dead": dead} {
		out[name] = rateOf(s.back(rateSpan+1), s.back(1), e)
	}
	return out
}

// latencies are those of the last minute, in microseconds.
func (s *sampler) latencies() map[string]float64 {
	out := make(map[string]float64)
	if s.count < 2 {
		return out
	}
	first, last := s.back(recentSamples), s.back(1)
	add := func(name string, h *histogram, before, now *buckets) {
		b := now.since(before)
		out[name+"_p50_us"], out[name+"_p99_us"] = micros(h.quantile(&b, .5)), micros(h.quantile(&b, .99))
	}
	add("submit", s.m.submit, &first.submit, &last.submit)
	add("wait", s.m.wait, &first.wait, &last.wait)
	add("run", s.m.run, &first.run, &last.run)
	return out
}

// moment reads what was counted so far.
func (m *Metrics) moment(at time.Time) moment {
	return moment{at: at, events: m.queues.sum(), submit: m.submit.read(), wait: m.wait.read(), run: m.run.read()}
}

func levelOf(from Source) (l level) {
	var oldest int64
	from.EachDepth(func(d store.Depth) {
		l.depth += float64(d.Counts.Pending + d.Counts.Failed)
		l.running += float64(d.Counts.InProgress)
		if d.OldestReady != 0 && (oldest == 0 || d.OldestReady < oldest) {
			oldest = d.OldestReady
		}
	})
	l.oldest = age(oldest)
	return l
}

// age is how long ago a time in microseconds was, in seconds; 0 for none.
func age(us int64) float64 {
	if us == 0 {
		return 0
	}
	return max(0, time.Since(time.UnixMicro(us)).Seconds())
}
