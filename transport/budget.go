package transport

import "sync/atomic"

// budget counts bytes against a limit.
type budget struct {
	limit int64
	used  atomic.Int64
}

// take counts n bytes unless that would go over the limit.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

// takeVital counts n bytes of what keeps work going that was begun: an eighth of the limit is kept for it.
func (b *budget) takeVital(n int64) bool {
	if b.used.Add(n) > b.limit+b.limit/8 {
		b.used.Add(-n)
		return false
	}
	return true
}

// isFull reports whether nothing more can be taken.
func (b *budget) isFull() bool { return b.used.Load() >= b.limit }

// add counts n bytes that exist already, limit or not; negative ones are given back.
func (b *budget) add(n int64) { b.used.Add(n) }
