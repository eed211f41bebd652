package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// A segment is a header and then writes, each of them frames: entries, perhaps the index, and a commit with the checksum
// of all bytes since the commit before, of the first one since the file's begin.
//
//	frame  type 1 | 0 0 0 | length, or checksum of a commit: 4, little-endian | bytes | zeros up to a multiple of 8
const (
	segmentHeader = 32
	frameHeader   = 8
)

// checkSegments verifies every write of the log. raft-wal looks only at the checksum of the very last one, and takes
// whatever else it cannot read for its end, before which entries have been acknowledged. found is the last entry that it
// sees in the last segment, if that one is not sealed.
func (f *segmentFiler) checkSegments(list []types.SegmentInfo, found uint64) error {
	for _, info := range list {
		path := filepath.Join(f.dir, segment.FileName(info))
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		made, err := f.wasMade(&info)
		if err != nil {
			return err
		}
		if err := checkSegment(b, &info, made, found); err != nil {
			return fmt.Errorf("%w: %s: %w", wal.ErrCorrupt, filepath.Base(path), err)
		}
	}
	return nil
}

// checkSegment verifies the content of one segment, of which made says that it had its full size once.
func checkSegment(b []byte, info *types.SegmentInfo, made bool, found uint64) error {
	last, end, sealed := info.BaseIndex-1, 0, !info.SealTime.IsZero()
	for !sealed || last < info.MaxIndex {
		n, next, whole := wholeWrite(b, end)
		if !whole {
			break
		}
		last, end = last+n, next
	}
	switch {
	case end > 0 && (binary.LittleEndian.Uint64(b[8:]) != info.BaseIndex || binary.LittleEndian.Uint64(b[16:]) != info.ID):
		return errors.New("it is another segment")
	case sealed && last < info.MaxIndex, !sealed && end > 0 && last < found:
		return fmt.Errorf("the checksum after entry %d is wrong", last)
	case sealed:
		return nil
	case made && len(b) < int(info.SizeLimit):
		return fmt.Errorf("it is cut short after %d bytes", len(b))
	}
	for at := max(end, segmentHeader); at+frameHeader <= len(b); at += frameHeader {
		if binary.LittleEndian.Uint32(b[at:]) != uint32(segment.FrameCommit) {
			continue
		}
		if n, _, whole := wholeWrite(b, at+frameHeader); whole && n > 0 {
			return fmt.Errorf("what follows entry %d cannot be read, and more follows at byte %d", last, at)
		}
	}
	return nil
}

// wholeWrite looks at the write that begins at a byte: how many entries it has and where it ends, if it is whole.
func wholeWrite(b []byte, begin int) (entries uint64, end int, whole bool) {
	at := begin
	if begin == 0 {
		at = segmentHeader
	}
	for at+frameHeader <= len(b) {
		value := binary.LittleEndian.Uint32(b[at+4:])
		switch b[at] {
		case segment.FrameCommit:
			return entries, at + frameHeader, crc32.Checksum(b[begin:at], castagnoli) == value
		case segment.FrameEntry:
			entries++
		case segment.FrameIndex:
		default:
			return 0, 0, false
		}
		at += frameHeader + (int(value)+frameHeader-1)/frameHeader*frameHeader
	}
	return 0, 0, false
}
