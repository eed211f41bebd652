package main

import (
	"context"
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// findings is what the finished job comes to.
type findings struct {
	tasks      int // that the cluster has
	attempts   int
	lost       []string // acknowledged, but missing or not completed
	mismatched []string // with another result than sha256sum's
	twice      []string // completed more than once
	unequal    []string // nodes whose state differs from the first one's
}

func (f *findings) good() bool {
	return len(f.lost)+len(f.mismatched)+len(f.twice)+len(f.unequal) == 0
}

// verify reads every task back, compares it with what sha256sum printed, and the nodes with each other.
func (j *job) verify(ctx context.Context, sums map[string]string) (*findings, error) {
	f := &findings{}
	found := make(map[task.ID]*task.Task, len(j.specs))
	filter := task.Filter{Type: taskType, Limit: 500, WithPayload: true}
	for {
		page, err := j.nodes.client.List(ctx, filter)
		if err != nil {
			return nil, fmt.Errorf("list: %w", err)
		}
		for _, t := range page.Tasks {
			if found[t.ID] != nil {
				return nil, fmt.Errorf("task %s is listed twice", t.ID)
			}
			found[t.ID] = t
			f.tasks++
			f.attempts += int(t.Attempt)
		}
		if page.Next == nil {
			break
		}
		filter.Cursor = page.Next
	}
	for i := range j.specs {
		f.check(&j.specs[i], found[j.specs[i].ID], sums)
	}
	hashes, err := j.nodes.stateHashes(ctx)
	if err != nil {
		return nil, err
	}
	first := hashes[j.nodes.list[0].name]
	for _, one := range j.nodes.list {
		if hashes[one.name] != first {
			f.unequal = append(f.unequal, one.name)
		}
	}
	return f, nil
}

// check compares one task with what became of it.
func (f *findings) check(spec *task.Spec, t *task.Task, sums map[string]string) {
	path := string(spec.Payload)
	if t == nil || t.Status != task.Completed {
		f.lost = append(f.lost, path)
		return
	}
	if string(t.Payload) != path || string(t.Result) != sums[path] {
		f.mismatched = append(f.mismatched, path)
	}
	successes := 0
	for _, a := range t.History {
		if a.Outcome == task.Success {
			successes++
		}
	}
	if successes != 1 {
		f.twice = append(f.twice, fmt.Sprintf("%s (%d successes in its history)", path, successes))
	}
}
