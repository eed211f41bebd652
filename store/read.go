package store

import (
	"bytes"
	"fmt"

	"github.com/linxGnu/grocksdb"

	"github.com/haiku-queue/haiku/task"
)

// Task returns a committed task; nil if there is none. Without withPayload its payload and result are nil.
func (s *Store) Task(id task.ID, withPayload bool) (*task.Task, error) {
	d, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer d.users.Done()
	f := d.freeze()
	defer f.release()
	t, err := d.current(f.opts, id)
	if t == nil || err != nil {
		return nil, err
	}
	if !withPayload {
		t.Payload, t.Result = nil, nil
		return t, nil
	}
	return t, d.fill(f.opts, t)
}

// current finds a task by what index_task_id says of it; nil if there is none. opts freezes the moment, or nothing may
// commit meanwhile.
func (d *database) current(opts *grocksdb.ReadOptions, id task.ID) (*task.Task, error) {
	status, _, removed, known, err := d.indexed(opts, id)
	if err != nil || !known || removed {
		return nil, err
	}
	if status.IsTerminal() {
		if t, err := d.record(opts, status, id); t != nil || err != nil {
			return t, err
		}
	} else {
		for _, status := range [...]task.Status{task.Pending, task.InProgress, task.Failed} {
			if t, err := d.record(opts, status, id); t != nil || err != nil {
				return t, err
			}
		}
	}
	return nil, fmt.Errorf("%w: task %s has no record although %s says %d", errCorrupt, id, famID, status)
}

// record reads the record of a task in the family of status; nil if it is not there.
func (d *database) record(opts *grocksdb.ReadOptions, status task.Status, id task.ID) (t *task.Task, err error) {
	_, err = d.view(opts, statusFamily(status), id[:], func(value []byte) (err error) {
		t, err = decodeRecord(id, status, value)
		return err
	})
	return t, err
}

// indexed reads index_task_id.
func (d *database) indexed(opts *grocksdb.ReadOptions, id task.ID) (status task.Status, hash [16]byte, removed, known bool, err error) {
	known, err = d.view(opts, famID, id[:], func(value []byte) (err error) {
		status, hash, removed, err = readID(value)
		return err
	})
	return status, hash, removed, known, err
}

// Fill loads payload and result of t where they are nil although their size says that there are some.
func (s *Store) Fill(t *task.Task) error {
	d, err := s.acquire()
	if err != nil {
		return err
	}
	defer d.users.Done()
	f := d.freeze()
	defer f.release()
	return d.fill(f.opts, t)
}

func (d *database) fill(opts *grocksdb.ReadOptions, t *task.Task) (err error) {
	inline := func(b []byte, size uint32) bool { return b == nil && size > 0 && size <= task.InlineBytes }
	if inline(t.Payload, t.PayloadSize) || inline(t.Result, t.ResultSize) {
		full, err := d.current(opts, t.ID)
		if err != nil {
			return err
		}
		if full == nil {
			return fmt.Errorf("%w: task %s", task.ErrNotFound, t.ID)
		}
		if inline(t.Payload, t.PayloadSize) {
			t.Payload = full.Payload
		}
		if inline(t.Result, t.ResultSize) {
			t.Result = full.Result
		}
	}
	if t.Payload == nil && t.PayloadSize > task.InlineBytes {
		if t.Payload, err = d.blob(opts, t.ID, partPayload, t.PayloadSize); err != nil {
			return err
		}
	}
	if t.Result == nil && t.ResultSize > task.InlineBytes {
		t.Result, err = d.blob(opts, t.ID, partResult, t.ResultSize)
	}
	return err
}

