package cluster

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	watchEvery = 100 * time.Millisecond
	stallAfter = 60 * time.Second // without a byte of progress
)

// watchdog notices storage that hangs, which Raft itself never does (hashicorp/raft#503, #614). It looks at the
// brackets that surround each write and calls back from its own goroutine, once for each operation and limit. The
// callbacks must not block.
type watchdog struct {
	slow, fatal time.Duration
	onSlow      func(what string)
	onFatal     func(error)

	origin time.Time
	stop   chan struct{}
	done   sync.WaitGroup
	once   sync.Once

	mu       sync.Mutex
	brackets map[*bracket]struct{}
}

// newWatchdog starts a watchdog: onSlow is told of an operation that takes longer than slow, after which a leader
// should give leadership away; onFatal of one that takes longer than fatal, after which the process has to end.
func newWatchdog(slow, fatal time.Duration, onSlow func(what string), onFatal func(error)) *watchdog {
	w := &watchdog{
		slow: slow, fatal: fatal, onSlow: onSlow, onFatal: onFatal,
		origin: time.Now(), stop: make(chan struct{}), brackets: make(map[*bracket]struct{}),
	}
	w.done.Add(1)
	go w.run()
	return w
}

// Close stops the watchdog and waits for it. It is idempotent.
func (w *watchdog) Close() {
	w.once.Do(func() { close(w.stop) })
	w.done.Wait()
}

func (w *watchdog) run() {
	defer w.done.Done()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look(time.Since(w.origin))
		case <-w.stop:
			return
		}
	}
}

// look judges every bracket at a moment.
func (w *watchdog) look(now time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for b := range w.brackets {
		since := b.since.Load()
		if since == 0 {
			continue
		}
		if since != b.seen {
			b.seen, b.toldSlow, b.toldFatal = since, false, false
		}
		age := now - time.Duration(since)
		if b.slow > 0 && age >= b.slow && !b.toldSlow {
			b.toldSlow = true
			w.onSlow(b.what)
		}
		if age >= b.fatal && !b.toldFatal {
			b.toldFatal = true
			b.onFatal(fmt.Errorf("%s hangs for %s", b.what, age.Round(time.Millisecond)))
		}
	}
}

// hangs reports whether an operation is running that takes longer than slow.
func (w *watchdog) hangs() bool {
	now := time.Since(w.origin)
	w.mu.Lock()
	defer w.mu.Unlock()
	for b := range w.brackets {
		if since := b.since.Load(); since != 0 && b.slow > 0 && now-time.Duration(since) >= b.slow {
			return true
		}
	}
	return false
}

// bracket surrounds one kind of operation, of which one runs at a time.
type bracket struct {
	w       *watchdog
	what    string
	slow    time.Duration // 0 for never
	fatal   time.Duration
	onFatal func(error)

	since atomic.Int64 // when the running operation began or last went on, after w.origin; 0 when none runs

	// The watchdog's, under its lock.
	seen                int64
	toldSlow, toldFatal bool
}

// bracket makes a bracket for writes that have to end within the watchdog's limits. what reads like "store log entries".
func (w *watchdog) bracket(what string) *bracket {
	return w.add(&bracket{w: w, what: what, slow: w.slow, fatal: w.fatal, onFatal: w.onFatal})
}

// stream starts a bracket for work that may take any time while bytes flow: onStall is called when tick was not for the
// time given. The bracket ends with leave.
func (w *watchdog) stream(what string, stall time.Duration, onStall func(error)) *bracket {
	b := w.add(&bracket{w: w, what: what, fatal: stall, onFatal: onStall})
	b.tick()
	return b
}

func (w *watchdog) add(b *bracket) *bracket {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.brackets[b] = struct{}{}
	return b
}

// run runs one operation under the watchdog's eyes.
func (b *bracket) run(operation func() error) error {
	b.tick()
	defer b.since.Store(0)
	return operation()
}

// around is run, of operations that go through inner; nil for none.
func (b *bracket) around(inner func(func() error) error) func(func() error) error {
	if inner == nil {
		return b.run
	}
	return func(operation func() error) error {
		return b.run(func() error { return inner(operation) })
	}
}

// tick says that the operation begins or goes on.
func (b *bracket) tick() { b.since.Store(max(1, int64(time.Since(b.w.origin)))) }

// leave ends a bracket for good.
func (b *bracket) leave() {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	delete(b.w.brackets, b)
}
