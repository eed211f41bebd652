package cluster

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/haiku-queue/haiku/member"
)

// The header with which a Raft stream begins, and its answer:
//
//	'R' | version 1 | group uint32 = 0 | cluster id 16 | from node 16 | to node 16      54 bytes
//	answer: one byte, 0 = taken, else the reason of the refusal, after which the stream ends
//
// To change anything, raise the version: a listener answers refusedVersion to what it does not know, before it reads
// the rest.
const (
	headerMark    = 'R'
	headerVersion = 1
	headerGroup   = 0
	headerSize    = 1 + 1 + 4 + 16 + 16 + 16
)

type header struct {
	cluster, from, to member.ID
}

func appendHeader(dst []byte, h header) []byte {
	dst = append(dst, headerMark, headerVersion)
	dst = binary.BigEndian.AppendUint32(dst, headerGroup)
	dst = append(dst, h.cluster[:]...)
	dst = append(dst, h.from[:]...)
	return append(dst, h.to[:]...)
}

// readHeader reads a header. The refusal is for one that could be read but is of another format.
func readHeader(r io.Reader) (h header, reason refusal, err error) {
	var raw [headerSize]byte
	if _, err := io.ReadFull(r, raw[:2]); err != nil {
		return h, streamTaken, fmt.Errorf("read stream header: %w", err)
	}
	if raw[0] != headerMark || raw[1] != headerVersion {
		return h, refusedVersion, nil
	}
	if _, err := io.ReadFull(r, raw[2:]); err != nil {
		return h, streamTaken, fmt.Errorf("read stream header: %w", err)
	}
	h.cluster, h.from, h.to = member.ID(raw[6:22]), member.ID(raw[22:38]), member.ID(raw[38:54])
	if binary.BigEndian.Uint32(raw[2:6]) != headerGroup {
		return h, refusedGroup, nil
	}
	return h, streamTaken, nil
}

// refusal is the answer to a header. The numbers are on the wire.
type refusal byte

const (
	streamTaken    refusal = 0
	refusedVersion refusal = 1
	refusedGroup   refusal = 2
	refusedCluster refusal = 3
	refusedNode    refusal = 4
	refusedSender  refusal = 5
	refusedSurplus refusal = 6
)

func (r refusal) String() string {
	switch r {
	case streamTaken:
		return "accepted"
	case refusedVersion:
		return "the node does not know this version of the Raft stream"
	case refusedGroup:
		return "the node has no such Raft group"
	case refusedCluster:
		return "the node belongs to another cluster"
	case refusedNode:
		return "another node has that address now"
	case refusedSender:
		return "the node does not take this sender"
	case refusedSurplus:
		return "the node has too many Raft streams open"
	}
	return fmt.Sprintf("reason %d", byte(r))
}
