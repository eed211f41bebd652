package store

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/haiku-queue/haiku/task"
)

func (r *run) submit() {
	r.nextID++
	spec := task.Spec{
		ID:    testID(r.nextID*1000 + rapid.IntRange(0, 999_999).Draw(r.t, "id")),
		Queue: rapid.SampledFrom(r.queues).Draw(r.t, "queue"), Type: rapid.SampledFrom(r.types).Draw(r.t, "type"),
		Delay: time.Duration(max(0, rapid.IntRange(-5, 5).Draw(r.t, "delay"))) * time.Microsecond,
	}
	if len(r.gone) > 0 && rapid.Bool().Draw(r.t, "again") {
		spec.ID = r.gone[len(r.gone)-1] // comes again, perhaps with another type
	}
	if _, removed := r.model.tombs[spec.ID]; removed || r.model.tasks[spec.ID] != nil {
		return
	}
	priority := task.Priority(rapid.IntRange(0, 3).Draw(r.t, "priority"))
	spec.Priority = &priority
	if rapid.IntRange(0, 5).Draw(r.t, "large") == 0 {
		spec.Payload = bytes.Repeat([]byte{byte(r.nextID)}, task.InlineBytes+r.nextID)
	}
	if all := r.model.ids(func(*task.Task) bool { return true }); len(all) > 0 && rapid.Bool().Draw(r.t, "dependent") {
		spec.Dependencies = []task.ID{rapid.SampledFrom(all).Draw(r.t, "parent")}
	}
	r.drawKey(&spec)
	seq := r.takeSeq()
	x := task.New(&spec, r.model.now(), seq, spec.ContentHash())
	x.UniqueHeld = x.UniqueKey != "" && r.checkHolder(x)
	x.WaitingFor = uint32(rapid.IntRange(0, len(spec.Dependencies)).Draw(r.t, "waiting"))
	x.Aging = time.Duration(max(0, rapid.IntRange(-2, 2).Draw(r.t, "aging"))) * time.Second
	r.model.tasks[x.ID] = x
	for _, real := range r.stores {
		if _, _, known, err := real.batch.Ended(x.ID); known || err != nil {
			r.t.Fatalf("status of a new id: %v %v", known, err)
		}
		real.batch.Put(x)
	}
}

func (r *run) takeSeq() uint64 {
	r.model.seq++
	for _, x := range r.stores {
		if got := x.batch.NextSeq(); got != r.model.seq {
			r.t.Fatalf("seq %d, want %d", got, r.model.seq)
		}
	}
	return r.model.seq
}

// change does the same to one task everywhere, each store starting from what it has itself.
func (r *run) change(id task.ID, do func(*task.Task)) {
	x := r.model.tasks[id].Clone()
	do(x)
	x.UniqueHeld = x.UniqueHeld && x.MayHoldKey()
	r.model.tasks[id] = x
	for _, real := range r.stores {
		x, err := real.batch.Task(id)
		if err != nil || x == nil {
			r.t.Fatalf("task %s: %v %v", id, x, err)
		}
		x = x.Clone()
		do(x)
		x.UniqueHeld = x.UniqueHeld && x.MayHoldKey()
		real.batch.Put(x)
	}
}

func (r *run) claim() {
	var pairs []Pair
	for _, q := range r.queues {
		for _, typ := range r.types {
			if rapid.Bool().Draw(r.t, "pair") {
				pairs = append(pairs, Pair{q, typ})
			}
		}
	}
	want := r.model.firstReady(pairs)
	for i, x := range r.stores {
		r.checkOccupancy(x.batch.Occupancy)
		id, size, ok, err := x.batch.FirstReady(pairs)
		if err != nil || ok != (want != nil) || ok && (id != want.ID || size != want.PayloadSize) {
			r.t.Fatalf("store %d: first ready of %v is %s %v %v, want %+v", i, pairs, id, ok, err, want)
		}
	}
	if want == nil {
		return
	}
	lease, now := r.takeSeq(), r.model.now()
	r.change(want.ID, func(x *task.Task) {
		x.Status, x.LeaseID, x.WorkerID, x.StartedAt, x.UpdatedAt = task.InProgress, lease, "w", now, now
		x.Attempt++
	})
}

