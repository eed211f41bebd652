package store

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxEdit bounds what is read of one edit.
const maxEdit = 64 << 20

// An edit of RocksDB's MANIFEST is a list of fields, each a tag as varint and its content. Tags from 8192 on have a
// length before their content. These are the fields that this program's options lead to; a tag that is not among them
// was written by another version of RocksDB.
const (
	tagComparator   = 1 // bytes
	tagLogNumber    = 2 // varint: the log file from which on the family's writes are in no table file
	tagNextFile     = 3 // in every edit but the summary
	tagLastSequence = 4
	tagCursor       = 5 // varint, bytes
	tagDeletedFile  = 6 // varint, varint
	tagPrevLog      = 9
	tagMinLog       = 10
	tagNewFile      = 103 // 3 varints, 2 bytes, 2 varints, then pairs of varint and bytes up to varint 1
	tagFamily       = 200 // varint: the family that the edit is of; without it the first
	tagFamilyAdd    = 201 // bytes
	tagFamilyDrop   = 202
	tagMaxFamily    = 203
	tagAtomicGroup  = 300
	tagWithLength   = 8192
)

var errEdit = errors.New("an edit that this version of RocksDB does not write")

// manifest is what checkFiles needs of one.
type manifest struct {
	number   uint64
	nextFile uint64            // numbers of files from here on are free
	minLog   uint64            // log files before it are needed no more
	families map[uint32]uint64 // the log file from which on a family's writes may be in no table file
	emptied  uint64            // families were set to this number when the database was opened; 0 if there was no log
}

// begin is the number of the log file that was made when the database was opened, which is the one before MANIFEST's. A
// MANIFEST begins with a summary of the last one. Then all older log files are turned into table files, and every
// family's number is set to one and the same, past the last of them.
func (m *manifest) begin() uint64 { return m.number - 1 }

// whole reports whether the edits of opening are all there.
func (m *manifest) whole() bool {
	for _, log := range m.families {
		if log < m.emptied {
			return false
		}
	}
	return m.nextFile > m.number
}

// add takes one edit.
func (m *manifest) add(record []byte) error {
	e := editReader{rest: record}
	var family uint32
	var log uint64
	var hasLog, hasNext, dropped bool
	for len(e.rest) > 0 && !e.bad {
		switch tag := e.varint(); tag {
		case tagLogNumber:
			log, hasLog = e.varint(), true
		case tagNextFile:
			m.nextFile, hasNext = max(m.nextFile, e.varint()), true
		case tagMinLog:
			m.minLog = max(m.minLog, e.varint())
		case tagFamily:
			family = uint32(e.varint())
		case tagFamilyDrop:
			dropped = true
		case tagPrevLog, tagLastSequence, tagMaxFamily, tagAtomicGroup:
			e.varint()
		case tagComparator, tagFamilyAdd:
			e.bytes()
		case tagCursor:
			e.varint()
			e.bytes()
		case tagDeletedFile:
			e.varint()
			e.varint()
		case tagNewFile:
			e.newFile()
		default:
			if tag < tagWithLength {
				return fmt.Errorf("%w: field %d", errEdit, tag)
			}
			e.bytes()
		}
	}
	if hasNext && hasLog && log < m.begin() {
		m.emptied = max(m.emptied, log)
	}
	switch {
	case e.bad:
		return fmt.Errorf("%w: it is cut off", errEdit)
	case dropped:
		delete(m.families, family)
	case hasLog:
		m.families[family] = log
	}
	return nil
}

// editReader takes fields off the front of an edit. After the end it gives zeros and has bad set.
type editReader struct {
	rest []byte
	bad  bool
}

func (e *editReader) varint() uint64 {
	v, n := binary.Uvarint(e.rest)
	if n <= 0 {
		e.rest, e.bad = nil, true
		return 0
	}
	e.rest = e.rest[n:]
	return v
}

func (e *editReader) bytes() {
	if n := e.varint(); n <= uint64(len(e.rest)) {
		e.rest = e.rest[n:]
		return
	}
	e.rest, e.bad = nil, true
}

func (e *editReader) newFile() {
	for range 3 {
		e.varint()
	}
	e.bytes()
	e.bytes()
	e.varint()
	e.varint()
	for !e.bad && e.varint() != 1 {
		e.bytes()
	}
}
