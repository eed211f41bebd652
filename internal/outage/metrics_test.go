package outage

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
)

// scrape reads what must never fall of a node's metrics: counters, and the counts, sums and buckets of histograms. It is
// nil if the node does not answer.
func (one *node) scrape(t testing.TB) map[string]float64 {
	t.Helper()
	r := one.ask(t, "GET", "/metrics", "")
	if r.status != 200 {
		return nil
	}
	rising, out := "", make(map[string]float64)
	for lines := bufio.NewScanner(strings.NewReader(r.body)); lines.Scan(); {
		line := lines.Text()
		if rest, is := strings.CutPrefix(line, "# TYPE "); is {
			name, kind, _ := strings.Cut(rest, " ")
			if rising = ""; kind == "counter" || kind == "histogram" {
				rising = name
			}
		}
		at := strings.LastIndexByte(line, ' ')
		if rising == "" || line[0] == '#' || at < 0 {
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			t.Errorf("%s: %q: %v", one.name, line, err)
		}
		out[line[:at]] = v
	}
	return out
}

// watching is a comparison of each scrape of a node with the one before.
type watching struct {
	scrapes atomic.Int64
	stop    func()
}

func (one *node) watch(t *testing.T) *watching {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	w := &watching{stop: func() {
		cancel()
		wg.Wait()
	}}
	wg.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		before := map[string]float64{}
		for ctx.Err() == nil {
			now := one.scrape(t)
			for key, v := range before {
				if after, there := now[key]; now != nil && (!there || after < v) {
					t.Errorf("%s: %s fell from %g to %g, there %v", one.name, key, v, after, there)
				}
			}
			if now != nil {
				before = now
				w.scrapes.Add(1)
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	})
	return w
}

// TestCountersOfNodesNeverFall scrapes all nodes all the time: while a follower is stopped for so long that the log does
// not reach back to it and it takes a snapshot, and while the leader is killed and another one takes over. No counter of a
// process falls, and none vanishes. A process that is started anew begins at zero, as Prometheus expects it.
func TestCountersOfNodesNeverFall(t *testing.T) {
	t.Parallel()
	n := startServing(t, 3, append([]string{
		"HAIKU_RAFT_TRAILING_LOGS=64", "HAIKU_RAFT_SNAPSHOT_THRESHOLD=64", "HAIKU_RAFT_SNAPSHOT_INTERVAL=1s",
	}, quick...))
	leader, others := n.leader()
	watched := map[*node]*watching{}
	for _, one := range n.list {
		watched[one] = one.watch(t)
	}
	submitted := 0
	submit := func(count int) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for range count {
			submitted++
			if _, err := n.c.Submit(ctx, "t", nil, client.Queue(fmt.Sprint("q", submitted%3))); err != nil {
				t.Fatal(err)
			}
		}
	}
	const cut, received = `haiku_snapshot_duration_seconds_count{operation="cut"}`, `haiku_snapshot_duration_seconds_count{operation="receive"}`
	submit(50)
	late := others[0]
	late.signal(t, syscall.SIGSTOP)
	cuts := leader.scrape(t)[cut]
	eventually(t, "the log is cut twice without the follower", func() bool {
		submit(100)
		return leader.scrape(t)[cut] >= cuts+2
	})
	late.signal(t, syscall.SIGCONT)
	eventually(t, "it takes a snapshot", func() bool { return late.scrape(t)[received] >= 1 })
	submit(50)

	leader.kill(t)
	watched[leader].stop()
	delete(watched, leader)
	next, _ := n.leader()
	n.c = dial(t, client.Config{Addrs: n.addresses(0)})
	submit(50)
	const changes = "haiku_raft_leader_changes_total"
	eventually(t, "the change of the leader is counted", func() bool { return next.scrape(t)[changes] >= 2 })
	n.start(leader)
	n.serving(leader)
	eventually(t, "the node that was killed has caught up and counts anew", func() bool {
		now := leader.scrape(t)
		return now["haiku_commands_applied_total"] > 0 && now[received] == 0
	})
	submit(20)
	for one, w := range watched {
		eventually(t, one.name+" was scraped often", func() bool { return w.scrapes.Load() >= 20 })
		w.stop()
	}
	// a follower that took a snapshot has not applied what was in it, the other one everything
	eventually(t, fmt.Sprintf("%s counts %d submitted tasks", others[1].name, submitted), func() bool {
		total, now := 0.0, others[1].scrape(t)
		for key, v := range now {
			if strings.HasPrefix(key, "haiku_tasks_submitted_total") {
				total += v
			}
		}
		return total == float64(submitted) || now[received] > 0 && total > 0 // what a snapshot brings is not counted
	})
}
