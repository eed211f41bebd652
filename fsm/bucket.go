package fsm

import (
	"encoding/binary"
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// bucket is what a rate has left. A task takes as many units as the rate's period has microseconds, and each microsecond
// brings as many as its count, so that no fraction is ever lost. A bucket that does not exist is full.
//
// In meta it stands under "rate/" and the name of its settings, as version uint8 = 1 | level int64 | at int64.
type bucket struct {
	level int64 // units at that moment
	at    int64 // microseconds
}

const (
	bucketVersion = 1
	bucketSize    = 1 + 8 + 8
)

// filled returns the units at a moment.
func (b *bucket) filled(r *task.Rate, now int64) int64 {
	full, count := int64(r.Burst)*r.Per.Microseconds(), int64(r.Count)
	elapsed := max(0, now-b.at)
	if elapsed > (full-b.level)/count {
		return full
	}
	return b.level + elapsed*count
}

// left returns how many tasks may be claimed at a moment, and if none, when the next may.
func (b *bucket) left(r *task.Rate, now int64) (n, next int64) {
	level, per := b.filled(r, now), r.Per.Microseconds()
	if level >= per {
		return level / per, 0
	}
	count := int64(r.Count)
	return 0, now + (per-level+count-1)/count
}

// take returns the bucket after one task was claimed.
func (b *bucket) take(r *task.Rate, now int64) bucket {
	return bucket{level: b.filled(r, now) - r.Per.Microseconds(), at: now}
}

// carry returns the bucket under another rate: with the same tasks left, as far as it holds them.
func (b *bucket) carry(from, to *task.Rate, now int64) bucket {
	left := b.filled(from, now) / from.Per.Microseconds()
	return bucket{level: min(left, int64(to.Burst)) * to.Per.Microseconds(), at: now}
}

func (b *bucket) encode() []byte {
	value := append(make([]byte, 0, bucketSize), bucketVersion)
	value = binary.BigEndian.AppendUint64(value, uint64(b.level))
	return binary.BigEndian.AppendUint64(value, uint64(b.at))
}

func decodeBucket(key string, v []byte) (bucket, error) {
	if len(v) != bucketSize || v[0] != bucketVersion {
		return bucket{}, fmt.Errorf("rate %q is damaged", key)
	}
	return bucket{level: int64(binary.BigEndian.Uint64(v[1:])), at: int64(binary.BigEndian.Uint64(v[9:]))}, nil
}
