package store

import (
	"fmt"
)

// load reads what memory holds of a database that was just opened.
func (d *database) load(mode openMode) error {
	if err := d.checkFormat(mode); err != nil {
		return err
	}
	applied, err := d.meta(keyApplied)
	if err != nil {
		return err
	}
	if applied != nil {
		if d.applied, err = decodeApplied(applied); err != nil {
			return err
		}
	}
	us, err := d.number(keyTime)
	if err != nil {
		return err
	}
	d.time = int64(us)
	if d.seq, err = d.number(keySeq); err != nil {
		return err
	}
	hash, err := d.meta(keyLogHash)
	if err != nil {
		return err
	}
	copy(d.logHash[:], hash)
	return d.loadDerived()
}

// loadDerived reads what memory holds of indexes and counters.
func (d *database) loadDerived() error {
	for kind := range d.floors {
		d.floors[kind] = minTime
	}
	if err := d.loadCounts(); err != nil {
		return err
	}
	if err := d.loadRecentIDs(); err != nil {
		return err
	}
	s := d.scan(famDependents, nil, nil, nil)
	defer s.close()
	d.dependents = s.valid()
	return s.err()
}

// reload forgets what memory holds of indexes and counters, and reads it anew. No batch may be open.
func (d *database) reload() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pairs, d.headEntries = newPairTable(), 0
	return d.loadDerived()
}

// checkFormat refuses a database that another version wrote, and marks a new one.
func (d *database) checkFormat(mode openMode) error {
	format, err := d.meta(keyFormat)
	switch {
	case err != nil:
		return err
	case format == nil && mode == openCreating:
		d.writer.reset()
		d.writer.putVersioned(famMeta, []byte(keyFormat), []byte{formatVersion})
		if err := d.put(&d.writer); err != nil {
			return err
		}
		return d.sync()
	case len(format) != 1 || format[0] != formatVersion:
		return fmt.Errorf("%w: format %x, this program knows %d", errCorrupt, format, formatVersion)
	}
	return nil
}

func (d *database) loadCounts() error {
	return d.each(famMeta, []byte(prefixCount), nil, func(key, value []byte) error {
		pair, ok := pairOfCountKey(key)
		c, err := countsOf(value)
		if (!ok || err != nil) && d.tolerant {
			return nil // Verify sees it
		}
		if !ok {
			return fmt.Errorf("%w: bad key in %s: %x", errCorrupt, famMeta, key)
		}
		if err != nil {
			return err
		}
		d.pairs.insert(&pairState{pair: pair, counts: c})
		return nil
	})
}
