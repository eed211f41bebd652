package snapshot

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// A saved snapshot is one file, big-endian:
//
//	"HAIKUSNP" | version uint32 = 1 | info length uint32 | info, an Info as JSON | CRC-32C of the info uint32
//	a checkpoint stream (stream.go), as long as the info says
//	state hash, 32 bytes
//	SHA-256 of all before, 32 bytes
//
// The state hash stands behind the stream because it is computed while that is under way. A reader refuses versions
// that it does not know, and ignores fields of the info that it does not know.
const (
	fileMagic   = "HAIKUSNP"
	fileVersion = 1
	maxInfo     = 1 << 20 // bytes
	tailSize    = 64      // bytes: the two hashes
)

// Info says what a saved snapshot is of.
type Info struct {
	ClusterID   member.ID        `json:"cluster_id"`
	NodeID      member.ID        `json:"node_id"` // the node whose state it is
	NodeName    string           `json:"node_name"`
	TakenAt     time.Time        `json:"taken_at"` // by that node's clock
	Index       uint64           `json:"index"`    // of the last entry of Raft's log that is in it
	Term        uint64           `json:"term"`     // of that entry
	Members     []Member         `json:"members"`  // of the cluster, at that index
	Tasks       task.QueueCounts `json:"tasks"`    // Queue and Type empty
	StreamBytes int64            `json:"stream_bytes"`
	Version     string           `json:"version"` // of the program that wrote it
}

// Member is a node of the cluster that a snapshot was taken of.
type Member struct {
	ID      member.ID `json:"id"`
	Name    string    `json:"name"`
	Address string    `json:"address"`
	Voter   bool      `json:"voter"`
}

// encode gives everything before the stream.
func (i *Info) encode() ([]byte, error) {
	text, err := json.Marshal(i)
	if err != nil || len(text) > maxInfo {
		return nil, fmt.Errorf("describe snapshot in %d bytes: %w", len(text), err)
	}
	b := binary.BigEndian.AppendUint32([]byte(fileMagic), fileVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return AppendCRC(append(b, text...), text), nil
}

// readInfo reads everything before the stream.
func readInfo(s *source) (*Info, error) {
	var preface [prefaceSize]byte
	magic, rest := preface[:len(fileMagic)], preface[len(fileMagic):]
	if err := s.fill(magic, "the first bytes"); err != nil && !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	if string(magic) != fileMagic {
		return nil, fmt.Errorf("%w: it does not begin like one", ErrForeign)
	}
	if err := s.fill(rest, "the first bytes"); err != nil {
		return nil, err
	}
	if v := binary.BigEndian.Uint32(rest); v != fileVersion {
		return nil, fmt.Errorf("%w: it has version %d, this program knows %d", ErrForeign, v, fileVersion)
	}
	size := binary.BigEndian.Uint32(rest[4:])
	if size > maxInfo {
		return nil, fmt.Errorf("%w: a description of %d bytes, at most %d are allowed", ErrDamaged, size, maxInfo)
	}
	text, err := s.summed(int64(size), "the description")
	if err != nil {
		return nil, err
	}
	i := new(Info)
	if err := json.Unmarshal(text, i); err != nil {
		return nil, fmt.Errorf("%w: the description makes no sense: %w", ErrDamaged, err)
	}
	return i, nil
}
