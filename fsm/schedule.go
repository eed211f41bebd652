package fsm

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// In meta a schedule stands under "schedule/" | name, as version uint8 = 1 | body of commandpb.Schedule without its
// task's payload, so that a fire does not write that again; the payload, if there is one, under "schedule_payload/" |
// name as version uint8 = 1 | bytes; and how many schedules there are under "schedules", as uint64.
const (
	schedulePrefix  = "schedule/"
	payloadPrefix   = "schedule_payload/"
	scheduleCount   = "schedules"
	scheduleVersion = 1
)

// metaReader is what a store and a batch have in common here.
type metaReader interface {
	Meta(key string) ([]byte, error)
}

// loadSchedule reads a schedule with its payload; nil if there is none.
func loadSchedule(from metaReader, name string) (*task.Schedule, error) {
	s, err := readSchedule(from, name)
	if err != nil || s == nil {
		return nil, err
	}
	payload, err := from.Meta(payloadPrefix + name)
	if err != nil || payload == nil {
		return s, err
	}
	if len(payload) < 1 || payload[0] != scheduleVersion {
		return nil, fmt.Errorf("payload of schedule %q is damaged", name)
	}
	s.Task.Payload = append([]byte(nil), payload[1:]...)
	return s, nil
}

func readSchedule(from metaReader, name string) (*task.Schedule, error) {
	value, err := from.Meta(schedulePrefix + name)
	if err != nil || value == nil {
		return nil, err
	}
	return decodeSchedule(store.KV{Key: schedulePrefix + name, Value: value})
}

func decodeSchedule(kv store.KV) (*task.Schedule, error) {
	if len(kv.Value) == 0 || kv.Value[0] != scheduleVersion {
		return nil, fmt.Errorf("%q is damaged", kv.Key)
	}
	var m commandpb.Schedule
	if err := m.UnmarshalVT(kv.Value[1:]); err != nil {
		return nil, fmt.Errorf("%q: %w", kv.Key, err)
	}
	s, err := scheduleFromPB(&m)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", kv.Key, err)
	}
	if s.Name != strings.TrimPrefix(kv.Key, schedulePrefix) {
		return nil, fmt.Errorf("%q is of schedule %q", kv.Key, s.Name)
	}
	return s, nil
}

// keepSchedule writes a schedule but for its payload.
func (m *machine) keepSchedule(s *task.Schedule) error {
	light := *s
	light.Task.Payload = nil
	body := scheduleToPB(&light)
	value := make([]byte, 1+body.SizeVT())
	value[0] = scheduleVersion
	if _, err := body.MarshalToSizedBufferVT(value[1:]); err != nil {
		return err
	}
	m.batch.PutMeta(schedulePrefix+s.Name, value)
	return nil
}

// setSchedule makes or changes a schedule.
func (m *machine) setSchedule(c *SetSchedule) (Result, error) {
	s := c.Schedule
	old, err := loadSchedule(m.batch, s.Name)
	if err != nil {
		return Result{}, err
	}
	if old == nil {
		if s.Version != 0 {
			return Result{}, nil
		}
		count, err := m.countSchedules(1)
		if err != nil {
			return Result{}, err
		}
		if count > task.MaxSchedules {
			return Result{Err: fmt.Errorf("%w: there are %d schedules, no more are allowed", task.ErrTooLarge, task.MaxSchedules)}, nil
		}
		old = &task.Schedule{ID: m.batch.NextSeq(), CreatedAt: m.now}
	}
	if s.Version != old.Version {
		return Result{}, nil
	}
	s.ID, s.CreatedAt, s.UpdatedAt, s.Version = old.ID, old.CreatedAt, m.now, m.batch.NextSeq()
	s.LastFire, s.LastTask, s.LastError, s.Fired, s.Skipped = old.LastFire, old.LastTask, old.LastError, old.Fired, old.Skipped
	switch {
	case len(s.Task.Payload) > 0:
		m.batch.PutMeta(payloadPrefix+s.Name, append([]byte{scheduleVersion}, s.Task.Payload...))
	case len(old.Task.Payload) > 0:
		m.batch.DeleteMeta(payloadPrefix + s.Name)
	}
	return Result{Count: 1}, m.keepSchedule(&s)
}

func (m *machine) removeSchedule(c *RemoveSchedule) (Result, error) {
	old, err := loadSchedule(m.batch, c.Name)
	if err != nil {
		return Result{}, err
	}
	if old == nil {
		return noSchedule(c.Name), nil
	}
	m.batch.DeleteMeta(schedulePrefix + c.Name)
	if len(old.Task.Payload) > 0 {
		m.batch.DeleteMeta(payloadPrefix + c.Name)
	}
	_, err = m.countSchedules(-1)
	return Result{}, err
}

