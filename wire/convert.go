package wire

import (
	"fmt"
	"math"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// maxTime is the last moment that JSON can say: the end of the year 9999, in microseconds.
const maxTime = 253402300799999999

// durationLimit is the longest duration on the wire, in microseconds: what 64 bits of nanoseconds hold.
const durationLimit = math.MaxInt64 / int64(time.Microsecond)

// duration reads microseconds. The error wraps task.ErrInvalid and names the field.
func duration(field string, us int64) (time.Duration, error) {
	if us < 0 || us > durationLimit {
		return 0, fmt.Errorf("%w: %s %d is not within 0 and %d", task.ErrInvalid, field, us, durationLimit)
	}
	return time.Duration(us) * time.Microsecond, nil
}

// moment reads microseconds since 1970; 0 is the zero time. The error wraps task.ErrInvalid and names the field.
func moment(field string, us int64) (time.Time, error) {
	if us == 0 {
		return time.Time{}, nil
	}
	if us < 0 || us > maxTime {
		return time.Time{}, fmt.Errorf("%w: %s %d is not within 0 and %d", task.ErrInvalid, field, us, int64(maxTime))
	}
	return time.UnixMicro(us).UTC(), nil
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// small reads a number that has to fit a byte. The error wraps task.ErrInvalid and names the field.
func small(field string, v uint32) (uint8, error) {
	if v > math.MaxUint8 {
		return 0, fmt.Errorf("%w: %s %d is not within 0 and 255", task.ErrInvalid, field, v)
	}
	return uint8(v), nil
}

// id16 reads 16 bytes. The error wraps task.ErrInvalid and names the field.
func id16[T ~[16]byte](field string, b []byte) (T, error) {
	if len(b) != 16 {
		return T{}, fmt.Errorf("%w: %s is of %d bytes, not 16", task.ErrInvalid, field, len(b))
	}
	return T(b), nil
}

// optionalID16 reads 16 bytes, or none for the zero id. The error wraps task.ErrInvalid and names the field.
func optionalID16[T ~[16]byte](field string, b []byte) (T, error) {
	if len(b) == 0 {
		return T{}, nil
	}
	return id16[T](field, b)
}

// bytesOf returns the bytes of an id, nil for the zero id.
func bytesOf[T ~[16]byte](id T) []byte {
	var zero T
	if id == zero {
		return nil
	}
	return id[:]
}

// IDsToPB says task ids on the wire.
func IDsToPB(ids []task.ID) [][]byte {
	if len(ids) == 0 {
		return nil
	}
	all := make([]byte, 0, 16*len(ids))
	out := make([][]byte, len(ids))
	for i := range ids {
		all = append(all, ids[i][:]...)
		out[i] = all[16*i : 16*i+16 : 16*i+16]
	}
	return out
}

// IDsFromPB reads task ids. The error wraps task.ErrInvalid and names the place.
func IDsFromPB(field string, raw [][]byte) ([]task.ID, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	ids := make([]task.ID, len(raw))
	for i, b := range raw {
		var err error
		if ids[i], err = id16[task.ID](field, b); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return ids, nil
}

// each converts a list; the error names the place.
func each[From, To any](list []From, convert func(From) (To, error)) ([]To, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make([]To, len(list))
	for i, v := range list {
		var err error
		if out[i], err = convert(v); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
	}
	return out, nil
}

// fields gathers the first error of several conversions, so that a long message reads as one list.
type fields struct{ err error }

func take[T any](f *fields, v T, err error) T {
	if f.err == nil {
		f.err = err
	}
	return v
}
