package cluster

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// boltLog keeps Raft's log and votes in one bbolt file, fsynced with each write. bbolt has checksums for its two first
// pages alone, so everything here carries its own:
//
//	bucket "logs": index 8 | part 2 -> a part, of up to partBytes, of
//	    | CRC-32C 4 | type 1 | term 8 | appended at, ns since 1970, 8 | data length 4 | data | extensions |
//	    its sequence is the index of the last entry, 0 if there is none
//	bucket "conf": key -> | CRC-32C 4 | value |
//	    its sequence is the CRC-32C of all keys and values, in order
//
// all big-endian. The CRC of an entry is over its index and what follows the CRC, that of a value over its key and what
// follows. A bucket's sequence stands in a page that every write replaces anyway. To change any of it, give the buckets
// other names.
//
// Entries are cut into parts because bbolt puts at least two, and up to four, values in a page, and writes the last page
// anew with each append: of an entry of 18 KB it would write ten times as much.
type boltLog struct {
	path   string
	db     *bbolt.DB
	broken atomic.Bool // bbolt was left in the middle of something, perhaps with its locks held
}

var (
	logsBucket = []byte("logs")
	confBucket = []byte("conf")

	errKeyNotFound = errors.New("not found") // Raft compares this text
	castagnoli     = crc32.MakeTable(crc32.Castagnoli)
)

const (
	boltLockTimeout = 5 * time.Second
	sumBytes        = 4
	entryHead       = sumBytes + 1 + 8 + 8 + 4
	partBytes       = 2000 // two fill a page of 4 KiB
)

// openBoltLog opens or makes the file at path and says which entries it holds. A file that is not as this package writes
// it is refused before bbolt sees it, which would panic.
func openBoltLog(path string) (logFiles, logExtent, error) {
	extent, err := checkBolt(path)
	if err != nil {
		return nil, extent, err
	}
	b := &boltLog{path: path}
	err = b.guard(func() (err error) {
		b.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout: boltLockTimeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		})
		return err
	})
	if err != nil {
		return nil, extent, err
	}
	if extent.last() != 0 {
		return b, extent, nil
	}
	err = b.update(func(tx *bbolt.Tx) error {
		_, err1 := tx.CreateBucketIfNotExists(logsBucket)
		_, err2 := tx.CreateBucketIfNotExists(confBucket)
		return errors.Join(err1, err2)
	})
	if err != nil {
		return nil, extent, errors.Join(err, b.Close())
	}
	return b, extent, nil
}

// Close closes the file, unless it is damaged: then that is left to the end of the process.
func (b *boltLog) Close() error {
	if b.broken.Load() {
		return nil
	}
	return b.db.Close()
}

// guard makes an error of a panic, which is how bbolt answers pages that make no sense, and of a fault in the mapped
// file, which is how the system answers when the file has become shorter.
func (b *boltLog) guard(do func() error) (err error) {
	if b.broken.Load() {
		return damaged(b.path, "it was found damaged before")
	}
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if p := recover(); p != nil {
			b.broken.Store(true)
			err = damaged(b.path, "%v", p)
		}
	}()
	return do()
}

func (b *boltLog) update(do func(*bbolt.Tx) error) error {
	return b.guard(func() error { return b.db.Update(do) })
}

func (b *boltLog) view(do func(*bbolt.Tx) error) error {
	return b.guard(func() error { return b.db.View(do) })
}

// FirstIndex is the index of the oldest entry; 0 if there is none.
func (b *boltLog) FirstIndex() (index uint64, err error) {
	return index, b.view(func(tx *bbolt.Tx) error {
		if k, _ := tx.Bucket(logsBucket).Cursor().First(); k != nil {
			index = binary.BigEndian.Uint64(k)
		}
		return nil
	})
}

// LastIndex is the index of the newest entry; 0 if there is none.
func (b *boltLog) LastIndex() (index uint64, err error) {
	return index, b.view(func(tx *bbolt.Tx) error {
		index = tx.Bucket(logsBucket).Sequence()
		return nil
	})
}

// GetLog reads one entry.
func (b *boltLog) GetLog(index uint64, l *raft.Log) error {
	return b.view(func(tx *bbolt.Tx) error {
		value := entryOf(tx.Bucket(logsBucket), index)
		if value == nil {
			return raft.ErrLogNotFound
		}
		if !decodeLog(index, value, l) {
			return damaged(b.path, "entry %d of Raft's log has a wrong checksum", index)
		}
		return nil
	})
}

// entryOf puts the parts of an entry together; nil if there is none.
func entryOf(bucket *bbolt.Bucket, index uint64) (value []byte) {
	cursor := bucket.Cursor()
	for k, v := cursor.Seek(partKey(index, 0)); k != nil && binary.BigEndian.Uint64(k) == index; k, v = cursor.Next() {
		value = append(value, v...)
	}
	return value
}

func putEntry(bucket *bbolt.Bucket, l *raft.Log) error {
	value := encodeLog(l)
	for part := uint16(0); ; part++ {
		n := min(len(value), partBytes)
		if err := bucket.Put(partKey(l.Index, part), value[:n:n]); err != nil {
			return err
		}
		if value = value[n:]; len(value) == 0 {
			return nil
		}
	}
}

