package cluster

import (
	"sync"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// witness counts what it is told.
type witness struct {
	mu    sync.Mutex
	count map[string]int
}

func (w *witness) note(what string, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == nil {
		w.count = make(map[string]int)
	}
	w.count[what]++
	if took < 0 || took > patience {
		w.count["nonsense: "+what]++
	}
}

func (w *witness) of(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count[what]
}

func (w *witness) Changed(changes []task.Change) {
	for _, c := range changes {
		w.note("to "+c.To.String(), c.Took)
	}
}
func (w *witness) Submitted(took time.Duration)           { w.note("submitted", took) }
func (w *witness) Proposed(took time.Duration)            { w.note("proposed", took) }
func (w *witness) Committed(took time.Duration)           { w.note("committed", took) }
func (w *witness) Applied(took time.Duration)             { w.note("applied", took) }
func (w *witness) Synced(took time.Duration)              { w.note("synced", took) }
func (w *witness) Snapshot(op string, took time.Duration) { w.note("snapshot "+op, took) }

// TestObserver: every node tells the same changes of what it applied, the leader how long its part took, and how far the
// others are; a leader that goes is a change of leader on all of them.
func TestObserver(t *testing.T) {
	var witnesses []*witness
	c := startCluster(t, 3, func(cfg *Config) {
		w := &witness{}
		witnesses = append(witnesses, w)
		cfg.Observer = w
	})
	const tasks = 5
	c.submit(tasks)
	session := task.NewSessionID()
	for range tasks {
		got := c.claim(session, time.Minute)
		o := task.Outcome{ID: got.ID, LeaseID: got.LeaseID, Kind: task.Success}
		if receipts, _, err := c.leader().Finish(t.Context(), session, []task.Outcome{o}, nil); err != nil || receipts[0].Err != nil {
			t.Fatal(receipts, err)
		}
	}
	for i, w := range witnesses {
		eventually(t, c.nodes[i].name+" tells all changes", func() bool {
			return w.of("to pending") == tasks && w.of("to in_progress") == tasks && w.of("to completed") == tasks
		})
		if w.of("applied") == 0 || w.of("synced") == 0 {
			t.Errorf("%s: %v", c.nodes[i].name, w.count)
		}
		for what := range w.count {
			if len(what) > 8 && what[:8] == "nonsense" {
				t.Errorf("%s tells %s", c.nodes[i].name, what)
			}
		}
	}
	leader := c.leader()
	for i, n := range c.nodes {
		w := witnesses[i]
		if leads := n == leader; leads != (w.of("submitted") > 0) || leads != (w.of("proposed") > 0) || leads != (w.of("committed") > 0) {
			t.Errorf("%s, leader %v: %v", n.name, leads, w.count)
		}
	}
	eventually(t, "the leader knows that both have all", func() bool {
		s, err := leader.RaftState()
		return err == nil && s.Leads && len(s.Peers) == 2 && s.Peers[0].Lag+s.Peers[1].Lag == 0 && s.Peers[0].Name != ""
	})
	follower := c.followers()[0]
	before, err := follower.RaftState()
	if err != nil || before.Leads || !before.HasLeader || before.Voters != 3 || before.LeaderChanges == 0 || before.LastContact > patience {
		t.Errorf("a follower: %+v, %v", before, err)
	}
	c.crash(leader)
	eventually(t, "another leads", func() bool {
		s, err := follower.RaftState()
		return err == nil && s.HasLeader && s.LeaderChanges > before.LeaderChanges && s.Term > before.Term
	})
	eventually(t, "the new leader has heard from the other", func() bool {
		s, err := c.leader().RaftState()
		return err == nil && len(s.Peers) == 1
	})
	if err := c.leader().cutLog(); err != nil {
		t.Fatal(err)
	}
	cut := 0
	for _, w := range witnesses {
		cut += w.of("snapshot " + SnapshotCut)
	}
	if cut != 1 {
		t.Errorf("%d cuts of the log told, want 1", cut)
	}
}
