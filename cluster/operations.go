package cluster

import (
	"context"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/task"
)

const (
	operationStep  = 200         // tasks that one step means to change: claims wait behind it for a few milliseconds
	operationRetry = time.Second // after a step was refused
)

// operate carries out the operations that run, a step of each in turn, whenever it is poked and until all have ended. It
// is the leader's duty. One step is under way at a time, and after each it rests for as long as that took, so that clients
// have at least half of the log and of the database.
func (l *leadership) operate(ctx context.Context) {
	due := make(map[task.ID]time.Time) // when the rate of an operation allows its next step
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.operations:
		case <-timer.C:
		}
		if rest, any := l.operateOnce(ctx, due); any {
			timer.Reset(rest)
		}
	}
}

// operateOnce makes a step of each operation that runs and whose time has come, and returns how long to rest. any is false
// if none runs.
func (l *leadership) operateOnce(ctx context.Context, due map[task.ID]time.Time) (rest time.Duration, any bool) {
	began := time.Now()
	all, err := fsm.Operations(l.store)
	if err != nil {
		l.log.Error("look for operations", "error", err)
		return operationRetry, true
	}
	rest = time.Hour
	for _, o := range all {
		if o.State != task.OperationRunning {
			delete(due, o.ID)
			continue
		}
		any = true
		if !time.Now().Before(due[o.ID]) {
			pause, err := l.stepOperation(ctx, o)
			if err != nil { // the leader is busy, its time is over, or the operation was cancelled meanwhile
				pause = operationRetry
			}
			due[o.ID] = time.Now().Add(pause)
		}
		rest = min(rest, time.Until(due[o.ID]))
	}
	return max(rest, time.Since(began)), any
}

// stepOperation makes the next step of an operation, and returns how long its rate has the one after it wait.
func (l *leadership) stepOperation(ctx context.Context, o *task.Operation) (time.Duration, error) {
	limit := operationStep
	if o.Rate > 0 {
		limit = min(limit, int(o.Rate))
	}
	found, err := l.store.Select(&o.Selection, o.Cursor, limit)
	if err != nil {
		l.log.Error("look for tasks of an operation", "operation", o.ID, "error", err)
		return 0, err
	}
	r, err := l.do(ctx, &fsm.StepOperation{
		ID: o.ID, Action: o.Action, From: o.Cursor, To: found.Last, IDs: found.IDs, Examined: found.Examined, Last: !found.More,
		DedupWindow: l.dedup,
	})
	if err == nil {
		err = r.Err
	}
	if err != nil || o.Rate == 0 {
		return 0, err
	}
	return time.Duration(len(found.IDs)) * time.Second / time.Duration(o.Rate), nil
}