func (d *database) blob(opts *grocksdb.ReadOptions, id task.ID, part byte, size uint32) (b []byte, err error) {
	found, err := d.view(opts, famBlobs, append(id[:len(id):len(id)], part), func(value []byte) error {
		v, err := readVersion(famBlobs, value)
		b = bytes.Clone(v)
		return err
	})
	if err == nil && (!found || len(b) != int(size)) {
		err = fmt.Errorf("%w: blob %d of task %s has %d bytes, not %d", errCorrupt, part, id, len(b), size)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Stats returns all kept counts, by queue and type.
func (s *Store) Stats() task.Stats { return s.Counts("", "") }

// Counts returns the kept counts of a queue, a type, or one pair; an empty name selects all. No task is looked at.
func (s *Store) Counts(queue, typ string) task.Stats {
	out := task.Stats{Total: task.QueueCounts{Queue: queue, Type: typ}, Queues: []task.QueueCounts{}}
	d, err := s.acquire()
	if err != nil {
		return out
	}
	defer d.users.Done()
	d.mu.RLock()
	defer d.mu.RUnlock()
	out.AppliedIndex = d.applied.Index
	add := func(p *pairState) {
		if p != nil && p.counts != (counts{}) && (queue == "" || queue == p.pair.Queue) && (typ == "" || typ == p.pair.Type) {
			out.Queues = append(out.Queues, p.counts.queueCounts(p.pair))
		}
	}
	switch q := d.pairs.queues[queue]; {
	case queue != "" && typ != "":
		add(d.pairs.byPair[Pair{queue, typ}])
	case q != nil:
		for _, p := range q.pairs {
			add(p)
		}
	case queue == "":
		for _, p := range d.pairs.byPair {
			add(p)
		}
	}
	sortQueueCounts(out.Queues)
	for i := range out.Queues {
		out.Total.Add(&out.Queues[i])
	}
	return out
}

// HasReady reports whether any of the queues has a claimable task of the types; no types means all. It reads memory.
func (s *Store) HasReady(queues, types []string) bool {
	d, err := s.acquire()
	if err != nil {
		return false
	}
	defer d.users.Done()
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, queue := range queues {
		q := d.pairs.queues[queue]
		if q == nil || q.counts[slotReady] == 0 {
			continue
		}
		if len(types) == 0 {
			return true
		}
		for _, typ := range types {
			if p := d.pairs.byPair[Pair{queue, typ}]; p != nil && p.counts[slotReady] > 0 {
				return true
			}
		}
	}
	return false
}

// EachInProgress calls fn for every running task, without payload and result, in the order of their ids. It stops at
// fn's first error and returns it. Commits beside it are not seen.
func (s *Store) EachInProgress(fn func(*task.Task) error) error {
	d, err := s.acquire()
	if err != nil {
		return err
	}
	defer d.users.Done()
	return d.each(famInProgress, nil, nil, func(key, value []byte) error {
		id, err := task.IDFromBytes(key)
		if err != nil {
			return fmt.Errorf("%w: bad key in %s: %x", errCorrupt, famInProgress, key)
		}
		t, err := decodeRecord(id, task.InProgress, value)
		if err != nil {
			return err
		}
		t.Payload, t.Result = nil, nil
		return fn(t)
	})
}

// Meta returns the committed value of key; nil if there is none.
func (s *Store) Meta(key string) ([]byte, error) {
	d, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer d.users.Done()
	return d.meta(key)
}

// ScanMeta lists the committed keys that begin with prefix, in order.
func (s *Store) ScanMeta(prefix string) ([]KV, error) {
	d, err := s.acquire()
	if err != nil {
		return nil, err
	}
	defer d.users.Done()
	return d.scanMeta(prefix, 0, func([]byte) bool { return false })
}

// EachMeta calls fn for the committed keys that begin with prefix and come after the key after, in order, while it
// returns true. It may keep what it gets.
func (s *Store) EachMeta(prefix, after string, fn func(KV) (more bool, err error)) error {
	d, err := s.acquire()
	if err != nil {
		return err
	}
	defer d.users.Done()
	from := prefix
	if after >= prefix {
		from = after + "\x00"
	}
	it := d.scan(famMeta, []byte(from), prefixEnd([]byte(prefix)), nil)
	defer it.close()
	for more := true; more && it.valid(); it.next() {
		v, err := readVersion(famMeta, it.value())
		if err != nil {
			return err
		}
		if more, err = fn(KV{string(it.key()), bytes.Clone(v)}); err != nil {
			return err
		}
	}
	return it.err()
}
