package cluster

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// TestBadInputOfEachFeature: a node refuses what is wrong with the error of its kind, whatever the client library would
// have said before, and goes on as if nothing had been.
func TestBadInputOfEachFeature(t *testing.T) {
	c := startCluster(t, 1, nil)
	n := c.leader()
	good := task.Spec{ID: task.NewID(), Type: "t"}
	if _, err := n.Submit(t.Context(), []task.Spec{good}, false); err != nil {
		t.Fatal(err)
	}
	for name, tc := range badSpecs(good.ID) {
		specs := []task.Spec{{ID: task.NewID(), Type: "t"}}
		tc.spoil(&specs[0])
		receipts, err := n.Submit(t.Context(), specs, false)
		if err == nil {
			err = receipts[0].Err
		}
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	for name, tc := range badRequests(t, n.Node, good.ID) {
		if err := tc.do(); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if stats, err := n.Stats(t.Context(), task.StatsQuery{}); err != nil || stats.Total.Ready != 1 || stats.Total.Pending != 1 {
		t.Errorf("afterwards: %+v, %v", stats.Total, err)
	}
}

type badSpec struct {
	spoil func(s *task.Spec)
	want  error
}

func badSpecs(known task.ID) map[string]badSpec {
	parents := func(count int) (ids []task.ID) {
		for range count {
			ids = append(ids, task.NewID())
		}
		return ids
	}
	return map[string]badSpec{
		"depends on itself":     {func(s *task.Spec) { s.Dependencies = []task.ID{s.ID} }, task.ErrInvalid},
		"unknown dependency":    {func(s *task.Spec) { s.Dependencies = parents(1) }, task.ErrUnknownDependency},
		"10,000 dependencies":   {func(s *task.Spec) { s.Dependencies = parents(10_000) }, task.ErrTooLarge},
		"beyond a request":      {func(s *task.Spec) { s.Dependencies = parents(task.MaxBatchParents + 1) }, task.ErrTooLarge},
		"dependency twice":      {func(s *task.Spec) { s.Dependencies = []task.ID{known, known} }, task.ErrInvalid},
		"id of other content":   {func(s *task.Spec) { s.ID, s.Payload = known, []byte("x") }, task.ErrConflict},
		"no id":                 {func(s *task.Spec) { s.ID = task.ID{} }, task.ErrInvalid},
		"key of 1 MiB":          {func(s *task.Spec) { s.UniqueKey = strings.Repeat("k", 1<<20) }, task.ErrTooLarge},
		"scope of an empty key": {func(s *task.Spec) { s.UniqueScope = task.UniquePending }, task.ErrInvalid},
		"ttl of zero":           {func(s *task.Spec) { s.UniqueKey, s.UniqueScope = "k", task.UniqueTTL }, task.ErrInvalid},
		"negative ttl":          {func(s *task.Spec) { s.UniqueKey, s.UniqueScope, s.UniqueTTL = "k", task.UniqueTTL, -1 }, task.ErrInvalid},
		"replace with parents": {func(s *task.Spec) {
			s.UniqueKey, s.OnConflict, s.Dependencies = "k", task.ConflictReplace, []task.ID{known}
		}, task.ErrInvalid},
		"type of 1 MiB":               {func(s *task.Spec) { s.Type = strings.Repeat("t", 1<<20) }, task.ErrInvalid},
		"negative delay":              {func(s *task.Spec) { s.Delay = -time.Second }, task.ErrInvalid},
		"before 1970":                 {func(s *task.Spec) { s.ScheduledAt = time.Unix(-1, 0) }, task.ErrInvalid},
		"expires in the past of 1970": {func(s *task.Spec) { s.ExpiresAt = time.Unix(-1, 0) }, task.ErrInvalid},
		"negative expiry":             {func(s *task.Spec) { s.ExpiresIn = -1 }, task.ErrInvalid},
		"negative retention":          {func(s *task.Spec) { s.Retention = -1 }, task.ErrInvalid},
		"negative backoff":            {func(s *task.Spec) { s.Backoff.Initial = -1 }, task.ErrInvalid},
		"no crash allowed":            {func(s *task.Spec) { none := uint32(0); s.MaxCrashes = &none }, task.ErrInvalid},
	}
}

type badRequest struct {
	do   func() error
	want error
}

func badRequests(t *testing.T, n *Node, known task.ID) map[string]badRequest {
	ctx, unknown := t.Context(), task.NewID()
	receipt := func(receipts []task.Receipt, err error) error {
		if err == nil {
			err = receipts[0].Err
		}
		return err
	}
	queue := func(c task.QueueChange) func() error {
		c.Queue = "q"
		return func() error { return n.SetQueue(ctx, c) }
	}
	schedule := func(expression string, spoil func(s *task.Schedule)) func() error {
		s := task.Schedule{Name: "s", Expression: expression, Task: task.Spec{Type: "t"}}
		spoil(&s)
		return func() error {
			_, _, err := n.ChangeSchedule(ctx, task.ScheduleChange{Action: task.ScheduleSet, Schedule: s})
			return err
		}
	}
	operation := func(o task.OperationOrder) func() error {
		return func() error { _, err := n.StartOperation(ctx, o); return err }
	}
	asItIs, zero, negative := func(*task.Schedule) {}, task.Rate{Count: 0, Per: time.Second, Burst: 1}, -time.Second
	a, b := task.NewID(), task.NewID()
	return map[string]badRequest{
		"circle": {func() error {
			return receipt(n.Submit(ctx, []task.Spec{{ID: a, Type: "t", Dependencies: []task.ID{b}}, {ID: b, Type: "t", Dependencies: []task.ID{a}}}, true))
		}, task.ErrInvalid},
		"nothing to submit":       {func() error { return receipt(n.Submit(ctx, nil, false)) }, task.ErrInvalid},
		"1,001 to submit":         {func() error { return receipt(n.Submit(ctx, make([]task.Spec, 1001), false)) }, task.ErrInvalid},
		"cancel of an unknown id": {func() error { return receipt(n.Cancel(ctx, []task.ID{unknown})) }, task.ErrNotFound},
		"retry of an unknown id":  {func() error { return receipt(n.Retry(ctx, []task.ID{unknown})) }, task.ErrNotFound},
		"delete of an unknown id": {func() error { return receipt(n.Delete(ctx, []task.ID{unknown})) }, task.ErrNotFound},
		"retry of nothing":        {func() error { return receipt(n.Retry(ctx, nil)) }, task.ErrInvalid},
		"rate of zero":            {queue(task.QueueChange{Rate: &zero}), task.ErrInvalid},
		"negative aging":          {queue(task.QueueChange{Aging: &negative}), task.ErrInvalid},
		"change of nothing":       {queue(task.QueueChange{}), task.ErrInvalid},
		"negative retention":      {func() error { return n.SetRetention(ctx, task.Retention{Completed: -time.Second}, "") }, task.ErrInvalid},
		"cron of nothing":         {schedule("", asItIs), task.ErrInvalid},
		"cron of 1 MiB":           {schedule(strings.Repeat("1,", 1<<19)+"* * * *", asItIs), task.ErrInvalid},
		"cron of huge numbers":    {schedule("*/1,0-99999999999 * * * *", asItIs), task.ErrInvalid},
		"cron that never fires":   {schedule("0 0 30 2 *", asItIs), task.ErrInvalid},
		"cron of every 0 s":       {schedule("@every 0s", asItIs), task.ErrInvalid},
		"cron in no zone":         {schedule("@daily", func(s *task.Schedule) { s.Zone = "../../etc/passwd" }), task.ErrInvalid},
		"cron before 1970":        {schedule("@daily", func(s *task.Schedule) { s.Start = time.Unix(-1, 0) }), task.ErrInvalid},
		"cron of a waiting task":  {schedule("@daily", func(s *task.Schedule) { s.Task.Dependencies = []task.ID{known} }), task.ErrInvalid},
		"no such schedule": {func() error {
			_, _, err := n.ChangeSchedule(ctx, task.ScheduleChange{Action: task.SchedulePause, Name: "nobody's"})
			return err
		}, task.ErrNotFound},
		"operation without id":        {operation(task.OperationOrder{Action: task.ActionRetry}), task.ErrInvalid},
		"operation without action":    {operation(task.OperationOrder{ID: a}), task.ErrInvalid},
		"error text of 1 MiB":         {operation(task.OperationOrder{ID: a, Action: task.ActionRetry, Selection: task.Selection{ErrorContains: strings.Repeat("e", 1<<20)}}), task.ErrTooLarge},
		"retry of completed tasks":    {operation(task.OperationOrder{ID: a, Action: task.ActionRetry, Selection: task.Selection{Statuses: []task.Status{task.Completed}}}), task.ErrInvalid},
		"end of an unknown operation": {func() error { return n.CancelOperation(ctx, unknown) }, task.ErrNotFound},
	}
}
