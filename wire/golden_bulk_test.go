package wire

import (
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// bulkGoldens are the frames of requests that change tasks at rest.
func bulkGoldens() map[string][]golden {
	ids := IDsToPB([]task.ID{goldenID, goldenID2})
	high := task.Priority(99)
	order := task.OperationOrder{ID: goldenID2, Action: task.ActionRetry, Rate: 500, Selection: task.Selection{
		Queue: "mail", Type: "email", Statuses: []task.Status{task.Failed, task.DeadLetter}, MinPriority: 10, MaxPriority: &high,
		UpdatedBefore: goldenAt, ErrorContains: "timeout",
	}}
	purge := task.OperationOrder{ID: goldenID, Action: task.ActionDelete, Selection: task.Selection{Idle: 36 * time.Hour}}
	try := OrderToPB(&purge)
	try.DryRun, try.Cursor = true, goldenID[:]
	running := task.Operation{OperationOrder: order, State: task.OperationRunning, Examined: 400, Changed: 199, Failed: 1,
		Error: "no", StartedAt: goldenAt}
	ended := running
	ended.State, ended.EndedAt = task.OperationCancelled, goldenAt.Add(time.Second)
	return map[string][]golden{
		"RetryTask": {
			{"two tasks", true, RetryTask, 26, &wirepb.RetryRequest{Ids: ids}},
			{"one runs again, the other was completed", false, Ack, 26, &wirepb.RetryReply{Receipts: ReceiptsToPB(
				[]task.Receipt{{ID: goldenID}, {ID: goldenID2, Err: fmt.Errorf("%w: %s", task.ErrTransition, goldenID2)}})}},
		},
		"DeleteTask": {
			{"two tasks", true, DeleteTask, 27, &wirepb.DeleteRequest{Ids: ids}},
			{"one is deleted, the other was before", false, Ack, 27, &wirepb.DeleteReply{Receipts: ReceiptsToPB(
				[]task.Receipt{{ID: goldenID}, {ID: goldenID2, Duplicate: true}})}},
		},
		"StartOperation": {
			{"retry what failed of a timeout, every field, at most 500 tasks a second", true, StartOperation, 28, OrderToPB(&order)},
			{"it runs", false, Ack, 28, &wirepb.StartOperationReply{Operation: OperationToPB(&running)}},
			{"how many would be deleted of all, from a cursor on", true, StartOperation, 29, try},
			{"so many, and more may come", false, Ack, 29, &wirepb.StartOperationReply{Next: goldenID2[:], Operation: OperationToPB(
				&task.Operation{OperationOrder: purge, Examined: 10000, Changed: 9000})}},
		},
		"Operations": {
			{"all", true, Operations, 30, &wirepb.OperationsRequest{}},
			{"two", false, Ack, 30, OperationsToPB([]task.Operation{running, ended})},
			{"cancel one", true, Operations, 31, &wirepb.OperationsRequest{Id: goldenID2[:], Cancel: true}},
		},
	}
}
