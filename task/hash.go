package task

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sort"
	"time"
)

// ContentHash is the first 16 bytes of SHA-256 over the fields that the client sent, in this order, each as
//
//	field number uint8 | length uint32 big-endian | bytes
//
// with numbers and times (microseconds) as 8 bytes big-endian. Fields that were not sent are left out, defaults are
// not filled in, and a delay counts as a delay, so the same Spec has the same hash whenever it is sent. The id is not
// part of it, nor are the headers of the trace context: who submits a task again does so in another span, or another
// trace. Dependencies and headers count in sorted order.
func (s *Spec) ContentHash() (sum [16]byte) {
	h := &fieldHash{h: sha256.New()}
	h.bytes(1, []byte(s.Type))
	h.bytes(2, []byte(s.Queue))
	h.bytes(3, s.Payload)
	if s.Priority != nil {
		h.present(4, uint64(*s.Priority))
	}
	h.number(5, uint64(s.Delay.Microseconds()))
	h.time(6, s.ScheduledAt)
	if s.MaxRetries != nil {
		h.present(7, uint64(*s.MaxRetries))
	}
	if s.MaxCrashes != nil {
		h.present(8, uint64(*s.MaxCrashes))
	}
	h.number(9, s.TimeoutSeconds)
	for _, d := range sortedIDs(s.Dependencies) {
		h.bytes(10, d[:])
	}
	h.number(11, uint64(s.OnDependencyFailure))
	for _, header := range sortedHeaders(s.Headers) {
		if header.Name == HeaderTraceParent || header.Name == HeaderTraceState {
			continue
		}
		h.bytes(12, []byte(header.Name))
		h.bytes(13, []byte(header.Value))
	}
	h.bytes(14, []byte(s.UniqueKey))
	h.time(15, s.ExpiresAt)
	h.number(16, uint64(s.Retention.Microseconds()))
	h.number(17, uint64(s.Backoff.Initial.Microseconds()))
	h.number(18, uint64(s.Backoff.FactorPercent))
	h.number(19, uint64(s.Backoff.Max.Microseconds()))
	h.number(20, uint64(s.Backoff.JitterPercent))
	h.number(40, uint64(s.UniqueScope))
	h.number(41, uint64(s.UniqueTTL.Microseconds()))
	h.number(42, uint64(s.OnConflict))
	h.number(43, uint64(s.ExpiresIn.Microseconds()))
	copy(sum[:], h.h.Sum(nil))
	return sum
}

// fieldHash feeds numbered fields into a hash; empty ones are skipped.
type fieldHash struct{ h hash.Hash }

func (f *fieldHash) bytes(number uint8, b []byte) {
	if len(b) == 0 && number != 13 {
		return
	}
	var head [5]byte
	head[0] = number
	binary.BigEndian.PutUint32(head[1:], uint32(len(b)))
	f.h.Write(head[:])
	f.h.Write(b)
}

func (f *fieldHash) present(number uint8, v uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	f.bytes(number, b[:])
}

func (f *fieldHash) number(number uint8, v uint64) {
	if v != 0 {
		f.present(number, v)
	}
}

func (f *fieldHash) time(number uint8, t time.Time) {
	if !t.IsZero() {
		f.present(number, uint64(t.UnixMicro()))
	}
}

func sortedIDs(ids []ID) []ID {
	out := append([]ID(nil), ids...)
	sort.Slice(out, func(i, j int) bool { return string(out[i][:]) < string(out[j][:]) })
	return out
}

func sortedHeaders(headers []Header) []Header {
	out := append([]Header(nil), headers...)
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
