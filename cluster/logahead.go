package cluster

import (
	"context"
	"sync"

	"github.com/hashicorp/raft"
)

// behind is what a leader's log still has to write. A leader need not have an entry on its own disk before it sends it
// to others, only before it counts itself among those that have it: so Raft goes on at once, the followers write at the
// same time, and their answers are held back until the leader's write is done (safeTransport). What Raft takes for
// committed is then on a majority of disks, the leader's among them, and a round takes one write instead of two in turn.
//
// A leader that is deposed may hear from its successor of entries that it is still writing. It has to store the later
// term before it answers, and that waits for the entries (Set).
//
// It is guarded by the log store's lock.
type behind struct {
	may     func() bool // whether this node leads others, asked on Raft's main loop; nil for no
	logs    []*raft.Log // not given to the files yet
	bytes   int64       // of these and of those being written
	running bool        // a goroutine writes
	err     error       // of the write that failed, for good
	durable uint64      // index of the last entry that is on the disk
	changed chan struct{}
	work    sync.WaitGroup
}

// writeBehind says when entries may be written while Raft goes on: when this node leads others.
func (s *logStore) writeBehind(may func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind.may = may
}

// takesBehind reports whether entries may be written while Raft goes on. A configuration may make this node the only
// voter, whose own word then commits; and what is not written has to have room in the cache, where Raft reads it.
func (s *logStore) takesBehind(logs []*raft.Log) bool {
	s.mu.RLock()
	may, room := s.behind.may, s.cache.limit/2
	s.mu.RUnlock()
	for _, l := range logs {
		if room -= entrySize(l); room < 0 || l.Type == raft.LogConfiguration {
			return false
		}
	}
	return may != nil && may()
}

// storeBehind appends entries that a goroutine writes. It waits only while too much is being written.
func (s *logStore) storeBehind(logs []*raft.Log) error {
	var size int64
	for _, l := range logs {
		size += entrySize(l)
	}
	err := s.await(context.Background(), func() bool { return s.behind.bytes == 0 || s.behind.bytes+size <= s.cache.limit/2 })
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold(logs)
	s.behind.logs = append(s.behind.logs, logs...)
	s.behind.bytes += size
	if !s.behind.running {
		s.behind.running = true
		s.behind.work.Go(s.writePending)
	}
	return nil
}

// writePending writes until nothing is left.
func (s *logStore) writePending() {
	for {
		s.mu.Lock()
		logs := s.behind.logs
		s.behind.logs = nil
		if len(logs) == 0 || s.behind.err != nil {
			s.behind.running = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		err := s.write(logs)
		s.mu.Lock()
		if s.behind.err = err; err == nil {
			s.behind.durable = logs[len(logs)-1].Index
		}
		for _, l := range logs {
			s.behind.bytes -= entrySize(l)
		}
		s.wake()
		s.mu.Unlock()
	}
}

// awaitDurable waits until the entry at index is on this node's disk. One that is taken out of the log never will be.
func (s *logStore) awaitDurable(ctx context.Context, index uint64) error {
	gone := false
	err := s.await(ctx, func() bool {
		gone = index > s.extent.last()
		return gone || s.behind.durable >= index
	})
	if err == nil && gone {
		return errEntryGone
	}
	return err
}

// settled waits until everything is on the disk.
func (s *logStore) settled() error {
	return s.await(context.Background(), func() bool { return s.behind.bytes == 0 })
}

// isSettled reports whether everything is on the disk.
func (s *logStore) isSettled() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.behind.bytes == 0
}

// await waits until a condition holds, which is asked under the lock.
func (s *logStore) await(ctx context.Context, holds func() bool) error {
	for {
		s.mu.RLock()
		ok, err, changed := holds(), s.behind.err, s.behind.changed
		s.mu.RUnlock()
		switch {
		case err != nil:
			return err
		case ok:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wake has those that wait look again. The lock is held.
func (s *logStore) wake() {
	close(s.behind.changed)
	s.behind.changed = make(chan struct{})
}

// leadsOthers reports whether nothing is committed without another voter. It does not wait for Raft.
func (n *Node) leadsOthers() bool {
	return n.raft.State() == raft.Leader && voters(n.configuration()) > 1
}
