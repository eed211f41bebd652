package fsm

import (
	"errors"
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"github.com/haiku-queue/haiku/internal/damage"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// drive runs the same commands through an FSM and the model, and compares all that can be seen after each.
type drive struct {
	t     *rapid.T
	store *store.Store
	fsm   *FSM
	ended []task.ID // as the FSM told at its last commit
	index uint64
	clock time.Time
	model *model

	ids    []task.ID             // of all that was ever submitted
	sent   map[task.ID]task.Spec // with them, at last
	leases []Lease               // ever given
	orders []task.OperationOrder // ever started
	later  *StepOperation        // made, but not proposed yet
	made   int                   // ids
	kinds  map[Kind]int          // of commands so far

	numbers []int // to draw from

	wide bool // some parents have more children than one command may touch
}

// TestModel: an FSM and a model of the queue agree in every reply, every task and every count after each command.
func TestModel(t *testing.T) { checkModel(t, damage.Rounds(10, 600), 200, false) }

// TestModelWithManyDependants: so do they where the dependants of a task are told in steps, once these are done.
func TestModelWithManyDependants(t *testing.T) {
	checkModel(t, damage.Rounds(3, 10), damage.Rounds(60, 200), true)
}

func checkModel(t *testing.T, runs, length int, wide bool) {
	f := flag.Lookup("rapid.checks")
	before := f.Value.String()
	t.Cleanup(func() { _ = f.Value.Set(before) })
	if err := f.Value.Set(strconv.Itoa(runs)); err != nil {
		t.Fatal(err)
	}
	kinds := make(map[Kind]int)
	check := func(rt *rapid.T) {
		cfg := store.Default()
		cfg.Dir, cfg.Create = t.TempDir(), true
		st, err := store.Open(cfg)
		if err != nil {
			rt.Fatal(err)
		}
		defer st.Close()
		d := &drive{t: rt, store: st, clock: epoch, model: newModel(), sent: make(map[task.ID]task.Spec), kinds: kinds, wide: wide}
		d.fsm = New(st, Options{
			OnCommit: func(c Committed) { d.ended = c.Ended },
			OnMark:   func(_ uint64, s *store.Snapshot) { s.Release() },
			OnFatal:  func(err error) { panic(err) },
		})
		for range length {
			d.command()
		}
		d.compareTasks()
		d.compareMeta()
		if err := st.Check(); err != nil {
			rt.Fatal(err)
		}
	}
	rapid.Check(t, check)
	for more := 0; more < 10 && !wide && neverDrawn(kinds) != nil; more++ { // among few commands one may be missing by chance
		rapid.Check(t, check)
	}
	commands := 0
	for _, n := range kinds {
		commands += n
	}
	t.Logf("%d commands", commands)
	if c := neverDrawn(kinds); c != nil && !wide {
		t.Errorf("%T was never drawn", c)
	}
}

// neverDrawn is a command of a kind that was not drawn; nil if all were.
func neverDrawn(kinds map[Kind]int) Command {
	for _, c := range allCommands() {
		if kinds[c.Kind()] == 0 {
			return c
		}
	}
	return nil
}

// apply gives a command to the FSM as an entry of its own.
func (d *drive) apply(c Command) Result {
	encoded, err := Encode(c)
	if err != nil {
		d.t.Fatal(err)
	}
	d.index++
	d.ended = nil
	l := &raft.Log{Index: d.index, Term: 1, Type: raft.LogCommand, Data: append(AppendHeader(nil, 1, d.clock), encoded...)}
	return d.fsm.Apply(l).([]Result)[0]
}

// run gives a command to both and compares.
func (d *drive) run(c Command) {
	d.t.Logf("%s %T", d.clock.Sub(epoch), c)
	d.kinds[c.Kind()]++
	r := d.apply(c)
	d.model.begin(d.clock)
	d.reply(c, &r)
	d.model.tell()
	for r.More && d.wide {
		if r = d.apply(&Step{}); r.Count > task.MaxTouch {
			d.t.Fatalf("a step touched %d tasks", r.Count)
		}
		d.ended = append(d.ended, d.model.finished...) // told of as the steps went on
	}
	for _, id := range d.model.finished {
		if !slices.Contains(d.ended, id) && !d.wide {
			d.t.Fatalf("%T ended task %s, of which nobody was told", c, id)
		}
	}
	if want, got := d.model.counts(), d.store.Stats().Queues; !slices.Equal(want, got) {
		d.t.Fatalf("counts after %T (-model +fsm):\n%s", c, gocmp.Diff(want, got))
	}
	if !d.wide || d.index%16 == 0 {
		d.compareTasks()
	}
	if k := c.Kind(); k >= KindSetSchedule && k <= KindEndOperation || k == KindSetMember || k == KindRemoveMember {
		d.compareMeta()
	}
}

// reply runs the model's side of a command and compares the answers.
func (d *drive) reply(c Command, r *Result) {
	m := d.model
	each := func(ids []task.ID, do func(i int) (bool, []error)) {
		d.refused(c, r.Err, nil)
		d.same(c, len(ids), len(r.Receipts))
		for i, id := range ids {
			duplicate, refused := do(i)
			d.receipt(c, r, i, task.Receipt{ID: id, Duplicate: duplicate}, refused)
		}
	}
	switch c := c.(type) {
	case *Submit:
		d.submitted(c, r)
	case *Finish:
		ids := make([]task.ID, len(c.Outcomes))
		for i := range ids {
			ids[i] = c.Outcomes[i].ID
		}
		each(ids, func(i int) (bool, []error) { return m.finish(c, i) })
	case *Cancel:
		each(c.IDs, func(i int) (bool, []error) { return m.cancel(c.IDs[i]) })
	case *Retry:
		each(c.IDs, func(i int) (bool, []error) { return m.retryEnded(c.IDs[i]) })
	case *Delete:
		each(c.IDs, func(i int) (bool, []error) { return m.remove(c.IDs[i], c.DedupWindow) })
	case *Claim:
		d.claimed(c, r)
	case *Release:
		for i := range c.Ended {
			m.revoke(&c.Ended[i])
		}
	case *Promote:
		d.same(c, m.promote(c.Max), r.Count)
	case *Expire:
		if n := m.expire(c.Max); r.Count < n || n == 0 && r.Count > 0 { // it counts the dependants that it told, too
			d.t.Fatalf("%d tasks expired, the FSM touched %d", n, r.Count)
		}
	case *Reap:
		d.same(c, m.reap(c), r.Count)
	case *Requeue:
		d.same(c, m.requeue(c), r.Moved)
	case *Step:
		d.same(c, 0, r.Count)
	case *SetRetention:
		m.setRetention(c.Retention)
	case *SetDispatch:
		m.paused = c.Paused
	case *SetQueue:
		m.setQueue(&c.Change)
	default:
		d.replyOfMeta(c, r)
	}
}

// replyOfMeta is of commands about what is no task.
func (d *drive) replyOfMeta(c Command, r *Result) {
	m := d.model
	switch c := c.(type) {
	case *SetSchedule:
		d.scheduled(c, r)
	case *RemoveSchedule:
		var refused []error
		if m.schedules[c.Name] == nil {
			refused = []error{task.ErrNotFound}
		}
		delete(m.schedules, c.Name)
		d.refused(c, r.Err, refused)
	case *Fire:
		answer, faults, refused := m.fire(c)
		d.refused(c, r.Err, refused)
		if d.same(c, answer != nil, len(r.Receipts) == 1); answer != nil {
			d.receipt(c, r, 0, *answer, faults)
		}
	case *StartOperation:
		duplicate, refused := m.startOperation(&c.Order)
		d.whole(c, r, task.Receipt{ID: c.Order.ID, Duplicate: duplicate}, refused)
	case *EndOperation:
		duplicate, refused := m.endOperation(c.ID)
		d.whole(c, r, task.Receipt{ID: c.ID, Duplicate: duplicate}, refused)
	case *StepOperation:
		ids, duplicates, faults, refused := m.stepOperation(c)
		d.refused(c, r.Err, refused)
		d.same(c, len(ids), len(r.Receipts))
		for i, id := range ids {
			d.receipt(c, r, i, task.Receipt{ID: id, Duplicate: duplicates[i]}, faults[i])
		}
	case *SetMember:
		m.members[c.Member.ID] = c.Member
	case *RemoveMember:
		delete(m.members, c.ID)
	case *Found:
		if m.cluster != (member.ID{}) {
			d.refused(c, r.Err, []error{task.ErrConflict})
			return
		}
		d.refused(c, r.Err, nil)
		m.cluster = c.ClusterID
	case *CreateToken:
		d.refused(c, r.Err, m.createToken(c))
		d.compareTokens(c)
	case *RevokeToken:
		d.refused(c, r.Err, m.revokeToken(c))
		d.compareTokens(c)
	case *Mark:
		d.same(c, d.index, r.Index)
	default:
		d.t.Fatalf("the model does not know %T", c)
	}
}

// whole compares the answer to a command that has one receipt, or is refused as a whole.
func (d *drive) whole(c Command, r *Result, want task.Receipt, refused []error) {
	if d.refused(c, r.Err, refused); refused == nil {
		d.receipt(c, r, 0, want, nil)
	}
}

// scheduled takes the id and the version that a schedule got.
func (d *drive) scheduled(c *SetSchedule, r *Result) {
	set := d.model.setSchedule(c.Schedule)
	if d.same(c, set, r.Count == 1); !set {
		return
	}
	s := d.model.schedules[c.Schedule.Name]
	got, err := Schedule(d.store, s.Name)
	if err != nil || got == nil || got.Version == s.Version || s.ID == 0 && got.ID == 0 || s.ID != 0 && got.ID != s.ID {
		d.t.Fatalf("schedule %+v after %+v, %v", got, s, err)
	}
	s.ID, s.Version = got.ID, got.Version
}

// submitted compares the answer to a submit; that to an atomic one names one bad item, if there is any.
func (d *drive) submitted(c *Submit, r *Result) {
	if !c.Atomic {
		d.refused(c, r.Err, nil)
		answers, faults := d.model.submitEach(c)
		for i := range answers {
			d.receipt(c, r, i, answers[i], faults[i])
		}
		return
	}
	o := d.model.offer(c, true, make(map[task.ID]task.ID))
	if !o.bad() {
		d.refused(c, r.Err, nil)
		d.model.accept(o)
		for i := range o.answers {
			d.receipt(c, r, i, o.answers[i], nil)
		}
		return
	}
	d.refused(c, r.Err, []error{task.ErrAborted})
	first := slices.IndexFunc(o.faults, func(f []error) bool { return len(f) > 0 })
	for i := range o.faults {
		allowed := []error{task.ErrAborted}
		if i == first {
			allowed = o.faults[i]
		}
		d.refused(c, r.Receipts[i].Err, allowed)
	}
}

func (d *drive) receipt(c Command, r *Result, i int, want task.Receipt, refused []error) {
	got := r.Receipts[i]
	if d.refused(c, got.Err, refused); refused == nil {
		d.same(c, want, got)
	}
}

func (d *drive) refused(c Command, got error, want []error) {
	if (got == nil) != (len(want) == 0) || got != nil && !isOneOf(got, want) {
		d.t.Fatalf("%T %+v: the FSM says %v, the model %v", c, c, got, want)
	}
}

func (d *drive) same(c Command, want, got any) {
	if diff := gocmp.Diff(want, got); diff != "" {
		d.t.Fatalf("answer to %T %+v (-model +fsm):\n%s", c, c, diff)
	}
}

// claimed compares the tasks given, in their order. Their leases are what the FSM says, if they only grow.
func (d *drive) claimed(c *Claim, r *Result) {
	m := d.model
	for i := range c.Max {
		t := m.claimOne(c)
		if (t == nil) != (i >= len(r.Tasks)) {
			d.t.Fatalf("%+v: the FSM gives %d tasks; the %d. of the model is %+v", c, len(r.Tasks), i+1, t)
		}
		if t == nil {
			return
		}
		got := r.Tasks[i]
		if got.LeaseID <= m.lastLease {
			d.t.Fatalf("lease %d after %d", got.LeaseID, m.lastLease)
		}
		t.lease, m.lastLease = got.LeaseID, got.LeaseID
		want, is := m.viewOf(t), m.viewOfFSM(got)
		if got.Payload == nil {
			want.Payload = "" // large ones are read afterwards
		}
		d.compare(want, is)
		d.leases = append(d.leases, Lease{got.ID, got.LeaseID})
	}
	d.same(c, c.Max, len(r.Tasks))
}

// compareTasks compares every task that ever was.
func (d *drive) compareTasks() {
	for _, id := range d.ids {
		got, err := d.store.Task(id, true)
		if err != nil {
			d.t.Fatal(err)
		}
		want := d.model.tasks[id]
		if (got == nil) != (want == nil) {
			d.t.Fatalf("task %s: the FSM has %+v, the model %+v", id, got, want)
		}
		if got == nil {
			continue
		}
		d.compare(d.model.viewOf(want), d.model.viewOfFSM(got))
	}
}

// compareMeta compares schedules, operations and members.
func (d *drive) compareMeta() {
	schedules := make(map[string]*task.Schedule)
	err := EachSchedule(d.store, "", func(light *task.Schedule) bool {
		s, err := Schedule(d.store, light.Name)
		if err != nil {
			d.t.Fatal(err)
		}
		if want := d.model.schedules[s.Name]; want != nil && want.LastError != "" && s.LastError != "" {
			s.LastError = want.LastError // the words are the broker's own
		}
		schedules[s.Name] = s
		return true
	})
	operations := make(map[task.ID]*task.Operation)
	list, err2 := Operations(d.store)
	for _, o := range list {
		if want := d.model.operations[o.ID]; want != nil && want.Error != "" && o.Error != "" {
			o.Error = want.Error
		}
		operations[o.ID] = o
	}
	members := make(map[member.ID]member.Member)
	all, err3 := Members(d.store)
	for _, m := range all {
		members[m.ID] = m
	}
	if err := errors.Join(err, err2, err3); err != nil {
		d.t.Fatal(err)
	}
	diff := gocmp.Diff(d.model.schedules, schedules, cmpopts.EquateEmpty()) + gocmp.Diff(d.model.operations, operations, cmpopts.EquateEmpty()) +
		gocmp.Diff(d.model.members, members)
	if diff != "" {
		d.t.Fatalf("schedules, operations or members (-model +fsm):\n%s", diff)
	}
}

func (d *drive) compare(want, got taskView) {
	if want.Error == someText && got.Error != "" {
		want.Error = got.Error
	}
	for i := range min(len(want.History), len(got.History)) {
		if want.History[i].Error == someText {
			want.History[i].Error = got.History[i].Error
		}
	}
	if !reflect.DeepEqual(want, got) {
		d.t.Fatalf("task (-model +fsm):\n%s", gocmp.Diff(want, got))
	}
}

func (d *drive) newID() task.ID {
	d.made++
	at := d.clock
	switch d.n("age", 61) {
	case 60:
		at = at.Add(-48 * time.Hour)
	case 59:
		at = at.Add(48 * time.Hour)
	}
	ms, mixed := at.UnixMilli(), uint16(d.made*40503) // not in the order in which they are made
	return task.ID{byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms), 0x70, 0, 0x80, byte(mixed >> 8), byte(mixed),
		13: byte(d.made >> 16), 14: byte(d.made >> 8), 15: byte(d.made)}
}

