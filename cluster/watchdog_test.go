package cluster

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// complaints are what a watchdog said.
type complaints struct {
	mu  sync.Mutex
	all []string
}

func (c *complaints) slow(what string) { c.add("slow " + what) }
func (c *complaints) fatal(err error)  { c.add("fatal " + err.Error()) }

func (c *complaints) add(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, s)
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	return all
}

func TestWatchdogSaysOnceThatAWriteHangs(t *testing.T) {
	var said complaints
	w := newWatchdog(4*time.Hour, 30*time.Hour, said.slow, said.fatal)
	defer w.Close()
	b := w.bracket("a write")
	for range 2 {
		begun, end := make(chan struct{}), make(chan struct{})
		result := make(chan error)
		go func() {
			result <- b.run(func() error {
				close(begun)
				<-end
				return errors.New("its own")
			})
		}()
		<-begun
		at := time.Duration(b.since.Load())
		for _, age := range []time.Duration{0, 4*time.Hour - 1} {
			if w.look(at + age); len(said.take()) != 0 {
				t.Errorf("complained after %s", age)
			}
		}
		w.look(at + 4*time.Hour)
		w.look(at + 5*time.Hour)
		if got := said.take(); !slices.Equal(got, []string{"slow a write"}) {
			t.Errorf("said %q", got)
		}
		w.look(at + 30*time.Hour)
		w.look(at + 31*time.Hour)
		if got := said.take(); !slices.Equal(got, []string{"fatal a write hangs for 30h0m0s"}) {
			t.Errorf("said %q", got)
		}
		close(end)
		if err := <-result; err == nil || err.Error() != "its own" {
			t.Errorf("the operation's error became %v", err)
		}
		if w.look(at + 100*time.Hour); len(said.take()) != 0 {
			t.Error("complained of a write that had ended")
		}
	}
}

func TestWatchdogJudgesStreamsByTheirProgress(t *testing.T) {
	var said complaints
	w := newWatchdog(time.Second, time.Second, said.slow, said.fatal)
	defer w.Close()
	b := w.stream("a stream", time.Hour, said.fatal)
	begun := time.Duration(b.since.Load())
	b.since.Store(int64(begun + 50*time.Minute)) // as tick would
	if w.look(begun + 109*time.Minute); len(said.take()) != 0 {
		t.Error("complained of a stream that moves")
	}
	w.look(begun + 110*time.Minute)
	if got := said.take(); !slices.Equal(got, []string{"fatal a stream hangs for 1h0m0s"}) {
		t.Errorf("said %q", got)
	}
	b.leave()
	if w.look(begun + 500*time.Minute); len(said.take()) != 0 {
		t.Error("complained of a stream that is gone")
	}
}

func TestWatchdogLooksByItself(t *testing.T) {
	told := make(chan error, 1)
	w := newWatchdog(time.Millisecond, time.Millisecond, func(string) {}, func(err error) { told <- err })
	defer w.Close()
	if err := w.bracket("a write").run(func() error { return <-told }); err == nil {
		t.Error("no complaint")
	}
}
