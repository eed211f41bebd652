package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	wal "github.com/hashicorp/raft-wal"
	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// segmentMark is the little-endian number that a segment begins with.
const segmentMark = 0x58eb6b0d

// keyMadeSegment is where the id of the newest segment that was made stands, beside Raft's votes.
var keyMadeSegment = []byte("haiku/made-segment")

// segmentFiler makes raft-wal's segment files and closes two gaps of its recovery.
//
// A segment that is full is sealed in its file first and in the list of segments a moment later. If the process ends in
// between, raft-wal finds the last segment sealed, and can never append again: finishSeal does the second half.
//
// A last segment whose file is missing raft-wal takes for one that it had not yet made, and makes it empty. That may be
// so, or it is a lost file with entries that were acknowledged: hence the note of what was made.
type segmentFiler struct {
	*segment.Filer
	dir  string
	meta *walMeta
}

func newSegmentFiler(dir string, meta *walMeta) *segmentFiler {
	return &segmentFiler{Filer: segment.NewFiler(dir, walfs.New()), dir: dir, meta: meta}
}

// Create makes a segment, and notes it when its name and its size are durable.
func (f *segmentFiler) Create(info types.SegmentInfo) (types.SegmentWriter, error) {
	w, err := f.Filer.Create(info)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(syncFile(filepath.Join(f.dir, segment.FileName(info))), syncDir(f.dir)); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if err := f.meta.SetStable(keyMadeSegment, binary.BigEndian.AppendUint64(nil, info.ID)); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// finishSeal brings the list of segments in step with the last one's file, before raft-wal opens the log.
func (f *segmentFiler) finishSeal() error {
	state, err := f.meta.Load(f.dir)
	if err != nil || len(state.Segments) == 0 {
		return err
	}
	tail := &state.Segments[len(state.Segments)-1]
	if !tail.SealTime.IsZero() {
		return f.checkSegments(state.Segments, 0)
	}
	if err := f.checkSegments(state.Segments[:len(state.Segments)-1], 0); err != nil {
		return err
	}
	found, err := f.RecoverTail(*tail)
	if errors.Is(err, fs.ErrNotExist) {
		return f.mustBeUnmade(tail)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", segment.FileName(*tail), err)
	}
	sealed, at, err := found.Sealed()
	last := found.LastIndex()
	path := filepath.Join(f.dir, segment.FileName(*tail))
	if err == nil {
		err = f.checkSegments(state.Segments[len(state.Segments)-1:], last)
	}
	if err == nil && sealed && last != 0 {
		err = writeSegmentIndex(path, found.(*segment.Writer), tail, last, at)
	}
	if err := errors.Join(err, found.Close()); err != nil {
		return err
	}
	switch {
	case last == 0:
		if err := mustBeUnwritten(path); err != nil || !sealed {
			return err
		}
		return errors.Join(os.Truncate(path, 0), os.Truncate(path, int64(tail.SizeLimit)))
	case !sealed:
		return nil
	}
	tail.SealTime, tail.MaxIndex, tail.IndexStart = time.Now(), last, at
	state.Segments = append(state.Segments, types.SegmentInfo{
		ID: state.NextSegmentID, BaseIndex: last + 1, MinIndex: last + 1, SizeLimit: tail.SizeLimit, Codec: tail.Codec,
		CreateTime: tail.SealTime,
	})
	state.NextSegmentID++
	return f.meta.CommitState(state)
}

// mustBeUnmade refuses a last segment whose file was made and is gone.
func (f *segmentFiler) mustBeUnmade(tail *types.SegmentInfo) error {
	made, err := f.wasMade(tail)
	if made {
		return fmt.Errorf("%w: %s is missing", wal.ErrCorrupt, segment.FileName(*tail))
	}
	return err
}

// wasMade reports that the newest segment was on disk in its full size.
func (f *segmentFiler) wasMade(newest *types.SegmentInfo) (bool, error) {
	made, err := f.meta.GetStable(keyMadeSegment)
	return err == nil && len(made) == 8 && binary.BigEndian.Uint64(made) == newest.ID, err
}

// syncFile makes a file durable with its size.
func syncFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// mustBeUnwritten refuses a segment without a whole write if it begins with bytes that raft-wal never writes: there might
// have been entries. A first write that is torn is none that was acknowledged.
func mustBeUnwritten(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	var head [8]byte
	if _, err := file.ReadAt(head[:], 0); err != nil && err != io.EOF {
		return err
	}
	if mark := binary.LittleEndian.Uint64(head[:]); mark != 0 && mark != segmentMark {
		return fmt.Errorf("%w: %s does not begin as a segment", wal.ErrCorrupt, filepath.Base(path))
	}
	return nil
}

// writeSegmentIndex writes the index of a sealed segment, the offset of each entry as a uint32 in little-endian order,
// to its place. It may be there already; or the write that sealed the segment was torn, and entries after last with it.
func writeSegmentIndex(path string, w *segment.Writer, info *types.SegmentInfo, last, at uint64) error {
	var index []byte
	for i := info.MinIndex; i <= last; i++ {
		offset, err := w.OffsetForFrame(i)
		if err != nil {
			return err
		}
		index = binary.LittleEndian.AppendUint32(index, offset)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(index, int64(at+4*(info.MinIndex-info.BaseIndex)))
	return errors.Join(err, file.Sync(), file.Close())
}
