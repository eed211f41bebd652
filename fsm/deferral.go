package fsm

import "github.com/hashicorp/raft"

// deferredBytes is how much log may wait to be applied.
const deferredBytes = 4 << 20

// deferral holds committed entries that nobody on this node waits for, so that many are applied as one write: a task
// that is submitted, claimed and finished meanwhile is then written once, in its final form. Any cutting of a log into
// writes gives the same state, so it matters to nobody when; the log holds what a crash takes.
type deferral struct {
	on    bool
	logs  []*raft.Log
	bytes int
}

// Defer lets the FSM wait with applying, or ends that. A node that leads must not: what it proposes is answered from
// Results, and reads of its state have to see all that was acknowledged. After Defer(false) has returned everything that
// came before is applied, and whatever comes is at once.
func (f *FSM) Defer(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deferred.on = on
	if !on {
		f.settle()
		if err := f.load(); err != nil && f.failed == nil { // a leader asks before it applies anything
			f.failed = err
			f.opts.OnFatal(err)
		}
	}
}

// Settle applies what waits. Whoever reads the state of a node that does not lead calls it before, and its node calls it
// now and then.
func (f *FSM) Settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle()
}

// settle is Settle with mu held. A failure is reported and kept, as any.
func (f *FSM) settle() {
	d := &f.deferred
	if len(d.logs) == 0 {
		return
	}
	logs := d.logs
	d.logs, d.bytes = nil, 0
	f.apply(logs)
}

// put keeps entries for later if they may wait; mu is held. Configurations may not: the store has to know them.
func (f *FSM) put(logs []*raft.Log) bool {
	d := &f.deferred
	if !d.on || f.failed != nil {
		return false
	}
	size := 0
	for _, l := range logs {
		if l.Type != raft.LogCommand {
			return false
		}
		size += len(l.Data)
	}
	if d.bytes+size > deferredBytes {
		return false
	}
	d.logs, d.bytes = append(d.logs, logs...), d.bytes+size
	return true
}