func (r *run) end() {
	running := r.model.ids(func(x *task.Task) bool { return x.Status == task.InProgress })
	if len(running) == 0 {
		return
	}
	id := rapid.SampledFrom(running).Draw(r.t, "running")
	how := rapid.IntRange(0, 4).Draw(r.t, "outcome")
	now := r.model.now()
	later := now.Add(time.Duration(rapid.IntRange(0, 4).Draw(r.t, "backoff")) * time.Microsecond)
	kept := r.drawKept()
	r.change(id, func(x *task.Task) {
		x.UpdatedAt = now
		if how < 2 || how == 3 {
			x.DeleteAt = kept
		}
		switch how {
		case 0:
			x.Status, x.Result, x.ResultSize = task.Completed, make([]byte, 2000), 2000
		case 1:
			x.Status, x.Result, x.ResultSize = task.Completed, []byte("ok"), 2
		case 2:
			x.Status, x.ScheduledAt = task.Failed, later
			x.EndAttempt(task.Failure, "boom", now)
		case 3:
			x.Status = task.DeadLetter
		case 4:
			x.Status = task.Pending // released: back to its old place
		}
	})
}

func (r *run) tick() {
	r.model.time += int64(rapid.IntRange(1, 3).Draw(r.t, "tick"))
	for _, x := range r.stores {
		x.batch.SetTime(r.model.time)
	}
}

func (r *run) promote() {
	kind := rapid.SampledFrom([]ScheduleKind{DueKind, RetryKind, ExpiresKind, RetentionKind, TombstoneKind}).Draw(r.t, "kind")
	limit := rapid.IntRange(1, 4).Draw(r.t, "limit")
	until := r.model.time + int64(max(0, rapid.IntRange(-6, 6).Draw(r.t, "ahead")))
	if kind == TombstoneKind && rapid.Bool().Draw(r.t, "all") {
		until = maxTime
	}
	want := r.model.due(kind, until, limit)
	for i, x := range r.stores {
		if got, err := x.batch.Due(kind, until, limit); err != nil || !slices.Equal(got, want) {
			r.t.Fatalf("store %d: due %v %v, want %v", i, got, err, want)
		}
	}
	if until > r.model.time || kind > RetryKind {
		return
	}
	now := r.model.now()
	for _, id := range want {
		r.change(id, func(x *task.Task) { x.Status, x.UpdatedAt = task.Pending, now })
	}
}

// cancel cancels a waiting task, moves it to another priority, or unblocks it.
func (r *run) cancel() {
	open := r.model.ids(func(x *task.Task) bool { return x.Status == task.Pending || x.Status == task.Failed })
	if len(open) == 0 {
		return
	}
	id, now := rapid.SampledFrom(open).Draw(r.t, "open"), r.model.now()
	unblock := r.model.tasks[id].WaitingFor > 0 && rapid.Bool().Draw(r.t, "unblock")
	kept := r.drawKept()
	move, priority := rapid.Bool().Draw(r.t, "move"), task.Priority(rapid.IntRange(0, 3).Draw(r.t, "priority"))
	r.change(id, func(x *task.Task) {
		switch {
		case unblock:
			x.UpdatedAt, x.WaitingFor = now, 0
		case move:
			x.Priority = priority
		default:
			x.UpdatedAt, x.Status, x.DeleteAt = now, task.Cancelled, kept
		}
	})
}

// drawKept says when a task that ends now is to be deleted; never in one of four cases.
func (r *run) drawKept() time.Time {
	if n := rapid.IntRange(0, 3).Draw(r.t, "kept"); n > 0 {
		return r.model.now().Add(time.Duration(n) * time.Microsecond)
	}
	return time.Time{}
}

// remove deletes an ended task.
func (r *run) remove() {
	ended := r.model.ids(func(x *task.Task) bool { return x.Status.IsTerminal() })
	if len(ended) == 0 {
		return
	}
	id := rapid.SampledFrom(ended).Draw(r.t, "ended")
	x, tombstone := r.model.tasks[id], rapid.Bool().Draw(r.t, "tombstone")
	delete(r.model.tasks, id)
	if tombstone {
		r.model.tombs[id], r.model.went[id] = removal{true, x.Status, x.Hash}, x
	} else {
		r.gone = append(r.gone, id)
	}
	for _, real := range r.stores {
		real.batch.Delete(id, tombstone)
		r.checkEnded(real.batch, id)
	}
}

// forget removes a tombstone.
func (r *run) forget() {
	if len(r.model.tombs) == 0 {
		return
	}
	all := slices.SortedFunc(maps.Keys(r.model.tombs), compareIDs)
	id := rapid.SampledFrom(all).Draw(r.t, "forgotten")
	delete(r.model.tombs, id)
	r.gone = append(r.gone, id)
	for _, real := range r.stores {
		real.batch.Forget(id)
		r.checkEnded(real.batch, id)
	}
}

