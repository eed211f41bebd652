package store

import "fmt"

const (
	repairKeys  = 4096    // in one write, at most
	repairBytes = 1 << 20 // about, likewise
)

// repair writes what Verify found wrong, a bounded number of keys at a time. Any part of it leaves a database that is
// closer to its records. A nil one writes nothing.
type repair struct {
	d     *database
	w     writer
	keys  int // in w
	size  int // of w
	wrote bool
}

func newRepair(d *database) *repair {
	r := &repair{d: d, w: writer{ids: &d.familyIDs}}
	r.w.reset()
	return r
}

func (r *repair) put(f family, key, value []byte) error {
	if r == nil {
		return nil
	}
	r.w.put(f, key, value)
	return r.added(len(key) + len(value))
}

func (r *repair) delete(f family, key []byte) error {
	if r == nil {
		return nil
	}
	r.w.delete(f, key)
	return r.added(len(key))
}

func (r *repair) added(size int) error {
	r.keys++
	if r.size += size; r.keys < repairKeys && r.size < repairBytes {
		return nil
	}
	return r.flush()
}

func (r *repair) flush() error {
	if r.keys == 0 {
		return nil
	}
	r.wrote = true
	if err := r.d.put(&r.w); err != nil {
		return fmt.Errorf("write repairs: %w", err)
	}
	r.w.reset()
	r.keys, r.size = 0, 0
	return nil
}
