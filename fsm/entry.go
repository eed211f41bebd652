package fsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// An entry of Raft's log:
//
//	version uint8 = 1 | term uint64 | leader time int64 (us) | command*
//
// and each command in it:
//
//	kind uint8 | version uint8 | length uint32 | body (a message of command.proto)
//
// all big-endian. To change the frame: a new entry version, proposed only once every member publishes a
// MaxCommandVersion that reads it. To change a command: a new version of that command, see codec.go.
const (
	entryVersion  = 1
	entryHeader   = 1 + 8 + 8
	commandHeader = 1 + 1 + 4
)

// Encoded is one command as it stands in an entry.
type Encoded []byte

// Entry is a decoded entry of Raft's log.
type Entry struct {
	Term     uint64
	Time     time.Time
	Commands []Command
}

// AppendHeader starts an entry: the term in which it is proposed and the leader's time.
func AppendHeader(dst []byte, term uint64, now time.Time) []byte {
	dst = append(dst, entryVersion)
	dst = binary.BigEndian.AppendUint64(dst, term)
	return binary.BigEndian.AppendUint64(dst, uint64(now.UnixMicro()))
}

// Encode gives a command the form that is appended to an entry's header. It fails only for a command that has no
// encoding, such as one whose lists do not fit together.
func Encode(c Command) (Encoded, error) {
	body, err := commandToPB(c)
	if err != nil {
		return nil, err
	}
	size := body.SizeVT()
	dst := make([]byte, commandHeader+size)
	dst[0], dst[1] = byte(c.Kind()), CommandVersion(c.Kind())
	binary.BigEndian.PutUint32(dst[2:], uint32(size))
	if _, err := body.MarshalToSizedBufferVT(dst[commandHeader:]); err != nil {
		return nil, fmt.Errorf("encode command %d: %w", c.Kind(), err)
	}
	return dst, nil
}

var errEntry = errors.New("undecodable entry")

// DecodeEntry reads an entry. Any error means that this program must not apply the log.
func DecodeEntry(b []byte) (Entry, error) {
	if len(b) < entryHeader {
		return Entry{}, fmt.Errorf("%w: %d bytes", errEntry, len(b))
	}
	if b[0] != entryVersion {
		return Entry{}, fmt.Errorf("%w: entry version %d, this program knows %d", errEntry, b[0], entryVersion)
	}
	e := Entry{
		Term: binary.BigEndian.Uint64(b[1:]),
		Time: time.UnixMicro(int64(binary.BigEndian.Uint64(b[9:]))).UTC(),
	}
	for rest := b[entryHeader:]; len(rest) > 0; {
		if len(rest) < commandHeader {
			return Entry{}, fmt.Errorf("%w: command header cut off", errEntry)
		}
		kind, version, size := Kind(rest[0]), rest[1], binary.BigEndian.Uint32(rest[2:])
		rest = rest[commandHeader:]
		if uint64(size) > uint64(len(rest)) {
			return Entry{}, fmt.Errorf("%w: command %d cut off", errEntry, kind)
		}
		c, err := commandFromPB(kind, version, rest[:size])
		if err != nil {
			return Entry{}, fmt.Errorf("%w: command %d: %w", errEntry, kind, err)
		}
		e.Commands = append(e.Commands, c)
		rest = rest[size:]
	}
	return e, nil
}
