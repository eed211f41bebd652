package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"regexp"
)

// A database travels as one stream, big-endian:
//
//	"HAIKUCKP" | version uint32 = 1 | header length uint32 | header | CRC-32C of the header uint32
//	each file in the header's order, in chunks of 1 MiB, the last of a file shorter: bytes | CRC-32C of them uint32
//	SHA-256 of all before, 32 bytes
//
//	header: index 8 | term 8 | configuration index 8 | configuration length uint32 | configuration
//	        | log hash 32 | tasks in each slot of pairs.go, 8 each
//	        | files uint32 | for each: name length uint8 | name | size 8
//
// A file of no bytes has no chunk. Sizes say where every part ends, so nothing else has a length. To change any of it,
// or the slots, raise the version: a reader refuses those it does not know.
const (
	streamMagic   = "HAIKUCKP"
	streamVersion = 1
	streamChunk   = 1 << 20
	prefaceSize   = len(streamMagic) + 8

	maxStreamHeader = 64 << 20 // bytes; at about 30 a file
	maxStreamFiles  = 1 << 20
	maxStreamFile   = 1 << 40 // bytes
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errStream  = errors.New("damaged checkpoint stream")
)

// streamFileName matches the files of a database that travel: all that it needs to open, and nothing with a path.
var streamFileName = regexp.MustCompile(`^([0-9]{6,20}\.(sst|log)|MANIFEST-[0-9]{6,20}|CURRENT)$`)

// streamHeader says what is in a stream.
type streamHeader struct {
	applied Applied
	logHash [32]byte
	counts  counts // of all tasks
	files   []streamFile
}

type streamFile struct {
	name string
	size int64
}

// encode gives everything before the first file.
func (h *streamHeader) encode() []byte {
	b := append([]byte(streamMagic), 0, 0, 0, streamVersion, 0, 0, 0, 0)
	for _, n := range [...]uint64{h.applied.Index, h.applied.Term, h.applied.ConfigurationIndex} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(h.applied.Configuration)))
	b = append(b, h.applied.Configuration...)
	b = append(b, h.logHash[:]...)
	for _, n := range h.counts {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(h.files)))
	for _, f := range h.files {
		b = append(b, byte(len(f.name)))
		b = append(b, f.name...)
		b = binary.BigEndian.AppendUint64(b, uint64(f.size))
	}
	binary.BigEndian.PutUint32(b[prefaceSize-4:], uint32(len(b)-prefaceSize))
	return appendCRC(b, b[prefaceSize:])
}

// streamSize is how long the whole stream is.
func (h *streamHeader) streamSize() int64 {
	size := int64(len(h.encode())) + sha256.Size
	for _, f := range h.files {
		size += f.size + 4*((f.size+streamChunk-1)/streamChunk)
	}
	return size
}

func appendCRC(dst, of []byte) []byte {
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(of, castagnoli))
}

func decodeStreamHeader(b []byte) (h *streamHeader, err error) {
	r := fieldReader{rest: b}
	h = &streamHeader{applied: Applied{Index: r.uint64(), Term: r.uint64(), ConfigurationIndex: r.uint64()}}
	h.applied.Configuration = bytes.Clone(r.bytes(uint64(r.uint32())))
	copy(h.logHash[:], r.bytes(sha256.Size))
	for i := range h.counts {
		h.counts[i] = int64(r.uint64())
	}
	n := r.uint32()
	if r.failed || n > maxStreamFiles {
		return nil, fmt.Errorf("%w: bad header", errStream)
	}
	seen := make(map[string]bool)
	for range n {
		f := streamFile{name: string(r.bytes(uint64(r.uint8()))), size: int64(r.uint64())}
		if r.failed || f.size < 0 || f.size > maxStreamFile || seen[f.name] || !streamFileName.MatchString(f.name) {
			return nil, fmt.Errorf("%w: bad file %q of %d bytes", errStream, f.name, f.size)
		}
		seen[f.name] = true
		h.files = append(h.files, f)
	}
	if len(r.rest) != 0 {
		return nil, fmt.Errorf("%w: header has %d bytes too many", errStream, len(r.rest))
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

// readStream reads a whole stream and checks every sum in it. It hands the bytes of each file to what create returns,
// which it closes; a file may be there, whole or in part, before an error comes.
func readStream(from io.Reader, create func(streamFile) (io.WriteCloser, error)) (*streamHeader, error) {
	sum := sha256.New()
	h, err := readHeader(from, sum)
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, streamChunk+4)
	for _, f := range h.files {
		to, err := create(f)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(readFile(from, sum, f, to, buffer), to.Close()); err != nil {
			return nil, err
		}
	}
	want := sum.Sum(nil)
	got := buffer[:sha256.Size]
	if _, err := io.ReadFull(from, got); err != nil {
		return nil, cutShort(err)
	}
	if !bytes.Equal(got, want) {
		return nil, fmt.Errorf("%w: wrong SHA-256", errStream)
	}
	if n, err := io.ReadFull(from, buffer[:1]); n != 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: goes on after its end (%v)", errStream, err)
	}
	return h, nil
}

func readHeader(from io.Reader, sum hash.Hash) (*streamHeader, error) {
	from = io.TeeReader(from, sum)
	var preface [prefaceSize]byte
	if _, err := io.ReadFull(from, preface[:]); err != nil {
		return nil, cutShort(err)
	}
	if string(preface[:len(streamMagic)]) != streamMagic {
		return nil, fmt.Errorf("%w: it does not begin like one", errStream)
	}
	if v := binary.BigEndian.Uint32(preface[len(streamMagic):]); v != streamVersion {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", errStream, v, streamVersion)
	}
	size := binary.BigEndian.Uint32(preface[len(streamMagic)+4:])
	if size > maxStreamHeader {
		return nil, fmt.Errorf("%w: header of %d bytes", errStream, size)
	}
	var raw bytes.Buffer // grows with what comes, not with what was announced
	if n, err := io.CopyN(&raw, from, int64(size)+4); err != nil {
		return nil, fmt.Errorf("header ends after %d bytes: %w", n, cutShort(err))
	}
	body := raw.Bytes()[:size]
	if !bytes.Equal(appendCRC(nil, body), raw.Bytes()[size:]) {
		return nil, fmt.Errorf("%w: wrong CRC of the header", errStream)
	}
	return decodeStreamHeader(body)
}

func readFile(from io.Reader, sum hash.Hash, f streamFile, to io.Writer, buffer []byte) error {
	for left := f.size; left > 0; {
		n := min(left, streamChunk)
		chunk := buffer[:n+4]
		if _, err := io.ReadFull(from, chunk); err != nil {
			return fmt.Errorf("%s: %w", f.name, cutShort(err))
		}
		if binary.BigEndian.Uint32(chunk[n:]) != crc32.Checksum(chunk[:n], castagnoli) {
			return fmt.Errorf("%w: wrong CRC in %s, %d bytes before its end", errStream, f.name, left)
		}
		sum.Write(chunk)
		if _, err := to.Write(chunk[:n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends early", errStream)
	}
	return err
}

// CheckStream reads a whole checkpoint stream, checks every sum in it and says how far its database had applied Raft's
// log. It writes nothing.
func CheckStream(r io.Reader) (Applied, error) {
	h, err := readStream(r, func(streamFile) (io.WriteCloser, error) { return nowhere{}, nil })
	if err != nil {
		return Applied{}, fmt.Errorf("check stream: %w", err)
	}
	return h.applied, nil
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Close() error                { return nil }
