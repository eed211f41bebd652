package metrics

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/store"
)

// saveEvery is how often the history is written, and with that how much of it a crash takes.
const saveEvery = time.Minute

// Recording takes samples of one node while it is open.
type Recording struct {
	m      *Metrics
	source Source
	path   string
	log    *slog.Logger

	stop chan struct{}
	done sync.WaitGroup
	once sync.Once
	err  error

	mu      sync.Mutex
	sampler *sampler
}

// Record begins to measure a node that was opened, and to sample it. The samples go on from those in the file at path,
// where they are written now and then. One recording may be open at a time; Close it before the node.
func (m *Metrics) Record(source Source, path string, log *slog.Logger) *Recording {
	r := &Recording{m: m, source: source, path: path, log: log, stop: make(chan struct{}), sampler: newSampler(m)}
	r.load()
	var depths []store.Depth
	source.EachDepth(func(d store.Depth) { depths = append(depths, d) })
	m.queues.seed(depths)
	r.sampler.take(time.Now(), source)
	m.recording.Store(r)
	r.done.Go(r.run)
	return r
}

// Close ends the recording and writes its samples. It is idempotent.
func (r *Recording) Close() error {
	r.once.Do(func() {
		close(r.stop)
		r.done.Wait()
		r.m.recording.CompareAndSwap(r, nil)
		r.m.gathering.Lock() // a scrape may be reading the node
		r.m.gathering.Unlock()
		r.mu.Lock()
		r.sampler.flush()
		r.mu.Unlock()
		r.err = r.save()
	})
	return r.err
}

// run takes a sample at the end of each second.
func (r *Recording) run() {
	next := time.NewTimer(untilNext(time.Now()))
	defer next.Stop()
	saved := time.Now()
	for {
		select {
		case <-r.stop:
			return
		case <-next.C:
		}
		now := time.Now()
		r.mu.Lock()
		r.sampler.take(now, r.source)
		r.mu.Unlock()
		if now.Sub(saved) >= saveEvery {
			saved = now
			if err := r.save(); err != nil {
				r.log.Warn("the history for charts was not written", "error", err)
			}
		}
		next.Reset(untilNext(time.Now()))
	}
}

// untilNext is the time until the next second begins.
func untilNext(now time.Time) time.Duration {
	return now.Truncate(time.Second).Add(time.Second).Sub(now)
}

// save writes the samples.
func (r *Recording) save() error {
	r.mu.Lock()
	content := encodeHistory(r.sampler.seconds, r.sampler.minutes)
	r.mu.Unlock()
	if err := writeFile(r.path, content); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

// load reads the samples of before, if there are some. A file that cannot be read is set aside.
func (r *Recording) load() {
	err := readHistory(r.path, r.sampler.seconds, r.sampler.minutes)
	if err == nil {
		return
	}
	r.sampler = newSampler(r.m)
	aside, moved := setAside(r.path)
	r.log.Warn("the history for charts cannot be read and begins anew", "file", r.path, "kept as", aside, "error", errors.Join(err, moved))
}

// History returns the samples of the last hour, by seconds, or with a longer span of the last day, by minutes: their
// distance, the time of the first, and the series by their names, all of one length; NaN where there is no sample.
func (m *Metrics) History(span time.Duration) (step time.Duration, from time.Time, series map[string][]float64) {
	r := m.recording.Load()
	if r == nil {
		r = &Recording{sampler: newSampler(m)}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	ring := r.sampler.seconds
	if span > time.Hour {
		ring = r.sampler.minutes
	}
	end := ring.slot(time.Now()) - 1
	first := end - int64(len(ring.values)) + 1
	return ring.step, time.Unix(0, first*int64(ring.step)).UTC(), ring.window(end)
}

// Rates are events a second over the last five seconds: submitted, claimed, completed, failed, dead.
func (m *Metrics) Rates() map[string]float64 {
	return m.recently((*sampler).rates)
}

// Latencies are those of the last minute in microseconds: submit_p50_us, submit_p99_us, and of wait and run; NaN for what
// did not occur.
func (m *Metrics) Latencies() map[string]float64 {
	return m.recently((*sampler).latencies)
}

func (m *Metrics) recently(ask func(*sampler) map[string]float64) map[string]float64 {
	r := m.recording.Load()
	if r == nil {
		return map[string]float64{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return ask(r.sampler)
}
