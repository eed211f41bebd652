package cluster

import (
	"errors"
	"io"
	"sync"
	"testing"
	"time"
)

// TestCutWhileEntriesAreStored: a cut at the same time as a write must not forget that what was written is on the disk.
func TestCutWhileEntriesAreStored(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind LogKind) {
		s := openLog(t, t.TempDir(), kind)
		appendEntries(t, s, 1, 10, 1)
		for i := uint64(11); i <= 60; i++ {
			var cut sync.WaitGroup
			cut.Go(func() {
				if err := s.DeleteRange(i-10, i-10); err != nil {
					t.Error(err)
				}
			})
			appendEntries(t, s, i, i, 1)
			cut.Wait()
			if err := s.awaitDurable(ended(), i); err != nil {
				t.Fatalf("entry %d is on the disk: %v", i, err)
			}
		}
	})
}

// TestAnswerToAnEntryThatIsGone: nobody waits for an entry that a later leader took out of the log.
func TestAnswerToAnEntryThatIsGone(t *testing.T) {
	s := leadingLog(t, t.TempDir())
	release := block(t, s)
	appendEntries(t, s, 1, 6, 1)
	waits := make(chan error, 1)
	go func() { waits <- s.awaitDurable(t.Context(), 7) }()
	if err := <-waits; !errors.Is(err, errEntryGone) {
		t.Errorf("an entry that is not in the log: %v", err)
	}
	release()
}

// TestNodeWhoseLogFailsCanBeClosed: answers that are never passed on must not keep Raft from ending.
func TestNodeWhoseLogFailsCanBeClosed(t *testing.T) {
	c := startCluster(t, 3, func(cfg *Config) { cfg.LogStore = LogBolt })
	c.submit(1)
	leader := c.leader()
	files := leader.logs.files
	if timed, ok := files.(timedFiles); ok {
		files = timed.logFiles
	}
	if err := files.(io.Closer).Close(); err != nil { // as if the file had gone bad
		t.Fatal(err)
	}
	leader.raft.Barrier(0)
	if err := <-leader.Done(); err == nil {
		t.Error("a log that cannot be written is no error")
	}
	for range 20 { // rounds of what Raft sends without being asked
		c.beats(leader)
	}
	closed := make(chan struct{})
	go func() { leader.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("the node cannot be closed")
	}
	leader.Node = nil
	leader.dir.Close()
	leader.dir = nil
}