// checkEnded compares what is known of an id.
func (r *run) checkEnded(b *Batch, id task.ID) {
	want, known := r.model.tombs[id]
	if x := r.model.tasks[id]; x != nil {
		want, known = removal{false, indexedStatus(x.Status), x.Hash}, true
	}
	status, hash, ok, err := b.Ended(id)
	if err != nil || ok != known || ok && (status != want.status || hash != want.hash) {
		r.t.Fatalf("%s is %v %x %v %v, want %+v %v", id, status, hash, ok, err, want, known)
	}
	if x, err := b.Task(id); err != nil || (x != nil) != (r.model.tasks[id] != nil) {
		r.t.Fatalf("task %s: %v %v", id, x, err)
	}
}

// look compares reads that change nothing.
func (r *run) look() {
	all := append(r.model.ids(func(*task.Task) bool { return true }), testID(0))
	all = append(append(all, slices.SortedFunc(maps.Keys(r.model.tombs), compareIDs)...), r.gone...)
	id := rapid.SampledFrom(all).Draw(r.t, "look")
	after := rapid.SampledFrom(append(all, task.ID{})).Draw(r.t, "after")
	want := r.model.tasks[id]
	children := r.model.ids(func(x *task.Task) bool {
		return slices.Contains(x.Dependencies, id) && compareIDs(x.ID, after) > 0
	})
	children = children[:min(3, len(children))]
	running := r.model.ids(func(x *task.Task) bool { return x.Status == task.InProgress && compareIDs(x.ID, after) > 0 })
	running = running[:min(3, len(running))]
	for i, x := range r.stores {
		if rapid.Bool().Draw(r.t, "status first") {
			r.checkEnded(x.batch, id)
		}
		got, err := x.batch.Task(id)
		if err != nil || !sameTask(want, got) {
			r.t.Fatalf("store %d: %v\n%s", i, err, cmp.Diff(want, got))
		}
		if got, err := x.batch.Dependents(id, after, 3); err != nil || !slices.Equal(got, children) {
			r.t.Fatalf("store %d: dependents of %s after %s: %v %v, want %v", i, id, after, got, err, children)
		}
		if got, err := x.batch.InProgress(after, 3); err != nil || !slices.Equal(got, running) {
			r.t.Fatalf("store %d: running after %s: %v %v, want %v", i, after, got, err, running)
		}
		for _, q := range r.queues {
			var pairs []Pair
			for _, typ := range r.types {
				if p := (Pair{q, typ}); r.model.firstReady([]Pair{p}) != nil {
					pairs = append(pairs, p)
				}
			}
			if got := x.batch.ReadyPairs(q); !slices.Equal(got, pairs) {
				r.t.Fatalf("store %d: ready pairs %v, want %v", i, got, pairs)
			}
		}
	}
}

func sameTask(a, b *task.Task) bool {
	if a == nil || b == nil {
		return a == b
	}
	return reflect.DeepEqual(withoutLarge(a), withoutLarge(b)) || cmp.Equal(withoutLarge(a), withoutLarge(b))
}

func (r *run) changeMeta() {
	key := rapid.SampledFrom([]string{"work/1", "work/2", "work0", "x"}).Draw(r.t, "key")
	if rapid.Bool().Draw(r.t, "delete") {
		delete(r.model.meta, key)
		for _, x := range r.stores {
			x.batch.DeleteMeta(key)
		}
	} else {
		value := rapid.StringN(0, 3, 3).Draw(r.t, "value")
		r.model.meta[key] = value
		for _, x := range r.stores {
			x.batch.PutMeta(key, []byte(value))
		}
	}
	limit := rapid.IntRange(0, 2).Draw(r.t, "limit")
	var want []KV
	for _, k := range slices.Sorted(maps.Keys(r.model.meta)) {
		if strings.HasPrefix(k, "work/") && (limit == 0 || len(want) < limit) {
			want = append(want, KV{k, []byte(r.model.meta[k])})
		}
	}
	for i, x := range r.stores {
		got, err := x.batch.ScanMeta("work/", limit)
		if err != nil || !slices.EqualFunc(got, want, func(a, b KV) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }) {
			r.t.Fatalf("store %d: meta %v %v, want %v", i, got, err, want)
		}
		value, err := x.batch.Meta(key)
		if model, ok := r.model.meta[key]; err != nil || ok != (value != nil) || string(value) != model {
			r.t.Fatalf("store %d: meta %q is %q %v, want %q %v", i, key, value, err, model, ok)
		}
	}
}
