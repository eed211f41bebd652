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

// add counts n bytes that exist already, limit or not; negative ones are given back.
func (b *budget) add(n int64) { b.used.Add(n) }
