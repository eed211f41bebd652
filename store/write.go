package store

import (
	"encoding/binary"
	"fmt"

	"github.com/linxGnu/grocksdb"

	"github.com/haiku-queue/haiku/internal/pb/recordpb"
	"github.com/haiku-queue/haiku/task"
)

// writer encodes one RocksDB write batch in Go memory, so that a batch of any size costs one call into C:
//
//	| sequence 8 | count 4 | records... |      little-endian; RocksDB sets the sequence
//	put:    | 0x05 | family varint | key length varint | key | value length varint | value |
//	delete: | 0x04 | family varint | key length varint | key |
//
// family is the number that RocksDB gave the family when it was created, which differs between databases. The layout is
// RocksDB's own and is only ever handed to the library of this process, never stored by us.
type writer struct {
	buf   []byte
	count uint32
	ids   *[familyCount]uint32
	rec   recordpb.Record
}

const (
	batchHeader = 12
	opDelete    = 0x04
	opPut       = 0x05

	keepBuffer = 4 << 20 // a larger buffer is not kept for the next batch
)

func (w *writer) reset() {
	if cap(w.buf) > keepBuffer {
		w.buf = nil
	}
	var header [batchHeader]byte
	w.buf = append(w.buf[:0], header[:]...)
	w.count = 0
	w.rec = recordpb.Record{}
}

func (w *writer) key(op byte, f family, key []byte) {
	w.buf = binary.AppendUvarint(append(w.buf, op), uint64(w.ids[f]))
	w.buf = append(binary.AppendUvarint(w.buf, uint64(len(key))), key...)
	w.count++
}

// put writes a whole value, version byte included.
func (w *writer) put(f family, key, value []byte) {
	w.key(opPut, f, key)
	w.buf = append(binary.AppendUvarint(w.buf, uint64(len(value))), value...)
}

// putVersioned writes the version byte and then the value.
func (w *writer) putVersioned(f family, key, value []byte) {
	w.key(opPut, f, key)
	w.buf = append(binary.AppendUvarint(w.buf, uint64(len(value)+1)), valueVersion)
	w.buf = append(w.buf, value...)
}

func (w *writer) delete(f family, key []byte) { w.key(opDelete, f, key) }

func (w *writer) putRecord(t *task.Task) error {
	encodeRecord(&w.rec, t)
	size := w.rec.SizeVT()
	w.key(opPut, statusFamily(t.Status), t.ID[:])
	w.buf = append(binary.AppendUvarint(w.buf, uint64(size+1)), valueVersion)
	from := len(w.buf)
	w.buf = append(w.buf, make([]byte, size)...)
	if _, err := w.rec.MarshalToSizedBufferVT(w.buf[from:]); err != nil {
		return fmt.Errorf("encode task %s: %w", t.ID, err)
	}
	return nil
}

// writeTo hands the batch to RocksDB, which applies all of it or nothing.
func (w *writer) writeTo(db *grocksdb.DB, opts *grocksdb.WriteOptions) error {
	binary.LittleEndian.PutUint32(w.buf[8:], w.count)
	wb := grocksdb.WriteBatchFrom(w.buf)
	defer wb.Destroy()
	return db.Write(opts, wb)
}
