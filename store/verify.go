package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/linxGnu/grocksdb"

	"github.com/haiku-queue/haiku/task"
)

const (
	maxProblems  = 20   // described by one verification; all are counted
	progressKeys = 4096 // between two looks at the context and calls of Progress
)

// VerifyOptions says how Verify goes about it.
type VerifyOptions struct {
	DryRun   bool                     // change nothing
	Progress func(done, total uint64) // told of the keys read; total is an estimate; nil for nobody
}

// Verify compares every index entry with the records and the other way round, recounts the counters, and repairs what
// is derived: the keys that keys.go makes of a record, and counters. It never writes a record. What it cannot derive is
// damage, which it reports and leaves alone.
//
// It reads the state of one moment and holds a bounded part of it in memory. A dry run may go on beside commits; else
// nobody else may use the store meanwhile. Repairs are written in batches: a crash in between leaves a database that
// Verify repairs again.
func (s *Store) Verify(ctx context.Context, o VerifyOptions) (task.Verification, error) {
	if o.DryRun {
		snap := s.Snapshot()
		defer snap.Release()
		return snap.Verify(ctx, o.Progress)
	}
	d, err := s.acquire()
	if err != nil {
		return task.Verification{}, err
	}
	defer d.users.Done()
	if s.cfg.ReadOnly {
		return task.Verification{}, fmt.Errorf("%w: the store is open to be read only", task.ErrInternal)
	}
	if !d.batchOpen.CompareAndSwap(false, true) {
		return task.Verification{}, fmt.Errorf("%w: a batch is open", task.ErrInternal)
	}
	defer d.batchOpen.Store(false)
	d.writing.Lock()
	defer d.writing.Unlock()
	at := d.freeze()
	defer at.release()
	v := newVerifier(ctx, at, o.Progress)
	v.memory, v.seq = d.pairsCopy(), d.seq
	v.repair = newRepair(d)
	err = v.run()
	if v.repair.wrote {
		err = errors.Join(err, d.sync(), d.reload())
	}
	return v.found, err
}

// Verify is Store.Verify as a dry run at the moment of the snapshot.
func (p *Snapshot) Verify(ctx context.Context, progress func(done, total uint64)) (found task.Verification, err error) {
	err = p.use(func(d *database, at *grocksdb.Snapshot) error {
		f := d.frozenAt(at)
		defer d.objects.free(objReadOptions, f.opts)
		v := newVerifier(ctx, f, progress)
		v.memory, v.seq = p.counts, p.seq
		err := v.run()
		found = v.found
		return err
	})
	return found, err
}

// Check is a dry run of Verify with its first problems as an error.
func (s *Store) Check() error {
	found, err := s.Verify(context.Background(), VerifyOptions{DryRun: true})
	if err != nil || found.Healthy() {
		return err
	}
	return fmt.Errorf("%w: %s", errCorrupt, strings.Join(found.Problems, "\n"))
}

// verifier is one verification under way.
type verifier struct {
	ctx      context.Context
	d        *database
	at       *frozen
	seq      uint64          // the replicated counter
	memory   map[Pair]counts // counters as memory has them
	repair   *repair         // nil for a dry run
	progress func(done, total uint64)

	done, total uint64
	rows        map[Pair]counts    // counters as they are written; those that cannot be read are unreadable
	counted     map[Pair]*counts   // recounted
	types       map[string]bool    // of all tasks there are or were counted
	undecided   uint64             // tasks whose record is not known for sure
	called      [familyCount]tally // entries that records and tombstones call for
	there       [familyCount]tally // entries that are there
	again       bool               // the records were judged before
	reclaimed   map[uniqueKey]bool // of index_unique: a record calls for it, but the value named another task
	keys        keyList
	buf         []byte
	found       task.Verification
}

func newVerifier(ctx context.Context, at *frozen, progress func(done, total uint64)) *verifier {
	v := &verifier{
		ctx: ctx, d: at.d, at: at, progress: progress, rows: make(map[Pair]counts), counted: make(map[Pair]*counts),
		reclaimed: make(map[uniqueKey]bool),
	}
	for f := range famMeta {
		n, _ := at.d.db.GetIntPropertyCF("rocksdb.estimate-num-keys", at.d.handles[f])
		v.total += n
	}
	return v
}

// run reads every key once and adds up what is called for and what is there. Only where these differ is each entry
// looked up: to read a healthy store from end to end costs far less than to look up its entries one by one.
func (v *verifier) run() error {
	v.found.DryRun = v.repair == nil
	err := v.readRows()
	if err == nil {
		err = v.records(v.tallyRecord)
	}
	for f := famBlobs; f < famMeta && err == nil; f++ {
		err = v.tallyIndex(f)
	}
	if err == nil && v.called != v.there {
		err = v.compare()
	}
	if err == nil {
		err = v.counters()
	}
	if err == nil && v.repair != nil {
		err = v.repair.flush()
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if v.progress != nil {
		v.progress(max(v.done, v.total), max(v.done, v.total))
	}
	return nil
}

// compare looks up each entry of the families whose entries are not those that are called for, in both directions.
func (v *verifier) compare() error {
	v.again = true
	v.listTypes()
	v.total = v.done + v.found.Records
	for f := range familyCount {
		if v.wrong(f) {
			v.total += v.there[f].count
		}
	}
	if err := v.records(v.compareRecord); err != nil {
		return err
	}
	if v.wrong(famSchedule) {
		if err := v.tombstones(v.compareTombstone); err != nil {
			return err
		}
	}
	for f := famBlobs; f < famMeta; f++ {
		if !v.wrong(f) {
			continue
		}
		if err := v.each(f, func(key, value []byte) error { return v.trace(f, key, value) }); err != nil {
			return err
		}
	}
	return nil
}

// wrong reports whether a family has to be looked at. An entry of index_task_id that is wrong may call for a wrong one in
// the time index.
func (v *verifier) wrong(f family) bool {
	return v.called[f] != v.there[f] || f == famSchedule && v.wrong(famID)
}

// step counts one key that was read. An error ends the verification.
func (v *verifier) step() error {
	v.done++
	if v.done%progressKeys != 0 {
		return nil
	}
	if v.progress != nil {
		v.progress(v.done, max(v.done, v.total))
	}
	if v.d.closing.Load() {
		return errClosed
	}
	return v.ctx.Err()
}

// note counts a problem and describes it, if it is one of the first.
func (v *verifier) note(count *uint64, format string, args ...any) {
	*count++
	if len(v.found.Problems) < maxProblems {
		v.found.Problems = append(v.found.Problems, fmt.Sprintf(format, args...))
	}
}

func (v *verifier) damage(format string, args ...any) { v.note(&v.found.Damaged, format, args...) }

// each goes over all keys of a family.
func (v *verifier) each(f family, fn func(key, value []byte) error) error {
	return v.d.each(f, nil, v.at.at, func(key, value []byte) error {
		if err := v.step(); err != nil {
			return err
		}
		return fn(key, value)
	})
}

// callsFor reports whether t has the key among its derived ones.
func (v *verifier) callsFor(t *task.Task, f family, key []byte) bool {
	v.keys.of(t)
	return slices.ContainsFunc(v.keys.entries, func(e entry) bool {
		return e.family == f && string(e.key) == string(key)
	})
}
