package fsm

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/commandpb"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// In meta the setting of a type stands under "retention/" | type, as version uint8 = 1 | body of its SetRetention.
const (
	retentionPrefix  = "retention/"
	retentionVersion = 1
)

// retentions are the settings by type. A machine that changes one makes a new map: others may hold the old one.
type retentions map[string]task.Retention

// loadRetentions reads the settings as they are committed.
func loadRetentions(st *store.Store) (retentions, error) {
	list, err := Retentions(st)
	if err != nil {
		return nil, err
	}
	all := make(retentions, len(list))
	for _, r := range list {
		all[r.Type] = r
	}
	return all, nil
}

// Retentions lists the settings, in the order of types.
func Retentions(st *store.Store) ([]task.Retention, error) {
	kvs, err := st.ScanMeta(retentionPrefix)
	if err != nil {
		return nil, err
	}
	list := make([]task.Retention, 0, len(kvs))
	for _, kv := range kvs {
		if len(kv.Value) == 0 || kv.Value[0] != retentionVersion {
			return nil, fmt.Errorf("retention %q is damaged", kv.Key)
		}
		c, err := decode(kv.Value[1:], &commandpb.SetRetention{}, setRetentionFromPB)
		if err != nil {
			return nil, fmt.Errorf("retention %q: %w", kv.Key, err)
		}
		r := c.(*SetRetention).Retention
		if r.Type != strings.TrimPrefix(kv.Key, retentionPrefix) {
			return nil, fmt.Errorf("retention %q is of type %q", kv.Key, r.Type)
		}
		list = append(list, r)
	}
	return list, nil
}

// keep returns how long a task that ended is kept.
func (rs retentions) keep(t *task.Task) time.Duration {
	if t.Retention > 0 {
		return t.Retention
	}
	builtIn := task.DefaultRetention()
	own, all := rs[t.Type], rs[""]
	for _, r := range [...]*task.Retention{&own, &all} {
		if d := r.Of(t.Status); d != 0 {
			return d
		}
	}
	return builtIn.Of(t.Status)
}

// setRetention changes what tasks that end from now on get; those that have ended keep what they got.
func (m *machine) setRetention(c *SetRetention) (Result, error) {
	key := retentionPrefix + c.Retention.Type
	next := maps.Clone(m.retentions)
	if c.Retention.IsUnset() {
		delete(next, c.Retention.Type)
		m.batch.DeleteMeta(key)
	} else {
		next[c.Retention.Type] = c.Retention
		if len(next) > task.MaxRetentions {
			return Result{Err: fmt.Errorf("%w: %d types have a retention of their own, no more are allowed", task.ErrTooLarge, task.MaxRetentions)}, nil
		}
		body, err := commandToPB(c)
		if err != nil {
			return Result{}, err
		}
		value := make([]byte, 1+body.SizeVT())
		value[0] = retentionVersion
		if _, err := body.MarshalToSizedBufferVT(value[1:]); err != nil {
			return Result{}, err
		}
		m.batch.PutMeta(key, value)
	}
	m.retentions = next
	return Result{}, nil
}

// reap deletes ended tasks whose time is over, and then forgets removed ones whose ids the dedup window no longer
// covers: at most c.Max in all, and never more than task.MaxTouch. A task whose end its dependants are still to be told
// stays until they are. The Result counts what was deleted and forgotten.
func (m *machine) reap(c *Reap) (Result, error) {
	var r Result
	limit := min(c.Max, task.MaxTouch)
	telling, err := m.telling()
	if err != nil {
		return r, err
	}
	ids, err := m.batch.Due(store.RetentionKind, m.now.UnixMicro(), limit)
	if err != nil {
		return r, err
	}
	forgotten := m.now.Add(-c.DedupWindow)
	for _, id := range ids {
		if telling == nil || telling[id] {
			continue
		}
		m.remove(id, !id.Time().Before(forgotten))
		r.Count++
	}
	ids, err = m.batch.Due(store.TombstoneKind, forgotten.UnixMicro()-1, limit-r.Count)
	if err != nil {
		return r, err
	}
	for _, id := range ids {
		if telling == nil || telling[id] {
			continue
		}
		m.batch.Forget(id)
		r.Count++
	}
	removed := r.Count
	r, err = m.settled(r, removed)
	r.Count, r.More = removed, r.More || removed == limit
	return r, err
}

// telling returns the tasks that work is left of; nil if there are too many to look at.
func (m *machine) telling() (map[task.ID]bool, error) {
	items, err := m.batch.ScanMeta(workPrefix, task.MaxTouch)
	if err != nil || len(items) == task.MaxTouch {
		return nil, err
	}
	parents := make(map[task.ID]bool, len(items))
	for _, item := range items {
		w, err := decodeWork(item)
		if err != nil {
			return nil, err
		}
		parents[w.Parent] = true
	}
	return parents, nil
}
