package store

import (
	"bytes"
	"time"

	"pgregory.net/rapid"

	"github.com/haiku-queue/haiku/task"
)

// drawKey gives a new task, for two in three, one of few unique keys; half of all may expire.
func (r *run) drawKey(spec *task.Spec) {
	spec.UniqueKey = rapid.SampledFrom([]string{"", "u", "v"}).Draw(r.t, "key")
	if spec.UniqueKey != "" {
		spec.UniqueScope = task.UniqueScope(rapid.IntRange(1, 3).Draw(r.t, "scope"))
	}
	if rapid.Bool().Draw(r.t, "expires") {
		spec.ExpiresAt = r.model.now().Add(time.Duration(rapid.IntRange(0, 6).Draw(r.t, "lives")) * time.Microsecond)
	}
}

// checkHolder compares who holds the key of x, and returns whether nobody does.
func (r *run) checkHolder(x *task.Task) bool {
	want := r.model.holder(x)
	for i, real := range r.stores {
		id, held, err := real.batch.KeyHolder(x)
		if err != nil || held != (want != nil) || held && id != want.ID {
			r.t.Fatalf("store %d: %q %s is held by %s %t %v, want %+v", i, x.UniqueKey, x.UniqueScope, id, held, err, want)
		}
	}
	return want == nil
}

// rekey takes the key from a task that has one, or gives it to it if nobody else holds it.
func (r *run) rekey() {
	all := r.model.ids(func(x *task.Task) bool { return x.UniqueKey != "" })
	if len(all) == 0 {
		return
	}
	x := r.model.tasks[rapid.SampledFrom(all).Draw(r.t, "keyed")]
	free := r.checkHolder(x)
	if x.UniqueHeld || free && x.MayHoldKey() {
		r.change(x.ID, func(x *task.Task) { x.UniqueHeld = !x.UniqueHeld })
		r.checkHolder(r.model.tasks[x.ID])
	}
}

// replace gives a waiting task another content.
func (r *run) replace() {
	open := r.model.ids(func(x *task.Task) bool { return x.Status == task.Pending })
	if len(open) == 0 {
		return
	}
	r.nextID++
	id, now, whole := rapid.SampledFrom(open).Draw(r.t, "replaced"), r.model.now(), rapid.Bool().Draw(r.t, "whole")
	priority := task.Priority(rapid.IntRange(0, 3).Draw(r.t, "priority"))
	spec := task.Spec{ID: testID(r.nextID * 1000), Priority: &priority, ExpiresIn: time.Microsecond}
	size := rapid.SampledFrom([]int{0, 3, task.InlineBytes, task.InlineBytes + 1, 5000}).Draw(r.t, "size")
	if size > 0 {
		spec.Payload = bytes.Repeat([]byte{byte(r.nextID)}, size)
	}
	spec.Delay = time.Duration(max(0, rapid.IntRange(-3, 3).Draw(r.t, "delay"))) * time.Microsecond
	r.change(id, func(x *task.Task) { x.TakeContent(task.New(&spec, now, 0, x.Hash), whole, now) })
}
