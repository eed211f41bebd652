package cluster

import (
	"encoding/binary"
	"fmt"

	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
)

// keyLogEnd is where the index of the last entry stands, beside Raft's votes, as it was at the last Close or when the end
// of the log was last deleted. Damage of the last write looks like a write that a crash interrupted: after an orderly end
// there was none.
var keyLogEnd = []byte("haiku/log-end")

// noteEnd notes that the log ends at an entry; 0 for an empty log.
func (w *walLog) noteEnd(last uint64) error {
	noted, err := w.notedEnd()
	if err != nil || noted == last {
		return err
	}
	return w.meta.SetStable(keyLogEnd, binary.BigEndian.AppendUint64(nil, last))
}

// mustReach refuses a log that ends before the entry it ended with at the last Close.
func (w *walLog) mustReach(last uint64) error {
	noted, err := w.notedEnd()
	if err != nil || last >= noted {
		return err
	}
	state, err := w.meta.Load("")
	if err != nil {
		return err
	}
	file := "the last segment"
	for i := range state.Segments {
		if s := &state.Segments[i]; s.BaseIndex <= noted {
			file = segment.FileName(*s)
		}
	}
	return fmt.Errorf("%w: %s ends at entry %d, and ended at entry %d when it was closed", wal.ErrCorrupt, file, last, noted)
}

func (w *walLog) notedEnd() (uint64, error) {
	noted, err := w.meta.GetStable(keyLogEnd)
	if err != nil || len(noted) != 8 {
		return 0, err
	}
	return binary.BigEndian.Uint64(noted), nil
}
