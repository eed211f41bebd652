package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
)

// A database travels as one stream, big-endian:
//
//	"HAIKUCKP" | version uint32 = 1 | header length uint32 | header | CRC-32C of the header uint32
//	each file in the header's order, in chunks of 1 MiB, the last of a file shorter: bytes | CRC-32C of them uint32
//	SHA-256 of all before, 32 bytes
//
//	header: index 8 | term 8 | configuration index 8 | configuration length uint32 | configuration
//	        | log hash 32 | tasks in each of the store's slots, 8 each
//	        | files uint32 | for each: name length uint8 | name | size 8
//
// A file of no bytes has no chunk. Sizes say where every part ends, so nothing else has a length. To change any of it,
// or the slots, raise the version: a reader refuses those it does not know.
const (
	streamMagic   = "HAIKUCKP"
	streamVersion = 1
	prefaceSize   = len(streamMagic) + 8 // magic, version and header length

	// Slots is how many counts a header has: of tasks ready, scheduled, blocked, in progress, completed, failed, dead
	// letters and cancelled.
	Slots = 8
	// Chunk is the largest piece of a file, in bytes.
	Chunk = 1 << 20

	maxHeader = 64 << 20 // bytes; at about 30 a file
	maxFiles  = 1 << 20
	maxFile   = 1 << 40 // bytes
)

var (
	// ErrDamaged: the bytes are not what was written, or not all of them.
	ErrDamaged = errors.New("damaged snapshot")
	// ErrForeign: it is no snapshot, or of a version that this program does not know.
	ErrForeign = errors.New("not a snapshot that this program can read")

	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

var fileName = regexp.MustCompile(`^([0-9]{6,20}\.(sst|log)|MANIFEST-[0-9]{6,20}|CURRENT)$`)

// Travels reports whether a file of a database goes into a stream: all that it needs to open, and nothing with a path.
func Travels(name string) bool { return fileName.MatchString(name) }

// Header says what is in a stream.
type Header struct {
	Index, Term        uint64 // of the last entry of Raft's log that the database has applied
	ConfigurationIndex uint64
	Configuration      []byte // Raft's encoding
	LogHash            [32]byte
	Counts             [Slots]int64 // of all tasks
	Files              []File
}

// File is one file of a stream.
type File struct {
	Name string
	Size int64
}

// Encode gives everything before the first file.
func (h *Header) Encode() []byte {
	b := append([]byte(streamMagic), 0, 0, 0, streamVersion, 0, 0, 0, 0)
	for _, n := range [...]uint64{h.Index, h.Term, h.ConfigurationIndex} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(h.Configuration)))
	b = append(b, h.Configuration...)
	b = append(b, h.LogHash[:]...)
	for _, n := range h.Counts {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(h.Files)))
	for _, f := range h.Files {
		b = append(b, byte(len(f.Name)))
		b = append(b, f.Name...)
		b = binary.BigEndian.AppendUint64(b, uint64(f.Size))
	}
	binary.BigEndian.PutUint32(b[prefaceSize-4:], uint32(len(b)-prefaceSize))
	return AppendCRC(b, b[prefaceSize:])
}

// StreamSize is how long the whole stream is.
func (h *Header) StreamSize() int64 {
	size := int64(len(h.Encode())) + sha256.Size
	for _, f := range h.Files {
		size += f.Size + 4*((f.Size+Chunk-1)/Chunk)
	}
	return size
}

// Equal compares what two headers say of their databases; the files may differ.
func (h *Header) Equal(o *Header) bool {
	return h.Index == o.Index && h.Term == o.Term && h.ConfigurationIndex == o.ConfigurationIndex &&
		bytes.Equal(h.Configuration, o.Configuration) && h.LogHash == o.LogHash && h.Counts == o.Counts
}

// AppendCRC appends the CRC-32C of bytes to dst.
func AppendCRC(dst, of []byte) []byte {
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(of, castagnoli))
}

// decodeHeader reads what stands between the header's length and its CRC.
func decodeHeader(b []byte) (h *Header, err error) {
	r := fieldReader{rest: b}
	h = &Header{Index: r.uint64(), Term: r.uint64(), ConfigurationIndex: r.uint64()}
	h.Configuration = bytes.Clone(r.bytes(uint64(r.uint32())))
	copy(h.LogHash[:], r.bytes(sha256.Size))
	for i := range h.Counts {
		h.Counts[i] = int64(r.uint64())
	}
	n := r.uint32()
	if r.failed || n > maxFiles {
		return nil, fmt.Errorf("%w: the stream's header makes no sense", ErrDamaged)
	}
	seen := make(map[string]bool)
	for range n {
		f := File{Name: string(r.bytes(uint64(r.uint8()))), Size: int64(r.uint64())}
		if r.failed || f.Size < 0 || f.Size > maxFile || seen[f.Name] || !Travels(f.Name) {
			return nil, fmt.Errorf("%w: bad file %q of %d bytes in the stream's header", ErrDamaged, f.Name, f.Size)
		}
		seen[f.Name] = true
		h.Files = append(h.Files, f)
	}
	if len(r.rest) != 0 {
		return nil, fmt.Errorf("%w: the stream's header has %d bytes too many", ErrDamaged, len(r.rest))
	}
	return h, nil
}

// fieldReader takes fields off the front of a header. After the end it gives zeros and has failed set.
type fieldReader struct {
	rest   []byte
	failed bool
}

func (r *fieldReader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *fieldReader) fixed(n uint64) []byte {
	if b := r.bytes(n); b != nil {
		return b
	}
	return make([]byte, n)
}

func (r *fieldReader) uint8() uint8   { return r.fixed(1)[0] }
func (r *fieldReader) uint32() uint32 { return binary.BigEndian.Uint32(r.fixed(4)) }
func (r *fieldReader) uint64() uint64 { return binary.BigEndian.Uint64(r.fixed(8)) }
