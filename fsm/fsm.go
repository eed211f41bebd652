package fsm

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// Options are the FSM's ways to tell its node what happened. All are called from Raft's apply goroutine and must not
// block; none may change what is applied.
type Options struct {
	OnCommit  func(Committed)                       // after each write; never nil
	OnMark    func(index uint64, s *store.Snapshot) // a mark was applied; the snapshot is the callee's to release; never nil
	OnFatal   func(error)                           // the store failed; the process has to end; never nil
	OnTokens  func()                                // tokens were made or revoked, or came with a snapshot; nil for nobody
	OnRestore func()                                // the whole state was replaced; nil if nobody wants to know
	// HoldSnapshot reports whether Raft's log must not be truncated now; nil for never.
	HoldSnapshot func() bool
	// Write brackets the store's commit, so that a hanging disk is noticed; nil for no bracket.
	Write func(commit func() error) error
	// Apply brackets the applying of entries, so that its time can be taken; nil for no bracket.
	Apply func(apply func())
}

// Committed is what one write changed that somebody may wait for.
type Committed struct {
	Claimable []store.Claimable // tasks that became claimable, net of what the same write claimed
	Ended     []task.ID         // tasks that may have ended
	Freed     []store.Pair      // queues (with an empty type) and pairs with a limit of concurrency of which fewer tasks run
	Changes   []task.Change     // of status, in the order in which they were applied; not to be kept, the memory is used again
}

// FSM applies Raft's log to a store. It fits raft.BatchingFSM.
type FSM struct {
	store *store.Store
	opts  Options

	entries, commands atomic.Uint64 // applied so far

	gate atomic.Pointer[gate] // nil until it is loaded

	mu       sync.Mutex
	failed   error // set once the store has failed; nothing is applied after it
	deferred deferral

	retentions retentions // as committed; nil when they are to be read
	changes    []task.Change
}

// keepChanges is how many changes one write leaves memory for to the next.
const keepChanges = 8192

// New returns an FSM that goes on from what st holds.
func New(st *store.Store, opts Options) *FSM { return &FSM{store: st, opts: opts} }

// Applied tells how many entries, those of commands alone, and how many commands were applied since New.
func (f *FSM) Applied() (entries, commands uint64) { return f.entries.Load(), f.commands.Load() }

// Apply applies one entry; see ApplyBatch.
func (f *FSM) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies committed entries in order and in as few atomic writes as can be: one, or one more for each mark.
// The answer has one element an entry: []Result in the order of its commands; nil for an entry that was applied before
// or is a configuration, or while the FSM defers; or an error once the store has failed. It panics on an entry that it
// cannot understand.
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.put(logs) {
		return make([]any, len(logs))
	}
	f.settle()
	return f.apply(logs)
}

// apply is ApplyBatch with mu held, now.
func (f *FSM) apply(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	if f.opts.Apply == nil {
		f.applyAll(logs, out)
	} else {
		f.opts.Apply(func() { f.applyAll(logs, out) })
	}
	return out
}

func (f *FSM) applyAll(logs []*raft.Log, out []any) {
	for done := 0; done < len(logs); {
		if f.failed != nil {
			fillError(out[done:], f.failed)
			break
		}
		n, err := f.applyRun(logs[done:], out[done:])
		if err != nil {
			f.failed = fmt.Errorf("apply: %w", err)
			f.opts.OnFatal(f.failed)
			continue
		}
		done += n
	}
}

// applyRun applies entries up to and including the first with a mark, as one write, and returns how many those were.
func (f *FSM) applyRun(logs []*raft.Log, out []any) (n int, err error) {
	if err := f.load(); err != nil {
		return 0, err
	}
	applied := f.store.Applied()
	batch := f.store.Begin()
	defer batch.Discard()
	m := &machine{batch: batch, retentions: f.retentions, gate: f.gate.Load(), changes: f.changes}
	chain := batch.LogHash()
	marked, changed := false, false
	var entries, commands uint64
	for n < len(logs) && !marked {
		l := logs[n]
		if l.Index > applied.Index {
			results, mark, err := m.applyLog(l)
			if err != nil {
				return 0, err
			}
			if l.Type == raft.LogConfiguration {
				applied.Configuration, applied.ConfigurationIndex = l.Data, l.Index
			} else {
				out[n] = results
				entries++
				commands += uint64(len(results))
			}
			applied.Index, applied.Term = l.Index, l.Term
			chain = chainHash(chain, l, results)
			marked, changed = mark, true
		}
		n++
	}
	if !changed {
		return n, nil
	}
	freed := m.freed()
	claimable, err := f.commit(batch, applied, chain)
	if err != nil {
		return 0, err
	}
	f.entries.Add(entries)
	f.commands.Add(commands)
	f.retentions = m.retentions
	if m.tokens {
		f.tellTokens()
	}
	if marked {
		f.opts.OnMark(applied.Index, f.store.Snapshot())
	}
	f.opts.OnCommit(Committed{Claimable: claimable, Ended: m.done, Freed: freed, Changes: m.changes})
	f.changes = nil
	if cap(m.changes) <= keepChanges {
		f.changes = m.changes[:0]
	}
	return n, nil
}

func (f *FSM) commit(batch *store.Batch, applied store.Applied, chain [32]byte) (claimable []store.Claimable, err error) {
	write := func() error {
		claimable, err = batch.Commit(applied, chain)
		return err
	}
	if f.opts.Write == nil {
		return claimable, write()
	}
	return claimable, f.opts.Write(write)
}

// load reads what memory holds of meta, unless that was done; mu is held.
func (f *FSM) load() (err error) {
	if f.retentions == nil {
		if f.retentions, err = loadRetentions(f.store); err != nil {
			return err
		}
	}
	if f.gate.Load() != nil {
		return nil
	}
	g, err := loadGate(f.store)
	if err != nil {
		return err
	}
	f.gate.Store(g)
	return nil
}

// Snapshot gives Raft a handle whose Persist copies nothing, for the database itself is the snapshot. It only has the
// sink, which has to be one that knows Witness, make the database durable.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	if f.opts.HoldSnapshot != nil && f.opts.HoldSnapshot() {
		return nil, raft.ErrNothingNewToSnapshot
	}
	f.Settle() // the log is cut up to here
	return persisted{}, nil
}

type persisted struct{}

func (persisted) Persist(sink raft.SnapshotSink) error {
	w, ok := sink.(interface{ Witness() error })
	if !ok {
		return fmt.Errorf("persist snapshot: a sink of type %T cannot", sink)
	}
	return w.Witness()
}

func (persisted) Release() {}

// Restore replaces the whole store by a streamed checkpoint. After an error the old store is still in place, but the
// node must end: Raft would go on as if it had worked.
func (f *FSM) Restore(r io.ReadCloser) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settle()
	f.retentions = nil
	f.gate.Store(nil)
	if err := f.store.Restore(r); err != nil {
		err = fmt.Errorf("restore snapshot: %w", err)
		f.failed = err
		f.opts.OnFatal(err)
		return err
	}
	f.tellTokens()
	if f.opts.OnRestore != nil {
		f.opts.OnRestore()
	}
	return nil
}

func (f *FSM) tellTokens() {
	if f.opts.OnTokens != nil {
		f.opts.OnTokens()
	}
}

func fillError(out []any, err error) {
	for i := range out {
		out[i] = err
	}
}
