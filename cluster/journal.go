package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haiku-queue/haiku/task"
)

const (
	journalEntries = 20_000          // changes that are remembered
	journalLinger  = 2 * time.Minute // for which it goes on when nobody listens any more
)

// changeLog remembers the last changes of tasks, as this node applied them, while somebody listens. It is of this process
// alone, and nothing depends on it.
//
// A position is text: EPOCH-INDEX-NUMBER-BEFORE. The index is how far the log was applied by the write that made the
// change, the number its place among that write's changes, from 1 on, and before how far the log was applied by the
// write before. Writes of two nodes are cut differently: at a node with another epoch a listener goes on with the first
// write that reaches beyond before, and so may hear changes twice but misses none.
type changeLog struct {
	on atomic.Bool // somebody listens, or did until lately

	mu        sync.Mutex
	epoch     string
	begin     uint64 // the changes of every write after this index are in list
	beginning int    // how many changes the write of that index had, if they were in list and are no more
	last      uint64 // how far the log is applied
	list      []loggedChange
	listeners int
	left      time.Time     // when the last listener did
	more      chan struct{} // closed with the next change
}

type loggedChange struct {
	task.Change
	index, before uint64
	number        int
}

func newChangeLog() *changeLog { return &changeLog{more: make(chan struct{})} }

// Listen has changes remembered until stop is called, and for a while longer.
func (n *Node) Listen() (stop func()) {
	j := n.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	j.listeners++
	if !j.on.Load() {
		j.on.Store(true) // first: every write that is applied from here on is noted
		j.restart(n.AppliedIndex())
	}
	return sync.OnceFunc(func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.listeners--; j.listeners == 0 {
			j.left = time.Now()
		}
	})
}

// Changes returns up to limit changes after a position and the position after them. An empty position is now. known is
// false if the journal does not reach back to it. more is closed when there are further ones.
func (n *Node) Changes(after string, limit int) (list []task.JournalEntry, next string, known bool, more <-chan struct{}) {
	j := n.journal
	j.mu.Lock()
	defer j.mu.Unlock()
	if after == "" {
		return nil, j.now(), true, j.more
	}
	first, known := j.find(after)
	if !known {
		return nil, "", false, j.more
	}
	next = after
	for i := first; i < len(j.list) && len(list) < limit; i++ {
		e := &j.list[i]
		next = j.position(e.index, e.number, e.before)
		list = append(list, task.JournalEntry{Change: e.Change, Position: next})
	}
	return list, next, true, j.more
}

func (j *changeLog) position(index uint64, number int, before uint64) string {
	return fmt.Sprintf("%s-%d-%d-%d", j.epoch, index, number, before)
}

// now is the position after everything; mu is held.
func (j *changeLog) now() string {
	if len(j.list) == 0 {
		return j.position(j.last, 0, j.last)
	}
	e := &j.list[len(j.list)-1]
	return j.position(e.index, e.number, e.before)
}

// find returns the place of the first change after a position; mu is held.
func (j *changeLog) find(position string) (first int, known bool) {
	if len(position) < 10 || position[8] != '-' {
		return 0, false
	}
	var index, before uint64
	var number int
	if n, err := fmt.Sscanf(position[9:], "%d-%d-%d", &index, &number, &before); err != nil || n != 3 || !j.on.Load() {
		return 0, false
	}
	switch {
	case position[:8] != j.epoch && before < j.begin:
		return 0, false
	case position[:8] != j.epoch:
		index, number = before, math.MaxInt
	case index > j.last || index < j.begin || index == j.begin && number < j.beginning:
		return 0, false
	}
	for first = range j.list {
		if e := &j.list[first]; e.index > index || e.index == index && e.number > number {
			return first, true
		}
	}
	return len(j.list), true
}

// note takes in what one write changed. It is called from Raft's apply goroutine.
func (j *changeLog) note(index uint64, changes []task.Change) {
	if !j.on.Load() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.listeners == 0 && time.Since(j.left) > journalLinger {
		j.on.Store(false)
		j.restart(index)
		return
	}
	if index <= j.last { // applied before the journal began
		return
	}
	before := j.last
	j.last = index
	if len(changes) == 0 {
		return
	}
	for i := range changes {
		j.list = append(j.list, loggedChange{Change: changes[i], index: index, before: before, number: i + 1})
	}
	if len(j.list) >= 2*journalEntries {
		j.trim(len(j.list) - journalEntries)
	}
	close(j.more)
	j.more = make(chan struct{})
}

// trim forgets so many changes, and the rest of the write that the last of them is of; mu is held.
func (j *changeLog) trim(count int) {
	for count < len(j.list) && j.list[count].index == j.list[count-1].index {
		count++
	}
	forgotten := &j.list[count-1]
	j.begin, j.beginning = forgotten.index, forgotten.number
	j.list = append(make([]loggedChange, 0, 2*journalEntries), j.list[count:]...)
}

// reset forgets everything: the state was replaced, and what changed is not known.
func (j *changeLog) reset(index uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.restart(index)
	close(j.more)
	j.more = make(chan struct{})
}

// restart begins anew after an index; mu is held.
func (j *changeLog) restart(index uint64) {
	var epoch [4]byte
	_, _ = rand.Read(epoch[:]) // it never fails
	j.epoch, j.begin, j.beginning, j.last, j.list = hex.EncodeToString(epoch[:]), index, 0, index, nil
}
