package store

import "github.com/haiku-queue/haiku/task"

// recordCache keeps decoded records of waiting and running tasks as they are committed, for a task's submit, claim and
// result touch the same record three times. It belongs to the open batch.
//
// Two generations bound it: what is used moves to the young one; when that holds half of the limit it becomes the old
// one, and what was old before is forgotten.
type recordCache struct {
	limit      int // bytes
	bytes      int // of young, about
	young, old map[task.ID]*task.Task
}

func newRecordCache(limit int) recordCache {
	return recordCache{limit: limit, young: make(map[task.ID]*task.Task), old: make(map[task.ID]*task.Task)}
}

func (c *recordCache) get(id task.ID) *task.Task {
	if t := c.young[id]; t != nil {
		return t
	}
	t := c.old[id]
	if t != nil {
		c.put(t)
	}
	return t
}

func (c *recordCache) has(id task.ID) bool { return c.young[id] != nil || c.old[id] != nil }

// put keeps t, whose large bytes have been taken off.
func (c *recordCache) put(t *task.Task) {
	if c.limit == 0 {
		return
	}
	delete(c.old, t.ID)
	c.young[t.ID] = t
	if c.bytes += footprint(t); c.bytes > c.limit/2 {
		c.young, c.old = make(map[task.ID]*task.Task, len(c.young)), c.young
		c.bytes = 0
	}
}

func (c *recordCache) remove(id task.ID) {
	delete(c.young, id)
	delete(c.old, id)
}

// footprint is about what a decoded task takes in memory.
func footprint(t *task.Task) int {
	n := 900 + len(t.Payload) + len(t.Result) + len(t.Error) + len(t.UniqueKey) + len(t.Progress.Cursor) + len(t.Progress.Message)
	n += 16*len(t.Dependencies) + 96*len(t.History) + 32*len(t.Headers)
	for i := range t.Headers {
		n += len(t.Headers[i].Name) + len(t.Headers[i].Value)
	}
	for i := range t.History {
		n += len(t.History[i].Error)
	}
	return n
}

// withoutLarge returns t, or a copy without the bytes that are in blobs.
func withoutLarge(t *task.Task) *task.Task {
	largePayload := t.PayloadSize > task.InlineBytes && t.Payload != nil
	largeResult := t.ResultSize > task.InlineBytes && t.Result != nil
	if !largePayload && !largeResult {
		return t
	}
	c := *t
	if largePayload {
		c.Payload = nil
	}
	if largeResult {
		c.Result = nil
	}
	return &c
}