// StoreLog appends one entry.
func (b *boltLog) StoreLog(l *raft.Log) error { return b.StoreLogs([]*raft.Log{l}) }

// StoreLogs appends entries.
func (b *boltLog) StoreLogs(logs []*raft.Log) error {
	return b.update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(logsBucket)
		bucket.FillPercent = 1 // nothing is ever put in between
		for _, l := range logs {
			if err := putEntry(bucket, l); err != nil {
				return err
			}
		}
		return bucket.SetSequence(logs[len(logs)-1].Index)
	})
}

// DeleteRange deletes entries at the beginning or the end of the log.
func (b *boltLog) DeleteRange(lowest, highest uint64) error {
	return b.update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(logsBucket)
		cursor := bucket.Cursor()
		first, _ := cursor.First()
		last := bucket.Sequence()
		if highest >= last { // not read after deleting: with nothing left, the cursor's Last would not end
			last = 0
			if first != nil && binary.BigEndian.Uint64(first) < lowest {
				last = lowest - 1
			}
		}
		for k, _ := cursor.Seek(partKey(lowest, 0)); k != nil && binary.BigEndian.Uint64(k) <= highest; k, _ = cursor.Next() {
			if err := cursor.Delete(); err != nil {
				return err
			}
		}
		return bucket.SetSequence(last)
	})
}

// Set stores a value.
func (b *boltLog) Set(key, value []byte) error {
	return b.update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(confBucket)
		sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
		if err := bucket.Put(key, append(binary.BigEndian.AppendUint32(nil, sum), value...)); err != nil {
			return err
		}
		var all uint32
		err := bucket.ForEach(func(k, v []byte) error {
			all = sumPair(all, k, v)
			return nil
		})
		return errors.Join(err, bucket.SetSequence(uint64(all)))
	})
}

// Get reads a value.
func (b *boltLog) Get(key []byte) (value []byte, err error) {
	return value, b.view(func(tx *bbolt.Tx) error {
		v := tx.Bucket(confBucket).Get(key)
		if v == nil {
			return errKeyNotFound
		}
		if !sumHolds(key, v) {
			return damaged(b.path, "%s has a wrong checksum", key)
		}
		value = append(make([]byte, 0, len(v)), v[sumBytes:]...)
		return nil
	})
}

// SetUint64 stores a number.
func (b *boltLog) SetUint64(key []byte, n uint64) error { return b.Set(key, indexKey(n)) }

// GetUint64 reads a number.
func (b *boltLog) GetUint64(key []byte) (uint64, error) {
	v, err := b.Get(key)
	if err != nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, damaged(b.path, "%s has %d bytes", key, len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

func partKey(index uint64, part uint16) []byte {
	return binary.BigEndian.AppendUint16(indexKey(index), part)
}

func indexKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

// sumHolds reports whether a value begins with the CRC of its key and the rest.
func sumHolds(key, value []byte) bool {
	if len(value) < sumBytes {
		return false
	}
	return binary.BigEndian.Uint32(value) == crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value[sumBytes:])
}

// sumPair goes on with the CRC over all pairs of a bucket.
func sumPair(sum uint32, key, value []byte) uint32 {
	return crc32.Update(crc32.Update(sum, castagnoli, key), castagnoli, value)
}

func encodeLog(l *raft.Log) []byte {
	v := make([]byte, entryHead, entryHead+len(l.Data)+len(l.Extensions))
	v[sumBytes] = byte(l.Type)
	binary.BigEndian.PutUint64(v[5:], l.Term)
	if !l.AppendedAt.IsZero() {
		binary.BigEndian.PutUint64(v[13:], uint64(l.AppendedAt.UnixNano()))
	}
	binary.BigEndian.PutUint32(v[21:], uint32(len(l.Data)))
	v = append(append(v, l.Data...), l.Extensions...)
	sum := crc32.Update(crc32.Checksum(indexKey(l.Index), castagnoli), castagnoli, v[sumBytes:])
	binary.BigEndian.PutUint32(v, sum)
	return v
}

// decodeLog reads an entry, which keeps v's memory, and reports false if that is not what was written for its index.
func decodeLog(index uint64, v []byte, l *raft.Log) bool {
	if len(v) < entryHead || !sumHolds(indexKey(index), v) {
		return false
	}
	size := binary.BigEndian.Uint32(v[21:])
	rest := v[entryHead:]
	if uint64(size) > uint64(len(rest)) {
		return false
	}
	*l = raft.Log{Index: index, Term: binary.BigEndian.Uint64(v[5:]), Type: raft.LogType(v[sumBytes]), Data: rest[:size:size]}
	if ns := int64(binary.BigEndian.Uint64(v[13:])); ns != 0 {
		l.AppendedAt = time.Unix(0, ns)
	}
	if uint64(size) < uint64(len(rest)) {
		l.Extensions = rest[size:]
	}
	return true
}
