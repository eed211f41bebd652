package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// queue drives a store as the state machine does: one batch a log entry, a savepoint a command.
type queue struct {
	s       *store.Store
	session task.SessionID
	pool    []byte // of which payloads are parts, so that two are hardly ever the same
	payload int    // bytes
	urgent  uint64 // one task in so many is urgent; 0 for none
	dir     string
	held    []task.ID // claimed and not completed
	index   uint64
	now     time.Time // leader time
}

func openQueue(o *options, name string, payload int) (*queue, error) {
	q := &queue{dir: filepath.Join(o.dir, name), session: task.NewSessionID(), payload: payload, urgent: o.urgent}
	q.pool = make([]byte, payload+1<<20)
	for i, x := 0, uint32(1); i < len(q.pool); i++ {
		x = x*1664525 + 1013904223 // bytes that do not compress
		q.pool[i] = byte(x >> 24)
	}
	return q, q.open()
}

func (q *queue) open() (err error) {
	cfg := store.Default()
	cfg.Dir, cfg.Create = q.dir, true
	q.s, err = store.Open(cfg)
	return err
}

// reopen closes the store and opens it again, which writes what was in memory alone to files, and waits for the
// compactions that follow.
func (q *queue) reopen() error {
	if err := q.s.Close(); err != nil {
		return err
	}
	if err := q.open(); err != nil {
		return err
	}
	return q.settle()
}

// took is the time of one batch, and what of it the thread was running.
type took struct{ wall, cpu time.Duration }

// commit makes one batch and returns what it took.
func (q *queue) commit(do func(b *store.Batch) error) (t took, err error) {
	begun := time.Now()
	cpu, err := threadTime()
	if err != nil {
		return t, err
	}
	defer func() {
		after, failed := threadTime()
		t, err = took{time.Since(begun), after - cpu}, errors.Join(err, failed)
	}()
	b := q.s.Begin()
	q.now = begun.UTC().Truncate(time.Microsecond)
	b.SetTime(q.now.UnixMicro())
	if err := do(b); err != nil {
		b.Discard()
		return t, err
	}
	q.index++
	_, err = b.Commit(store.Applied{Index: q.index, Term: 1}, [32]byte{byte(q.index), byte(q.index >> 8)})
	return t, err
}

// submit submits n tasks in one batch.
func (q *queue) submit(n int) (took, error) {
	return q.commit(func(b *store.Batch) error {
		for range n {
			b.Savepoint()
			at := int(b.Seq()*211) % (len(q.pool) - q.payload)
			spec := task.Spec{ID: task.NewID(), Type: "email.send", Payload: q.pool[at : at+q.payload]}
			if _, _, known, err := b.Ended(spec.ID); known || err != nil {
				return fmt.Errorf("new id %s is known: %w", spec.ID, err)
			}
			seq := b.NextSeq()
			if q.urgent > 0 && seq%q.urgent == 0 {
				high := task.Priority(200)
				spec.Priority = &high
			}
			b.Put(task.New(&spec, q.now, seq, spec.ContentHash()))
		}
		return nil
	})
}

// claim claims n tasks in one batch.
func (q *queue) claim(n int) (took, error) {
	return q.commit(func(b *store.Batch) error {
		b.Savepoint()
		pairs := b.ReadyPairs(task.DefaultQueue)
		for range n {
			id, _, ok, err := b.FirstReady(pairs)
			if err != nil || !ok {
				return errors.Join(err, errors.New("nothing is ready"))
			}
			x, err := b.Task(id)
			if err != nil {
				return err
			}
			x = x.Clone()
			x.Status, x.LeaseID, x.WorkerID, x.Session = task.InProgress, b.NextSeq(), "worker-1", q.session
			x.LeaseDuration, x.LeaseExpiresAt = task.DefaultLease, q.now.Add(task.DefaultLease)
			x.StartedAt, x.UpdatedAt, x.Attempt = q.now, q.now, 1
			b.Put(x)
			q.held = append(q.held, id)
		}
		return nil
	})
}

// complete completes the n tasks that are held for longest in one batch.
func (q *queue) complete(n int) (took, error) {
	ids := q.held[:n]
	q.held = q.held[n:]
	return q.commit(func(b *store.Batch) error {
		for _, id := range ids {
			b.Savepoint()
			x, err := b.Task(id)
			if err != nil {
				return err
			}
			x = x.Clone()
			x.Status, x.UpdatedAt, x.Result, x.ResultSize = task.Completed, q.now, []byte("ok"), 2
			x.EndAttempt(task.Success, "", q.now)
			x.LastLease = task.LastLease{LeaseID: x.LeaseID, Kind: task.Success, Digest: [16]byte{1}}
			if _, err := b.Dependents(id, task.ID{}, 10); err != nil {
				return err
			}
			b.Put(x)
		}
		return nil
	})
}

// settle waits until RocksDB has nothing left to flush or compact.
func (q *queue) settle() error {
	for quiet := 0; quiet < 5; {
		u, err := q.s.Usage()
		if err != nil {
			return err
		}
		if quiet++; u.Compacting {
			quiet = 0
		}
		time.Sleep(100 * time.Millisecond) // RocksDB tells of no end of its work: it has to be asked, and not busily
	}
	return nil
}
