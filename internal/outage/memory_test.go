package outage

import (
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

// TestMemoryStaysWithinItsLimit gives a node 432 MiB, of which its caches and buffers are 28, and has it take in, hand
// out and read back six times as much in tasks of all sizes. With raft-wal that is all memory that the process ever had
// resident; with bbolt, pages of the log's file do not count, which the kernel shows in the process and takes back when
// it likes.
func TestMemoryStaysWithinItsLimit(t *testing.T) {
	t.Parallel()
	const limit = 432 << 20
	for _, kind := range []string{"boltdb", "wal"} {
		t.Run(kind, func(t *testing.T) {
			n := startNodes(t, 1, append([]string{
				fmt.Sprintf("HAIKU_MEMORY_LIMIT=%d", limit), "HAIKU_STORE_BLOCK_CACHE=8MiB", "HAIKU_STORE_WRITE_BUFFER_TOTAL=8MiB",
				"HAIKU_STORE_WRITE_BUFFER_SIZE=4MiB", "HAIKU_STORE_RECORD_CACHE=4MiB", "HAIKU_RAFT_LOG_CACHE=8MiB",
				"HAIKU_LIMITS_CONNECTION_BYTES=16MiB", "HAIKU_LIMITS_TOTAL_BYTES=32MiB", "HAIKU_RAFT_LOG_STORE=" + kind,
			}, quick...))
			process := n.list[0].process
			peak := watchMemory(process)
			if kind == "wal" {
				peak = func() int64 { return memoryOf(process, "VmHWM:") }
			}
			a := &appetite{n: n}
			for _, size := range []struct{ batches, count, bytes int }{{10, 100, 16 << 10}, {20, 250, 100}, {3, 1, 8 << 20}} {
				a.fill(size.batches, size.count, size.bytes)
				a.work(size.batches/3, size.count)
				t.Logf("after %d x %d tasks of %d bytes: at most %d MiB", 4*size.batches, size.count, size.bytes, peak()>>20)
			}
			a.read()
			if got := peak(); got > limit || got < limit/8 {
				t.Errorf("at most %d MiB, limit %d", got>>20, limit>>20)
			}
		})
	}
}

// watchMemory looks at a process until it ends. It returns how to ask for the most memory of its own that it had.
func watchMemory(p *process) (peak func() int64) {
	var mu sync.Mutex
	var most int64
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			now := memoryOf(p, "RssAnon:")
			mu.Lock()
			most = max(most, now)
			mu.Unlock()
			select {
			case <-p.done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() int64 {
		mu.Lock()
		defer mu.Unlock()
		return most
	}
}

// memoryOf is a number of bytes in the status of a process; zero if there is none.
func memoryOf(p *process, name string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, name); found {
			number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			kib, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// appetite is four clients that want much of a node at once.
type appetite struct {
	n   *nodes
	mu  sync.Mutex
	ids []task.ID
}

// each runs fn for each client.
func (a *appetite) each(fn func(c *client.Client) error) {
	a.n.t.Helper()
	var all sync.WaitGroup
	for range 4 {
		c := dial(a.n.t, client.Config{Addrs: a.n.addresses(0)})
		all.Go(func() {
			if err := fn(c); err != nil {
				a.n.t.Error(err)
			}
		})
	}
	all.Wait()
}

// fill has each client submit batches of tasks whose payloads cannot be compressed.
func (a *appetite) fill(batches, count, size int) {
	a.n.t.Helper()
	a.each(func(c *client.Client) error {
		for range batches {
			specs := make([]task.Spec, count)
			for i := range specs {
				specs[i] = task.Spec{ID: task.NewID(), Type: "email", Payload: make([]byte, size)}
				rand.Read(specs[i].Payload)
			}
			if _, err := c.SubmitMany(a.n.t.Context(), specs); err != nil {
				return err
			}
			a.mu.Lock()
			for i := range specs {
				a.ids = append(a.ids, specs[i].ID)
			}
			a.mu.Unlock()
		}
		return nil
	})
}

// work has each client claim tasks, a number of times, and complete them.
func (a *appetite) work(times, count int) {
	a.n.t.Helper()
	a.each(func(c *client.Client) error {
		for range times {
			got, err := c.Claim(a.n.t.Context(), task.ClaimRequest{WorkerID: "w", Max: count})
			if err != nil {
				return err
			}
			var outcomes []task.Outcome
			for _, x := range got {
				outcomes = append(outcomes, task.Outcome{ID: x.ID, LeaseID: x.LeaseID, Kind: task.Success, Result: x.Payload[:10]})
			}
			if _, _, err := c.Finish(a.n.t.Context(), outcomes, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// read has one client read one task in ten with its payload, the large ones too.
func (a *appetite) read() {
	a.n.t.Helper()
	c := dial(a.n.t, client.Config{Addrs: a.n.addresses(0)})
	for at := len(a.ids) - 1; at >= 0; at -= 10 {
		if _, _, err := c.Query(a.n.t.Context(), task.Query{IDs: a.ids[at : at+1], WithPayload: true}); err != nil {
			a.n.t.Fatal(err)
		}
	}
}
