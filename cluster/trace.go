package cluster

import (
	"time"

	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/task"
)

// passage is when a command that is traced was queued and went into an entry. The proposer writes it before it hands the
// entry to Raft, and who waits for the answer reads it afterwards. A nil one is of a command that is not traced.
type passage struct{ queued, sent time.Time }

// passageOf begins the passage of a command that is queued now, for a request that is recorded.
func passageOf(q *trace.Request) *passage {
	if q == nil {
		return nil
	}
	return &passage{queued: time.Now()}
}

// leave notes that commands go into an entry.
func leave(batch []proposal) {
	var now time.Time
	for i := range batch {
		if p := batch[i].passage; p != nil {
			if now.IsZero() {
				now = time.Now()
			}
			p.sent = now
		}
	}
}

// tell records the passage of a command that was answered.
func (p *passage) tell(q *trace.Request, err error) {
	if p == nil {
		return
	}
	now := time.Now()
	if p.sent.IsZero() { // refused before it went into an entry
		q.Step("propose", p.queued, now, err)
		return
	}
	q.Step("propose", p.queued, p.sent, nil)
	q.Step("commit+apply", p.sent, now, err)
}

// traceClaims records that tasks were claimed. begin is when the leader tried for them.
func (n *Node) traceClaims(tasks []*task.Task, begin time.Time) {
	if n.cfg.Trace == nil {
		return
	}
	for _, t := range tasks {
		n.cfg.Trace.Task(t).Step("claim", begin, nil)
	}
}

// traced returns the tasks of outcomes whose traces are recorded, each at its outcome's place; nil if there is none.
func (n *Node) traced(l *leadership, outcomes []task.Outcome) (list []*trace.Task) {
	if n.cfg.Trace == nil {
		return nil
	}
	for i := range outcomes {
		if t := l.leases.traced(outcomes[i].ID, outcomes[i].LeaseID); t != nil {
			if list == nil {
				list = make([]*trace.Task, len(outcomes))
			}
			list[i] = t
		}
	}
	return list
}

// traceFinish records what came of reports.
func traceFinish(list []*trace.Task, receipts []task.Receipt, begin time.Time) {
	for i, t := range list {
		t.Step("finish", begin, receipts[i].Err)
	}
}
