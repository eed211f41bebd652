package store

import (
	"cmp"
	"maps"
	"slices"
)

// unreadable stands for a counter whose value makes no sense; no recount is equal to it.
var unreadable = counts{slotReady: -1}

// readRows reads the counters as they are written.
func (v *verifier) readRows() error {
	return v.d.each(famMeta, []byte(prefixCount), v.at.at, func(key, value []byte) error {
		pair, ok := pairOfCountKey(key)
		if !ok {
			v.note(&v.found.Corrected, "bad counter %x", key)
			return v.repair.delete(famMeta, key)
		}
		n, err := countsOf(value)
		if err != nil {
			n = unreadable
		}
		v.rows[pair] = n
		return nil
	})
}

// counters compares the recount with the rows in meta and with memory. Where a record is not known for sure, neither is
// the recount: then differences are reported and the rows stay.
func (v *verifier) counters() error {
	pairs := make(map[Pair]struct{})
	for pair := range v.rows {
		pairs[pair] = struct{}{}
	}
	for pair := range v.counted {
		pairs[pair] = struct{}{}
	}
	for pair := range v.memory {
		pairs[pair] = struct{}{}
	}
	sorted := slices.SortedFunc(maps.Keys(pairs), func(a, b Pair) int {
		return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Type, b.Type))
	})
	for _, pair := range sorted {
		if err := v.counter(pair); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) counter(pair Pair) error {
	var want counts
	if n := v.counted[pair]; n != nil {
		want = *n
	}
	row, exists := v.rows[pair]
	zero := exists && row == counts{} // a row of zeros is never written
	if row == want && v.memory[pair] == want && !zero {
		return nil
	}
	count, end := &v.found.Corrected, ""
	if v.undecided > 0 {
		count, end = &v.found.Damaged, "; with records damaged nobody can tell which is right"
	}
	switch {
	case row == unreadable:
		v.note(count, "counts of %s/%s cannot be read, recounted %v%s", pair.Queue, pair.Type, want, end)
	case row != want || zero:
		v.note(count, "counts of %s/%s are %v, recounted %v%s", pair.Queue, pair.Type, row, want, end)
	default:
		v.note(count, "counts of %s/%s are %v in memory, recounted %v%s", pair.Queue, pair.Type, v.memory[pair], want, end)
	}
	if v.undecided > 0 {
		return nil
	}
	key := appendCountKey(nil, pair)
	if want == (counts{}) {
		return v.repair.delete(famMeta, key)
	}
	value, err := want.value()
	if err != nil {
		return err
	}
	return v.repair.put(famMeta, key, value)
}
