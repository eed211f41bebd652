package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/haiku-queue/haiku/internal/localnodes"
	"github.com/haiku-queue/haiku/task"
)

// findings is what the finished job comes to.
type findings struct {
	tasks      int // that the cluster has
	attempts   int
	lost       []string // acknowledged, but missing or not completed
	mismatched []string // with another result than sha256sum's
	twice      []string // completed more than once
	unequal    string   // how the nodes' states differ; empty if they do not
}

func (f *findings) good() bool {
	return len(f.lost)+len(f.mismatched)+len(f.twice) == 0 && f.unequal == ""
}

// verify reads every task back, compares it with what sha256sum printed, and the nodes with each other.
func (j *job) verify(ctx context.Context, sums map[string]string) (*findings, error) {
	f := &findings{}
	found := make(map[task.ID]*task.Task, len(j.specs))
	filter := task.Filter{Type: taskType, Limit: 500, WithPayload: true}
	for {
		page, err := j.nodes.Client().List(ctx, filter)
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
	_, err := j.nodes.StateHash(ctx)
	if errors.Is(err, localnodes.ErrStatesDiffer) {
		f.unequal, err = err.Error(), nil
	}
	return f, err
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
