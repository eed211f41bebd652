package cluster

import (
	"errors"
	"io"
	"slices"
	"strings"
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

// cutFiles are files of which one cut hangs.
type cutFiles struct {
	logFiles
	hangs uint64 // the cut that begins there
	open  chan struct{}
}

func (f *cutFiles) DeleteRange(lowest, highest uint64) error {
	if lowest == f.hangs {
		<-f.open
	}
	return f.logFiles.DeleteRange(lowest, highest)
}

// TestCutThatHangsBesideAnother: Raft's main loop cuts the end of the log, another loop its beginning.
func TestCutThatHangsBesideAnother(t *testing.T) {
	bothKinds(t, func(t *testing.T, kind LogKind) {
		cfg := logIn(t, t.TempDir(), kind)
		var said complaints
		cfg.Watchdog = newWatchdog(time.Hour, 2*time.Hour, said.slow, said.fatal)
		defer cfg.Watchdog.Close()
		s, err := openLogStore(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		appendEntries(t, s, 1, 10, 1)
		files := &cutFiles{logFiles: s.files, hangs: 9, open: make(chan struct{})}
		s.files = files
		done := make(chan error, 1)
		hangs := func() bool {
			said.take()
			cfg.Watchdog.look(time.Since(cfg.Watchdog.origin) + 90*time.Minute)
			return slices.Contains(said.take(), "slow cutting Raft's log")
		}
		go func() { done <- s.DeleteRange(9, 10) }()
		eventually(t, "the cut at the end hangs", hangs)
		if err := s.DeleteRange(1, 3); err != nil {
			t.Fatal(err)
		}
		cfg.Watchdog.look(time.Since(cfg.Watchdog.origin) + 3*time.Hour)
		if !slices.ContainsFunc(said.take(), func(s string) bool { return strings.HasPrefix(s, "fatal cutting Raft's log hangs") }) {
			t.Error("after another cut had ended, nobody noticed any more that the first one hung")
		}
		close(files.open)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