func noSchedule(name string) Result {
	return Result{Err: fmt.Errorf("%w: schedule %q", task.ErrNotFound, name)}
}

// countSchedules changes how many schedules there are, and returns the new number.
func (m *machine) countSchedules(change int) (int, error) {
	value, err := m.batch.Meta(scheduleCount)
	if err != nil {
		return 0, err
	}
	count := change
	if value != nil {
		count += int(binary.BigEndian.Uint64(value))
	}
	m.batch.PutMeta(scheduleCount, binary.BigEndian.AppendUint64(nil, uint64(count)))
	return count, nil
}

// fire submits the task of a schedule and goes on to its next fire, if that has not been done. A submit that is refused
// is noted, and the schedule goes on.
func (m *machine) fire(c *Fire) (Result, error) {
	s, err := loadSchedule(m.batch, c.Name)
	if err != nil {
		return Result{}, err
	}
	if c.Trigger != (task.ID{}) {
		return m.trigger(s, c)
	}
	if s == nil || s.Version != c.Version || s.Next.IsZero() || !s.Next.Equal(c.Due) {
		return Result{}, nil
	}
	s.Next = c.Next
	if c.At.IsZero() {
		return Result{}, m.keepSchedule(s)
	}
	running, err := m.overlaps(s)
	if err != nil {
		return Result{}, err
	}
	s.LastFire = c.At
	if running {
		s.Skipped++
		return Result{}, m.keepSchedule(s)
	}
	cluster, err := clusterID(m.batch)
	if err != nil {
		return Result{}, err
	}
	return m.submitFor(s, task.FireID(cluster, s.ID, c.At), c.At)
}

// trigger submits the task of a schedule now; of one that is paused, too.
func (m *machine) trigger(s *task.Schedule, c *Fire) (Result, error) {
	if s == nil {
		return noSchedule(c.Name), nil
	}
	_, _, known, err := m.batch.Ended(c.Trigger)
	if err != nil {
		return Result{}, err
	}
	if known { // the same request again
		return Result{Receipts: []task.Receipt{{ID: c.Trigger, Duplicate: true}}}, nil
	}
	running, err := m.overlaps(s)
	if err != nil {
		return Result{}, err
	}
	if running {
		return Result{Err: fmt.Errorf("%w: task %s of the last fire of schedule %q has not ended, and they may not overlap",
			task.ErrTransition, s.LastTask, s.Name)}, nil
	}
	s.LastFire = m.now
	return m.submitFor(s, c.Trigger, m.now)
}

// overlaps reports whether a fire is to be skipped because the task of the one before has not ended.
func (m *machine) overlaps(s *task.Schedule) (bool, error) {
	if s.Overlap == task.OverlapAllow || s.LastTask == (task.ID{}) {
		return false, nil
	}
	status, _, known, err := m.batch.Ended(s.LastTask)
	return known && !status.IsTerminal(), err
}

// submitFor submits a schedule's task with the given id and keeps the schedule. No window for old ids holds for it: a
// fire that is caught up may be older, and happens once all the same.
func (m *machine) submitFor(s *task.Schedule, id task.ID, at time.Time) (Result, error) {
	spec := s.Submission(id, at)
	r, err := m.submit(&Submit{Specs: []task.Spec{spec}, Hashes: [][16]byte{spec.ContentHash()}, DedupWindow: task.MaxDelay})
	if err != nil {
		return Result{}, err
	}
	if refused := r.Receipts[0].Err; refused != nil {
		s.LastError = task.ClipText(refused.Error(), task.MaxReason)
	} else {
		s.LastTask, s.LastError = r.Receipts[0].ID, ""
		s.Fired++
	}
	return r, m.keepSchedule(s)
}

// Schedule reads a schedule as it is committed, with its payload; nil if there is none.
func Schedule(st *store.Store, name string) (*task.Schedule, error) { return loadSchedule(st, name) }

// ScheduleState reads a schedule as it is committed, without its payload; nil if there is none.
func ScheduleState(st *store.Store, name string) (*task.Schedule, error) {
	return readSchedule(st, name)
}

// EachSchedule calls fn for the committed schedules whose names come after the given one, in the order of names and
// without payloads, while it returns true.
func EachSchedule(st *store.Store, after string, fn func(*task.Schedule) bool) error {
	if after != "" {
		after = schedulePrefix + after
	}
	return st.EachMeta(schedulePrefix, after, func(kv store.KV) (bool, error) {
		s, err := decodeSchedule(kv)
		return err == nil && fn(s), err
	})
}
