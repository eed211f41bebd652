package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
)

// RocksDB's log files and MANIFEST are blocks of 32 KiB, each of fragments, little-endian:
//
//	| masked CRC-32C of what follows but the length 4 | length 2 | kind 1 | bytes |
//
// A fragment holds a whole record, or the first, a middle or the last part of one. What is left of a block and too
// short for a fragment is zeros.
const (
	logBlock     = 32 << 10
	fragmentHead = 4 + 2 + 1
	wholeRecord  = 1
	firstPart    = 2
	middlePart   = 3
	lastPart     = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// eachRecord calls fn with the beginning of each record, at most keep bytes of it, until fn fails. whole is false if it
// ended at bytes that are no fragment, where RocksDB stops as well. Of a block that goes on with zeros the rest is left out, as
// RocksDB does, and fn is called with nil.
func eachRecord(path string, keep int, fn func(record []byte) error) (whole bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	r := recordReader{from: bufio.NewReaderSize(f, logBlock), keep: keep, fn: fn, block: make([]byte, logBlock)}
	for {
		n, err := io.ReadFull(r.from, r.block)
		if n == 0 {
			return !r.inside, nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return false, err
		}
		if whole, err := r.fragments(r.block[:n]); err != nil || !whole {
			return false, err
		}
	}
}

type recordReader struct {
	from   io.Reader
	keep   int
	fn     func([]byte) error
	block  []byte
	record []byte // as far as it has come
	inside bool   // its last part is still to come
}

// fragments reads one block.
func (r *recordReader) fragments(b []byte) (whole bool, err error) {
	last := len(b) < logBlock
	for len(b) >= fragmentHead {
		size, kind := int(binary.LittleEndian.Uint16(b[4:])), b[6]
		if kind == 0 && size == 0 {
			if r.inside {
				return false, nil
			}
			return true, r.fn(nil)
		}
		if fragmentHead+size > len(b) {
			return false, nil
		}
		body := b[6 : fragmentHead+size]
		if unmask(binary.LittleEndian.Uint32(b)) != crc32.Checksum(body, castagnoli) {
			return false, nil
		}
		b = b[fragmentHead+size:]
		if ok, err := r.add(kind, body[1:]); err != nil || !ok {
			return false, err
		}
	}
	return len(b) == 0 || !last, nil
}

// add takes one fragment.
func (r *recordReader) add(kind byte, b []byte) (ok bool, err error) {
	begins, ends := kind == wholeRecord || kind == firstPart, kind == wholeRecord || kind == lastPart
	if kind < wholeRecord || kind > lastPart || begins == r.inside {
		return false, nil
	}
	if begins {
		r.record = r.record[:0]
	}
	r.record = append(r.record, b[:min(len(b), r.keep-len(r.record))]...)
	r.inside = !ends
	if !ends {
		return true, nil
	}
	return true, r.fn(r.record)
}

// unmask undoes what RocksDB does to a CRC before it stores it.
func unmask(sum uint32) uint32 {
	sum -= 0xa282ead8
	return sum>>17 | sum<<15
}

// batchExtent reads the first sequence number and the count of a write batch. One that is too short, which RocksDB
// reports, counts as empty.
func batchExtent(record []byte) (seq, count uint64) {
	if len(record) < batchHeader {
		return 0, 0
	}
	return binary.LittleEndian.Uint64(record), uint64(binary.LittleEndian.Uint32(record[8:]))
}
