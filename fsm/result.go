package fsm

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/task"
)

// Result is what one command brought about. It depends on nothing but the log.
type Result struct {
	Err      error          // the command as a whole was refused and changed nothing
	Receipts []task.Receipt // Submit, Finish, Cancel, Retry, Delete: one an item; Fire: one if it submits; StepOperation: one a task that it meant to change
	Tasks    []*task.Task   // Claim: the tasks leased, payload only where it is small or new; to be read, not changed
	Moved    []Lease        // Requeue: the leases ended, in the order of tasks
	Count    int            // Promote, Step, Requeue, Reap, Expire: tasks touched; SetSchedule: 1 if it took effect; Claim: tasks that expired; others: dependants that were told
	More     bool           // work is left for a Step (or, from Promote, Requeue, Reap and Expire, for another of them)
	Index    uint64         // Mark: where it stands in the log
}

// Lease names one lease of a task.
type Lease struct {
	ID      task.ID
	LeaseID uint64
}

// refusals numbers the errors that a Result can carry, for the log hash. Only ever append.
var refusals = [...]error{
	task.ErrInvalid, task.ErrTooLarge, task.ErrNotFound, task.ErrConflict, task.ErrIDExpired, task.ErrUnknownDependency,
	task.ErrAborted, task.ErrStaleLease, task.ErrTransition, task.ErrNotLeader, task.ErrQueueFull, task.ErrUniqueConflict,
	task.ErrNotAllowed,
}

func refusalNumber(err error) byte {
	if err == nil {
		return 0
	}
	for i, r := range refusals {
		if errors.Is(err, r) {
			return byte(i + 1)
		}
	}
	return 255
}

// chainHash is the log hash after entry l: SHA-256 over
//
//	hash before 32 | index uint64 | term uint64 | length uint32 | entry bytes | results
//
// so two nodes with the same value saw the same log and answered it alike.
func chainHash(before [32]byte, l *raft.Log, results []Result) [32]byte {
	b := make([]byte, 0, 32+8+8+4+len(l.Data)+64*len(results))
	b = append(b, before[:]...)
	b = binary.BigEndian.AppendUint64(b, l.Index)
	b = binary.BigEndian.AppendUint64(b, l.Term)
	b = binary.BigEndian.AppendUint32(b, uint32(len(l.Data)))
	b = append(b, l.Data...)
	for i := range results {
		b = results[i].appendTo(b)
	}
	return sha256.Sum256(b)
}

func (r *Result) appendTo(b []byte) []byte {
	b = append(b, refusalNumber(r.Err))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Receipts)))
	for i := range r.Receipts {
		receipt := &r.Receipts[i]
		b = append(b, receipt.ID[:]...)
		b = append(b, refusalNumber(receipt.Err), boolByte(receipt.Duplicate)|boolByte(receipt.Existing)<<1)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Tasks)))
	for _, t := range r.Tasks {
		b = append(b, t.ID[:]...)
		b = binary.BigEndian.AppendUint64(b, t.LeaseID)
	}
	for _, l := range r.Moved {
		b = append(b, l.ID[:]...)
		b = binary.BigEndian.AppendUint64(b, l.LeaseID)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(r.Count))
	b = binary.BigEndian.AppendUint64(b, r.Index)
	return append(b, boolByte(r.More))
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}
