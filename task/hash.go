package task

import (
	"crypto/sha256"
	"encoding/binary"
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
func (s *Spec) ContentHash() [16]byte {
	var small [1 << 10]byte
	h := fieldBytes(small[:0])
	h = h.text(1, s.Type)
	h = h.text(2, s.Queue)
	h = h.bytes(3, s.Payload)
	if s.Priority != nil {
		h = h.present(4, uint64(*s.Priority))
	}
	h = h.number(5, uint64(s.Delay.Microseconds()))
	h = h.time(6, s.ScheduledAt)
	if s.MaxRetries != nil {
		h = h.present(7, uint64(*s.MaxRetries))
	}
	if s.MaxCrashes != nil {
		h = h.present(8, uint64(*s.MaxCrashes))
	}
	h = h.number(9, s.TimeoutSeconds)
	for _, d := range sortedIDs(s.Dependencies) {
		h = h.bytes(10, d[:])
	}
	h = h.number(11, uint64(s.OnDependencyFailure))
	for _, header := range sortedHeaders(s.Headers) {
		if header.Name == HeaderTraceParent || header.Name == HeaderTraceState {
			continue
		}
		h = h.text(12, header.Name)
		h = h.text(13, header.Value)
	}
	h = h.text(14, s.UniqueKey)
	h = h.time(15, s.ExpiresAt)
	h = h.number(16, uint64(s.Retention.Microseconds()))
	h = h.number(17, uint64(s.Backoff.Initial.Microseconds()))
	h = h.number(18, uint64(s.Backoff.FactorPercent))
	h = h.number(19, uint64(s.Backoff.Max.Microseconds()))
	h = h.number(20, uint64(s.Backoff.JitterPercent))
	h = h.number(40, uint64(s.UniqueScope))
	h = h.number(41, uint64(s.UniqueTTL.Microseconds()))
	h = h.number(42, uint64(s.OnConflict))
	h = h.number(43, uint64(s.ExpiresIn.Microseconds()))
	whole := sha256.Sum256(h)
	return [16]byte(whole[:16])
}

// fieldBytes is what numbered fields are hashed as, one after the other; empty ones are skipped.
type fieldBytes []byte

func (f fieldBytes) bytes(number uint8, b []byte) fieldBytes {
	if len(b) == 0 {
		return f
	}
	return append(f.head(number, len(b)), b...)
}

// text is bytes for a string; a header's value (13) counts when empty, too.
func (f fieldBytes) text(number uint8, s string) fieldBytes {
	if len(s) == 0 && number != 13 {
		return f
	}
	return append(f.head(number, len(s)), s...)
}

func (f fieldBytes) head(number uint8, length int) fieldBytes {
	return binary.BigEndian.AppendUint32(append(f, number), uint32(length))
}

func (f fieldBytes) present(number uint8, v uint64) fieldBytes {
	return binary.BigEndian.AppendUint64(f.head(number, 8), v)
}

func (f fieldBytes) number(number uint8, v uint64) fieldBytes {
	if v == 0 {
		return f
	}
	return f.present(number, v)
}

func (f fieldBytes) time(number uint8, t time.Time) fieldBytes {
	if t.IsZero() {
		return f
	}
	return f.present(number, uint64(t.UnixMicro()))
}

func sortedIDs(ids []ID) []ID {
	if len(ids) < 2 {
		return ids
	}
	out := append([]ID(nil), ids...)
	sort.Slice(out, func(i, j int) bool { return string(out[i][:]) < string(out[j][:]) })
	return out
}

func sortedHeaders(headers []Header) []Header {
	if len(headers) < 2 {
		return headers
	}
	out := append([]Header(nil), headers...)
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}
