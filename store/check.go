package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// maxProblems bounds what one Check reports.
const maxProblems = 20

// Check compares every index entry with the records and the other way round, and recounts the counters. It changes
// nothing, reads the state of one moment, and may take long. The error joins the first problems found.
func (s *Store) Check() error {
	d, err := s.acquire()
	if err != nil {
		return err
	}
	defer d.users.Done()
	return d.check()
}

func (d *database) check() error {
	c := &checker{d: d, counted: make(map[Pair]*counts)}
	d.writing.Lock()
	c.at, c.seq, c.kept = d.freeze(), d.seq, d.pairsCopy()
	d.writing.Unlock()
	defer c.at.release()
	if err := c.run(); err != nil && !errors.Is(err, errStop) {
		return fmt.Errorf("check: %w", err)
	}
	return errors.Join(c.problems...)
}

// pairsCopy copies the committed counts.
func (d *database) pairsCopy() map[Pair]counts {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make(map[Pair]counts, len(d.pairs.byPair))
	for pair, p := range d.pairs.byPair {
		if p.counts != (counts{}) {
			out[pair] = p.counts
		}
	}
	return out
}

type checker struct {
	d        *database
	at       *frozen
	seq      uint64
	kept     map[Pair]counts // as memory has them
	counted  map[Pair]*counts
	entries  [familyCount]int // that the records call for
	problems []error
	keys     keyList
}

func (c *checker) report(format string, args ...any) error {
	c.problems = append(c.problems, fmt.Errorf("%w: "+format, append([]any{errCorrupt}, args...)...))
	if len(c.problems) >= maxProblems {
		return errStop
	}
	return nil
}

func (c *checker) run() error {
	for _, status := range task.Statuses {
		err := c.d.each(statusFamily(status), nil, c.at.at, func(key, value []byte) error { return c.record(status, key, value) })
		if err != nil {
			return err
		}
	}
	for f := famBlobs; f < famMeta; f++ {
		if err := c.index(f); err != nil {
			return err
		}
	}
	return c.counts()
}

// record checks that one record has all its entries.
func (c *checker) record(status task.Status, key, value []byte) error {
	id, err := task.IDFromBytes(key)
	if err != nil {
		return c.report("key in %s: %w", statusFamily(status), err)
	}
	t, err := decodeRecord(id, status, value)
	if err != nil {
		return c.report("%s: %w", statusFamily(status), err)
	}
	pair := Pair{t.Queue, t.Type}
	if c.counted[pair] == nil {
		c.counted[pair] = &counts{}
	}
	c.counted[pair][slotOf(t)]++
	if t.Seq > c.seq || t.LeaseID > c.seq {
		if err := c.report("task %s has seq %d and lease %d above the counter %d", id, t.Seq, t.LeaseID, c.seq); err != nil {
			return err
		}
	}
	c.keys.reset()
	c.keys.addKeys(t)
	c.keys.addDependencyKeys(t)
	for i := range c.keys.entries {
		if err := c.entry(t, &c.keys.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) entry(t *task.Task, e *entry) error {
	wrong := false
	found, err := c.d.view(c.at.opts, e.family, e.key, func(value []byte) error {
		if e.family == famBlobs {
			size := t.PayloadSize
			if e.key[len(e.key)-1] == partResult {
				size = t.ResultSize
			}
			wrong = len(value) != int(size)+1 || value[0] != valueVersion
		} else {
			wrong = !bytes.Equal(value, e.value)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case !found:
		return c.report("%s has no entry %x of task %s", e.family, e.key, t.ID)
	case wrong:
		c.entries[e.family]++
		return c.report("%s has a wrong value at %x of task %s", e.family, e.key, t.ID)
	}
	c.entries[e.family]++
	return nil
}

// index checks that a family has no entry but those that the records call for. All of these were found, so equal
// numbers mean equal sets; only if they differ is each entry traced back to its record.
func (c *checker) index(f family) error {
	n := 0
	err := c.d.each(f, nil, c.at.at, func(_, value []byte) error {
		if f == famID {
			if _, _, removed, err := readID(value); err == nil && removed {
				return nil
			}
		}
		n++
		return nil
	})
	if err != nil || n == c.entries[f] {
		return err
	}
	return c.d.each(f, nil, c.at.at, func(key, value []byte) error {
		if called, err := c.calledFor(f, key); err != nil || called {
			return err
		}
		return c.report("%s has the entry %x, which no record calls for", f, key)
	})
}

// calledFor reports whether the record of the task that a key names calls for that key.
func (c *checker) calledFor(f family, key []byte) (bool, error) {
	end := len(key)
	if f == famBlobs {
		end--
	}
	if end < 16 || f == famUnique {
		return false, nil
	}
	id := task.ID(key[end-16:])
	for _, status := range task.Statuses {
		t, err := c.d.record(c.at.opts, status, id)
		if err != nil {
			return false, err
		}
		if t == nil {
			continue
		}
		c.keys.reset()
		c.keys.addKeys(t)
		c.keys.addDependencyKeys(t)
		for i := range c.keys.entries {
			if e := &c.keys.entries[i]; e.family == f && bytes.Equal(e.key, key) {
				return true, nil
			}
		}
	}
	if f == famID {
		return c.isTombstone(key)
	}
	return false, nil
}

func (c *checker) isTombstone(key []byte) (removed bool, err error) {
	_, err = c.d.view(c.at.opts, famID, key, func(value []byte) error {
		var bad error
		if _, _, removed, bad = readID(value); bad != nil {
			removed = false
		}
		return nil
	})
	return removed, err
}

// counts compares the recount with the rows in meta and with memory.
func (c *checker) counts() error {
	rows := make(map[Pair]counts)
	err := c.d.each(famMeta, []byte(prefixCount), c.at.at, func(key, value []byte) error {
		pair, ok := pairOfCountKey(key)
		n, err := countsOf(value)
		if !ok || err != nil {
			return c.report("bad counter %x -> %x", key, value)
		}
		rows[pair] = n
		return nil
	})
	if err != nil {
		return err
	}
	for pair, n := range c.counted {
		if rows[pair] != *n {
			if err := c.report("counts of %v are %v, recounted %v", pair, rows[pair], *n); err != nil {
				return err
			}
		}
	}
	for pair, n := range rows {
		if c.counted[pair] == nil {
			if err := c.report("counts of %v are %v, but it has no tasks", pair, n); err != nil {
				return err
			}
		}
		if c.kept[pair] != n {
			if err := c.report("counts of %v are %v, in memory %v", pair, n, c.kept[pair]); err != nil {
				return err
			}
		}
	}
	if len(c.kept) != len(rows) {
		return c.report("memory counts %d pairs, the database %d", len(c.kept), len(rows))
	}
	return nil
}
