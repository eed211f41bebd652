package cluster

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
)

// errLostLog is for a log that does not go on where the database ends.
var errLostLog = errors.New("the node lost a part of its log or of its database; " + resetHint)

var (
	keyCurrentTerm = []byte("CurrentTerm") // Raft's own key in its StableStore
	keyOwner       = []byte("HaikuNode")   // ours beside it: the node whose votes these are
)

// checkOwner refuses a log with the votes of another node. A new log is marked with the node's id.
func checkOwner(votes raft.StableStore, path string, id member.ID, fresh bool) error {
	if fresh {
		return votes.Set(keyOwner, id[:])
	}
	owner, err := votes.Get(keyOwner)
	if err != nil && err.Error() != "not found" { // as Raft asks
		return err
	}
	if !bytes.Equal(owner, id[:]) {
		return damaged(path, "it is the log of node %x, this is node %s", owner, id)
	}
	return nil
}

// reconcile makes a log that was just opened fit the database before Raft starts, or refuses. It finishes an install
// that a crash interrupted: what the snapshot contradicts or jumps over is no longer part of the log, and Raft must not
// see it again. Else a node could hand entries that were never committed to a follower that trusts it.
func reconcile(log *logStore, applied store.Applied) error {
	first, last := log.extent.oldest(), log.extent.last()
	if last != 0 && applied.Index != 0 {
		var l raft.Log
		err := log.GetLog(applied.Index, &l)
		if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
			return err
		}
		if last < applied.Index || err == nil && l.Term != applied.Term {
			if err := log.DeleteRange(first, last); err != nil {
				return err
			}
		}
	}
	if err := checkContinuity(log, log, applied); err != nil {
		return err
	}
	log.keepFrom(applied.Index)
	return nil
}

// checkContinuity refuses a log that does not go on where the database ends, or that knows less than the database of
// what this node has voted for and acknowledged.
func checkContinuity(log raft.LogStore, votes raft.StableStore, applied store.Applied) error {
	first, err := log.FirstIndex()
	if err != nil {
		return err
	}
	if first > applied.Index+1 {
		return fmt.Errorf("%w: it begins at entry %d and the database ends at %d", errLostLog, first, applied.Index)
	}
	if applied.Index == 0 {
		return nil
	}
	term, err := votes.GetUint64(keyCurrentTerm)
	if err != nil && err.Error() != "not found" { // raft-boltdb has no better sign; raft-wal says 0
		return err
	}
	if term < applied.Term {
		return fmt.Errorf("%w: it is in term %d and the database in term %d", errLostLog, term, applied.Term)
	}
	return nil
}

// keepFrom sets the anchor: the database holds everything up to index.
func (s *logStore) keepFrom(index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anchor = index
}

// expectInstall is told that a snapshot is about to be installed, and decides what becomes of the log. If the log holds
// the snapshot's last entry it stays: what follows may be acknowledged already. Otherwise Raft will be told to delete
// all of it, for it is of another past. stale reports that Raft then goes on to believe in entries that are gone, which
// it keeps in memory, so that it has to be started again.
func (s *logStore) expectInstall(index, term uint64, applied store.Applied) (stale bool, err error) {
	same := index == applied.Index && term == applied.Term
	if !same {
		var l raft.Log
		err := s.GetLog(index, &l)
		if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
			return false, err
		}
		same = err == nil && l.Term == term
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if same {
		s.anchor, s.discard = index, false
		return false, nil
	}
	s.discard = s.extent.last() != 0
	return s.extent.last() >= index, nil
}

// IsMonotonic tells Raft, which asks at the end of an install, whether to delete the whole log. A log of this kind has
// no gaps; but one that agrees with the snapshot has to stay.
func (s *logStore) IsMonotonic() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.discard
}
