package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// Keys of meta that belong to the store. All others are the caller's; their values get a version byte here too.
//
//	"time"                            -> int64 microseconds, leader time
//	"seq"                             -> uint64, the last number given
//	"log_hash"                        -> 32 bytes
//	"count/" | queue | 00 | type | 00 -> recordpb.Counts; a row of zeros is deleted
//	"local/applied"                   -> | index 8 | term 8 | configuration index 8 | configuration |
//	"local/format"                    -> | format 1 |, written when the database is made
//
// "local/..." is the node's own: it is in no state hash.
const (
	keyTime    = "time"
	keySeq     = "seq"
	keyLogHash = "log_hash"
	keyApplied = "local/applied"
	keyFormat  = "local/format"

	prefixCount = "count/"
	prefixLocal = "local/"

	formatVersion = 1
)

// KV is one key of meta with its value.
type KV struct {
	Key   string
	Value []byte
}

// Applied is how far Raft's log is in the store, and the newest configuration met on the way.
type Applied struct {
	Index, Term        uint64
	Configuration      []byte
	ConfigurationIndex uint64
}

// raise takes over what of o is newer.
func (a *Applied) raise(o *Applied) {
	if o.Index > a.Index {
		a.Index, a.Term = o.Index, o.Term
	}
	if o.ConfigurationIndex > a.ConfigurationIndex {
		a.ConfigurationIndex, a.Configuration = o.ConfigurationIndex, bytes.Clone(o.Configuration)
	}
}

func (a *Applied) encode() []byte {
	b := make([]byte, 0, 24+len(a.Configuration))
	for _, n := range [...]uint64{a.Index, a.Term, a.ConfigurationIndex} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return append(b, a.Configuration...)
}

func decodeApplied(v []byte) (a Applied, err error) {
	if len(v) < 24 {
		return a, fmt.Errorf("%w: %s has %d bytes", errCorrupt, keyApplied, len(v))
	}
	a = Applied{Index: binary.BigEndian.Uint64(v), Term: binary.BigEndian.Uint64(v[8:]), ConfigurationIndex: binary.BigEndian.Uint64(v[16:])}
	if len(v) > 24 {
		a.Configuration = bytes.Clone(v[24:])
	}
	return a, nil
}

func appendCountKey(dst []byte, p Pair) []byte {
	return appendPair(append(dst, prefixCount...), p.Queue, p.Type)
}

func pairOfCountKey(key []byte) (p Pair, ok bool) {
	parts := strings.Split(strings.TrimPrefix(string(key), prefixCount), "\x00")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] != "" {
		return p, false
	}
	return Pair{Queue: parts[0], Type: parts[1]}, true
}

// reserved reports whether key is not the caller's to write.
func reserved(key string) bool {
	return key == "" || key == keyTime || key == keySeq || key == keyLogHash ||
		strings.HasPrefix(key, prefixCount) || strings.HasPrefix(key, prefixLocal)
}

// meta reads a value of meta without its version byte; nil if there is none.
func (d *database) meta(key string) ([]byte, error) {
	value, err := d.get(famMeta, []byte(key))
	if err != nil || value == nil {
		return nil, err
	}
	return readVersion(famMeta, value)
}

// number reads one of the store's own 8-byte values; 0 if there is none.
func (d *database) number(key string) (uint64, error) {
	v, err := d.meta(key)
	if err != nil || v == nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, fmt.Errorf("%w: %s has %d bytes", errCorrupt, key, len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

// scanMeta lists up to limit keys of meta that begin with prefix, in order and without those that skip names.
func (d *database) scanMeta(prefix string, limit int, skip func(key []byte) bool) ([]KV, error) {
	var out []KV
	err := d.each(famMeta, []byte(prefix), nil, func(key, value []byte) error {
		if skip(key) {
			return nil
		}
		if limit > 0 && len(out) == limit {
			return errStop
		}
		v, err := readVersion(famMeta, value)
		if err != nil {
			return err
		}
		out = append(out, KV{string(key), bytes.Clone(v)})
		return nil
	})
	if err != nil && err != errStop {
		return nil, err
	}
	return out, nil
}

// metaChange is what a batch does to one key of meta; a nil value deletes it.
type metaChange struct{ value []byte }

// Meta returns the value of key, or nil. The caller must not change it.
func (b *Batch) Meta(key string) ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	if c, ok := b.meta[key]; ok {
		return c.value, nil
	}
	return b.d.meta(key)
}

// PutMeta sets key. The batch keeps value. Keys of the store's own are refused at Commit.
func (b *Batch) PutMeta(key string, value []byte) {
	if value == nil {
		value = []byte{}
	}
	b.setMeta(key, value)
}

// DeleteMeta removes key, which need not exist.
func (b *Batch) DeleteMeta(key string) { b.setMeta(key, nil) }

func (b *Batch) setMeta(key string, value []byte) {
	if b.err != nil {
		return
	}
	if reserved(key) {
		b.fail(fmt.Errorf("%w: %q", errReserved, key))
		return
	}
	before, had := b.meta[key]
	b.undo = append(b.undo, undo{kind: undoMeta, key: key, value: before.value, had: had})
	b.meta[key] = metaChange{value}
}

// ScanMeta lists the keys that begin with prefix, in order, at most limit of them; all if limit is 0.
func (b *Batch) ScanMeta(prefix string, limit int) ([]KV, error) {
	if b.err != nil {
		return nil, b.err
	}
	out, err := b.d.scanMeta(prefix, limit, func(key []byte) bool { _, changed := b.meta[string(key)]; return changed })
	if err != nil {
		return nil, err
	}
	for key, c := range b.meta {
		if c.value != nil && strings.HasPrefix(key, prefix) {
			out = append(out, KV{key, c.value})
		}
	}
	slices.SortFunc(out, func(a, b KV) int { return strings.Compare(a.Key, b.Key) })
	if limit > 0 && len(out) > limit {
		out = out[:limit]
	}
	return out, nil
}
