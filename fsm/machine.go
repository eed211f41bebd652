package fsm

import (
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// machine applies commands to one store batch.
type machine struct {
	batch      *store.Batch
	retentions retentions // as the batch has them
	gate       *gate
	now        time.Time // leader time of the entry at hand
	ended      []work    // tasks that ended or were retried in the command at hand, whose dependants are still to be told
	recounted  int       // dependencies looked up for tasks that wait for them, in the command at hand
	done       []task.ID // tasks that ended in any command so far; some of refused commands may be among them
	changes    []task.Change

	displaced int // tasks that the command at hand took their unique keys from

	tokens   bool     // some were made or revoked
	dispatch dispatch // what the state says, once asked for
}

// applyLog applies one entry, commands or configuration. An error is the store's: the batch is lost.
func (m *machine) applyLog(l *raft.Log) (results []Result, mark bool, err error) {
	if l.Type != raft.LogCommand {
		return nil, false, nil
	}
	entry, err := DecodeEntry(l.Data)
	if err != nil {
		panic(fmt.Sprintf("log entry %d of term %d: %v", l.Index, l.Term, err))
	}
	results = make([]Result, len(entry.Commands))
	if entry.Term != l.Term {
		for i := range results {
			results[i].Err = task.ErrNotLeader
		}
		return results, false, nil
	}
	m.advance(entry.Time)
	for i, c := range entry.Commands {
		savepoint, changes := m.batch.Savepoint(), len(m.changes)
		m.ended, m.recounted, m.displaced = m.ended[:0], 0, 0
		if results[i], err = m.apply(c); err != nil {
			return nil, false, err
		}
		if results[i].Err != nil {
			m.batch.Rollback(savepoint)
			m.changes = m.changes[:changes]
		}
		if c.Kind() == KindMark {
			mark = true
			results[i].Index = l.Index
		}
	}
	return results, mark, nil
}

// advance sets the machine's time to the entry's, never backwards.
func (m *machine) advance(t time.Time) {
	us := max(t.UnixMicro(), m.batch.Time())
	m.batch.SetTime(us)
	m.now = time.UnixMicro(us).UTC()
}

// apply is the one switch over commands. A refusal is in the Result; an error is the store's.
func (m *machine) apply(c Command) (Result, error) {
	switch c := c.(type) {
	case *Submit:
		return m.submit(c)
	case *Claim:
		return m.claim(c)
	case *Finish:
		return m.finish(c)
	case *Cancel:
		return m.cancel(c)
	case *Release:
		return m.release(c)
	case *Promote:
		return m.promote(c)
	case *Step:
		return m.step()
	case *SetMember:
		return m.setMember(c)
	case *RemoveMember:
		return m.removeMember(c)
	case *Found:
		return m.found(c)
	case *Requeue:
		return m.requeue(c)
	case *Expire:
		return m.expire(c)
	case *Mark:
		return Result{}, nil
	case *SetDispatch:
		return m.setDispatch(c)
	case *SetRetention:
		return m.setRetention(c)
	case *Reap:
		return m.reap(c)
	case *SetQueue:
		return m.setQueue(c)
	case *SetSchedule:
		return m.setSchedule(c)
	case *RemoveSchedule:
		return m.removeSchedule(c)
	case *Fire:
		return m.fire(c)
	case *Retry:
		return m.retryAll(c)
	case *Delete:
		return m.deleteAll(c)
	case *StartOperation:
		return m.startOperation(c)
	case *StepOperation:
		return m.stepOperation(c)
	case *EndOperation:
		return m.endOperation(c)
	case *CreateToken:
		return m.createToken(c)
	case *RevokeToken:
		return m.revokeToken(c)
	}
	panic(fmt.Sprintf("command %T has no effect defined", c))
}
