package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// BenchmarkLifeCycle submits, claims and completes tasks, perBatch of each in one commit. One operation is one task's
// whole life; waiting is how many tasks stand in the queue before.
func BenchmarkLifeCycle(b *testing.B) {
	for _, c := range []struct{ perBatch, waiting int }{{1, 0}, {16, 0}, {256, 0}, {256, 100_000}} {
		b.Run(fmt.Sprintf("batch=%d/waiting=%d", c.perBatch, c.waiting), func(b *testing.B) {
			s := mustOpen(b, func() Config {
				cfg := Default()
				cfg.Dir, cfg.Create = b.TempDir(), true
				return cfg
			}())
			l := &lifeCycle{s: s, session: task.NewSessionID(), keep: 24 * time.Hour}
			for n := 0; n < c.waiting; n += 1000 {
				l.commit(b, func(batch *Batch) { l.submit(batch, 1000) })
			}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += c.perBatch {
				k := min(c.perBatch, b.N-n)
				l.commit(b, func(batch *Batch) { l.submit(batch, k) })
				l.commit(b, func(batch *Batch) { l.claim(b, batch, k) })
				l.commit(b, func(batch *Batch) { l.complete(b, batch) })
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
		})
	}
}

// BenchmarkReap deletes ended tasks, perBatch of them in one commit, and leaves a tombstone of each.
func BenchmarkReap(b *testing.B) {
	for _, perBatch := range []int{100, 250, 1000} {
		b.Run(fmt.Sprintf("batch=%d", perBatch), func(b *testing.B) {
			cfg := Default()
			cfg.Dir, cfg.Create = b.TempDir(), true
			l := &lifeCycle{s: mustOpen(b, cfg), session: task.NewSessionID()}
			for n := 0; n < b.N; n += 250 {
				k := min(250, b.N-n)
				l.commit(b, func(batch *Batch) { l.submit(batch, k) })
				l.commit(b, func(batch *Batch) { l.claim(b, batch, k) })
				l.commit(b, func(batch *Batch) { l.complete(b, batch) })
			}
			b.ReportAllocs()
			b.ResetTimer()
			for left := b.N; left > 0; left -= perBatch {
				l.commit(b, func(batch *Batch) { l.reap(b, batch, min(left, perBatch)) })
			}
		})
	}
}

type lifeCycle struct {
	s       *Store
	session task.SessionID
	held    []task.ID
	index   uint64
	now     time.Time
	keep    time.Duration
}

func (l *lifeCycle) commit(b *testing.B, do func(*Batch)) {
	batch := l.s.Begin()
	l.now = base.Add(time.Duration(l.index) * time.Millisecond)
	batch.SetTime(l.now.UnixMicro())
	do(batch)
	l.index++
	if _, err := batch.Commit(Applied{Index: l.index, Term: 1}, [32]byte{byte(l.index)}); err != nil {
		b.Fatal(err)
	}
}

func (l *lifeCycle) submit(batch *Batch, n int) {
	for range n {
		batch.Savepoint()
		spec := task.Spec{ID: task.NewID(), Type: "email.send", Payload: []byte(`{"to":"someone@example.org","template":"welcome"}`)}
		if _, _, known, _ := batch.Ended(spec.ID); !known {
			batch.Put(task.New(&spec, l.now, batch.NextSeq(), [16]byte(spec.ID)))
		}
	}
}

func (l *lifeCycle) claim(b *testing.B, batch *Batch, n int) {
	pairs := batch.ReadyPairs(task.DefaultQueue)
	for range n {
		batch.Savepoint()
		id, _, ok, err := batch.FirstReady(pairs)
		if err != nil || !ok {
			b.Fatal(ok, err)
		}
		x, err := batch.Task(id)
		if err != nil {
			b.Fatal(err)
		}
		x = x.Clone()
		x.Status, x.LeaseID, x.WorkerID, x.Session = task.InProgress, batch.NextSeq(), "worker-1", l.session
		x.LeaseDuration, x.LeaseExpiresAt = task.DefaultLease, l.now.Add(task.DefaultLease)
		x.StartedAt, x.UpdatedAt, x.Attempt = l.now, l.now, 1
		batch.Put(x)
		l.held = append(l.held, id)
	}
}

func (l *lifeCycle) complete(b *testing.B, batch *Batch) {
	for _, id := range l.held {
		batch.Savepoint()
		x, err := batch.Task(id)
		if err != nil {
			b.Fatal(err)
		}
		x = x.Clone()
		x.Status, x.UpdatedAt, x.Result, x.ResultSize = task.Completed, l.now, []byte("ok"), 2
		x.DeleteAt = l.now.Add(l.keep)
		x.EndAttempt(task.Success, "", l.now)
		x.LastLease = task.LastLease{LeaseID: x.LeaseID, Kind: task.Success, Digest: [16]byte{1}}
		if _, err := batch.Dependents(id, task.ID{}, 10); err != nil {
			b.Fatal(err)
		}
		batch.Put(x)
	}
	l.held = l.held[:0]
}

func (l *lifeCycle) reap(b *testing.B, batch *Batch, n int) {
	ids, err := batch.Due(RetentionKind, maxTime, n)
	if err != nil || len(ids) != n {
		b.Fatal(len(ids), err)
	}
	for _, id := range ids {
		batch.Delete(id, true)
	}
}
