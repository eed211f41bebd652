package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// count bounds how often one field may stand in a message, before it is decoded: an empty list item takes 2 bytes on
// the wire and hundreds in memory, so a frame of 16 MiB could otherwise ask for gigabytes. A field of max 1 may not be
// repeated, which protobuf would merge, so that its inner bounds hold.
type count struct {
	field protowire.Number
	name  string
	max   int
	inner []count
}

// maxAddresses bounds the addresses in an AdoptRequest.
const maxAddresses = 64

// maxProblems bounds the problems that a Verification describes.
const maxProblems = 100

// maxCounts is more than the fields that any list of counts has.
const maxCounts = 4

var (
	specCounts = []count{{11, "dependencies", task.MaxDependencies, nil}, {13, "headers", task.MaxHeaderCount, nil}}
	taskCounts = []count{{26, "dependencies", task.MaxDependencies, nil}, {29, "headers", task.MaxHeaderCount, nil},
		{35, "history", task.MaxHistory, nil}}
	claimCounts = []count{{2, "queues", task.MaxPairs, nil}, {3, "types", task.MaxPairs, nil}}
	tasksCounts = []count{{1, "tasks", task.MaxItems, taskCounts}}

	submitCounts      = []count{{1, "tasks", task.MaxItems, specCounts}}
	receiptsCounts    = []count{{1, "receipts", task.MaxItems, nil}}
	outcomeCounts     = []count{{7, "submit", task.MaxFollowUps, specCounts}}
	resultCounts      = []count{{1, "outcomes", task.MaxItems, outcomeCounts}, {2, "next", 1, claimCounts}}
	resultReplyCounts = []count{{1, "receipts", task.MaxItems, nil}, {2, "next", 1, tasksCounts}}
	leasesCounts      = []count{{1, "leases", task.MaxItems, nil}}
	beatReplyCounts   = []count{{1, "lost", task.MaxItems, nil}, {2, "cancelled", task.MaxItems, nil}}
	idsCounts         = []count{{1, "ids", task.MaxItems, nil}}
	doctorCounts      = []count{{7, "found", 1, []count{{8, "problems", maxProblems, nil}}}}
	adoptCounts       = []count{{1, "addresses", maxAddresses, nil}}
	scheduleCounts    = []count{{4, "task", 1, specCounts}}
	setCounts         = []count{{3, "schedule", 1, scheduleCounts}}
	setReplyCounts    = []count{{1, "schedule", 1, scheduleCounts}}
	schedulesCounts   = []count{{1, "schedules", task.MaxItems, scheduleCounts}}
	selectionCounts   = []count{{3, "statuses", len(task.Statuses), nil}}
	startCounts       = []count{{3, "selection", 1, selectionCounts}}
	operationCounts   = []count{{3, "selection", 1, selectionCounts}}
	startReplyCounts  = []count{{1, "operation", 1, operationCounts}}
	operationsCounts  = []count{{1, "operations", task.MaxRunningOperations + task.KeptOperations, operationCounts}}
	retentionCounts   = []count{{1, "settings", task.MaxRetentions + 1, nil}}
	tokenCounts       = []count{{4, "queues", member.MaxTokenQueues, nil}}
	newTokenCounts    = []count{{1, "token", 1, tokenCounts}}
	tokensCounts      = []count{{1, "tokens", member.MaxTokens, tokenCounts}}
	welcomeCounts     = []count{{10, "access", 1, []count{{4, "queues", member.MaxTokenQueues, nil}}}}
	workersCounts     = []count{{1, "workers", task.MaxItems, []count{{2, "worker_ids", member.MaxWorkerIDs, nil},
		{5, "queues", member.MaxWorkerNames, nil}, {6, "types", member.MaxWorkerNames, nil}}}}
)

func countsOf(m Message) []count {
	switch m.(type) {
	case *wirepb.SubmitRequest:
		return submitCounts
	case *wirepb.SubmitReply, *wirepb.CancelReply, *wirepb.RetryReply, *wirepb.DeleteReply:
		return receiptsCounts
	case *wirepb.ClaimRequest:
		return claimCounts
	case *wirepb.ClaimReply, *wirepb.QueryReply, *wirepb.ListReply:
		return tasksCounts
	case *wirepb.ResultRequest:
		return resultCounts
	case *wirepb.ResultReply:
		return resultReplyCounts
	case *wirepb.HeartbeatRequest:
		return leasesCounts
	case *wirepb.HeartbeatReply:
		return beatReplyCounts
	case *wirepb.QueryRequest, *wirepb.CancelRequest, *wirepb.RetryRequest, *wirepb.DeleteRequest, *wirepb.Push:
		return idsCounts
	case *wirepb.AdoptRequest:
		return adoptCounts
	case *wirepb.SetScheduleRequest:
		return setCounts
	case *wirepb.SetScheduleReply:
		return setReplyCounts
	case *wirepb.SchedulesReply:
		return schedulesCounts
	case *wirepb.RetentionReply:
		return retentionCounts
	case *wirepb.WorkersReply:
		return workersCounts
	case *wirepb.CreateTokenRequest, *wirepb.CreateTokenReply, *wirepb.RevokeTokenReply:
		return newTokenCounts
	case *wirepb.TokensReply:
		return tokensCounts
	case *wirepb.HelloReply:
		return welcomeCounts
	case *wirepb.StartOperationRequest:
		return startCounts
	case *wirepb.StartOperationReply:
		return startReplyCounts
	case *wirepb.OperationsReply:
		return operationsCounts
	case *wirepb.DoctorReply:
		return doctorCounts
	}
	return nil
}

// checkCounts walks over the fields of an encoded message, without allocating, and into those that have inner bounds.
func checkCounts(b []byte, counts []count) error {
	if len(counts) == 0 {
		return nil
	}
	var seen [maxCounts]int
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", task.ErrInvalid, protowire.ParseError(n))
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return fmt.Errorf("%w: field %d: %w", task.ErrInvalid, number, protowire.ParseError(n))
		}
		value := b[:n]
		b = b[n:]
		for i := range counts {
			if counts[i].field != number || kind != protowire.BytesType {
				continue
			}
			if seen[i]++; seen[i] > counts[i].max {
				return fmt.Errorf("%w: more than %d %s", task.ErrTooLarge, counts[i].max, counts[i].name)
			}
			inner, _ := protowire.ConsumeBytes(value)
			if err := checkCounts(inner, counts[i].inner); err != nil {
				return err
			}
		}
	}
	return nil
}