// taskView is what is compared of a task.
type taskView struct {
	Status                                                             task.Status
	Phase                                                              task.Phase
	Queue, Type, WorkerID, Payload, Result, Error                      string
	Reason                                                             task.Reason
	Priority                                                           task.Priority
	CreatedAt, UpdatedAt, ScheduledAt, StartedAt, DeleteAt, LeaseUntil time.Time
	Attempt, Retries, Crashes                                          uint32
	Lease                                                              uint64
	WaitingFor                                                         int
	Asked                                                              bool
	Session                                                            task.SessionID
	Progress                                                           task.Progress
	History                                                            []task.Attempt
	Aging                                                              time.Duration
	Keyed                                                              bool
	StartBy                                                            time.Time
	ReplacedBy                                                         task.ID
}

func (m *model) viewOfFSM(t *task.Task) taskView {
	v := taskView{
		Status: t.Status, Phase: t.Phase(), Queue: t.Queue, Type: t.Type, WorkerID: t.WorkerID, Payload: fmt.Sprintf("%x", t.Payload),
		Result: string(t.Result), Error: t.Error, Reason: t.Reason, Priority: t.Priority, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
		ScheduledAt: t.ScheduledAt, StartedAt: t.StartedAt, DeleteAt: t.DeleteAt, LeaseUntil: t.LeaseExpiresAt, Attempt: t.Attempt,
		Retries: t.RetryCount, Crashes: t.CrashCount, Lease: t.LeaseID, Asked: t.CancelRequested, Session: t.Session,
		Progress: t.Progress, Aging: t.Aging, History: append([]task.Attempt{}, t.History...),
		Keyed:   t.UniqueHeld && (t.UniqueScope != task.UniqueTTL || t.UniqueUntil.After(m.now)), // nobody notes the end of a ttl
		StartBy: t.ExpiresAt, ReplacedBy: t.ReplacedBy,
	}
	if t.Status == task.Pending {
		v.WaitingFor = int(t.WaitingFor)
	}
	if len(v.Progress.Cursor) == 0 {
		v.Progress.Cursor = nil
	}
	return v
}

func (m *model) viewOf(t *modelTask) taskView {
	v := taskView{
		Status: t.status, Queue: t.pair().Queue, Type: t.Type, WorkerID: t.worker, Payload: fmt.Sprintf("%x", t.Payload), Result: string(t.result),
		Error: t.err, Reason: t.reason, Priority: t.priority(), CreatedAt: t.created, UpdatedAt: t.changed, ScheduledAt: t.at,
		StartedAt: t.started, DeleteAt: t.goes, Attempt: t.attempt, Retries: t.retries, Crashes: t.crashes, Lease: t.lease,
		Asked: t.asked, Progress: t.progress, Aging: t.aging, History: append([]task.Attempt{}, t.history...),
		Keyed: m.holds(t), StartBy: t.startBy, ReplacedBy: t.replacedBy,
	}
	v.Phase = task.Phase(t.status.String())
	switch {
	case t.status == task.InProgress:
		v.Session, v.LeaseUntil = t.claim.Session, t.started.Add(t.claim.Lease)
	case t.status != task.Pending:
	case len(t.parents) > 0:
		v.Phase, v.WaitingFor = task.Blocked, len(t.parents)
	case t.due:
		v.Phase = task.Ready
	default:
		v.Phase = task.Scheduled
	}
	if len(v.Progress.Cursor) == 0 {
		v.Progress.Cursor = nil
	}
	return v
}
