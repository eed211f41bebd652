package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// Read reads a whole stream and checks every sum in it. It hands the bytes of each file to what create returns, which
// it closes; a file may be there, whole or in part, before an error comes.
func Read(from io.Reader, create func(File) (io.WriteCloser, error)) (*Header, error) {
	return readStream(&source{from: from, sum: sha256.New()}, create)
}

// Check is Read for the sums alone.
func Check(from io.Reader) (*Header, error) {
	return Read(from, func(File) (io.WriteCloser, error) { return nowhere{}, nil })
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Close() error                { return nil }

// source gives the bytes of a stream or file part by part, sums them up and knows where it is.
type source struct {
	from io.Reader
	sum  hash.Hash
	at   int64 // offset of the next byte
}

// fill reads a part in full.
func (s *source) fill(b []byte, part string) error {
	begin := s.at
	n, err := io.ReadFull(s.from, b)
	s.at += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends at byte %d, within %s that begins at byte %d", ErrDamaged, s.at, part, begin)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", part, err)
	}
	s.sum.Write(b)
	return nil
}

// grow reads a part whose size was announced, and allocates as it comes.
func (s *source) grow(size int64, part string) ([]byte, error) {
	var raw bytes.Buffer
	begin := s.at
	n, err := io.CopyN(&raw, s.from, size)
	s.at += n
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it ends at byte %d, within %s that begins at byte %d", ErrDamaged, s.at, part, begin)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", part, err)
	}
	s.sum.Write(raw.Bytes())
	return raw.Bytes(), nil
}

// summed reads a part of so many bytes with the CRC behind it.
func (s *source) summed(size int64, part string) ([]byte, error) {
	begin := s.at
	raw, err := s.grow(size+4, part)
	if err != nil {
		return nil, err
	}
	return raw[:size], checkCRC(raw, part, begin)
}

func checkCRC(raw []byte, part string, begin int64) error {
	n := len(raw) - 4
	if binary.BigEndian.Uint32(raw[n:]) != crc32.Checksum(raw[:n], castagnoli) {
		return fmt.Errorf("%w: wrong checksum of %s, in the %d bytes from byte %d on", ErrDamaged, part, len(raw), begin)
	}
	return nil
}

// final compares a SHA-256 of all before with the one that stands next, and wants nothing after it.
func (s *source) final(part string) error {
	want := s.sum.Sum(nil)
	begin := s.at
	got := make([]byte, sha256.Size+1)
	if err := s.fill(got[:sha256.Size], part); err != nil {
		return err
	}
	if !bytes.Equal(got[:sha256.Size], want) {
		return fmt.Errorf("%w: wrong %s at byte %d", ErrDamaged, part, begin)
	}
	n, err := io.ReadFull(s.from, got[:1])
	if n != 0 {
		return fmt.Errorf("%w: it goes on after its end at byte %d", ErrDamaged, s.at)
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the end: %w", err)
	}
	return nil
}

func readStream(s *source, create func(File) (io.WriteCloser, error)) (*Header, error) {
	h, err := readHeader(s)
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, Chunk+4)
	for _, f := range h.Files {
		to, err := create(f)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(readFile(s, f, to, buffer), to.Close()); err != nil {
			return nil, err
		}
	}
	return h, s.final("hash of the stream")
}

func readHeader(s *source) (*Header, error) {
	var preface [prefaceSize]byte
	if err := s.fill(preface[:], "the stream's first bytes"); err != nil {
		return nil, err
	}
	if string(preface[:len(streamMagic)]) != streamMagic {
		return nil, fmt.Errorf("%w: the stream does not begin like one", ErrDamaged)
	}
	if v := binary.BigEndian.Uint32(preface[len(streamMagic):]); v != streamVersion {
		return nil, fmt.Errorf("%w: its stream has version %d, this program knows %d", ErrForeign, v, streamVersion)
	}
	size := binary.BigEndian.Uint32(preface[len(streamMagic)+4:])
	if size > maxHeader {
		return nil, fmt.Errorf("%w: the stream's header has %d bytes, at most %d are allowed", ErrDamaged, size, maxHeader)
	}
	body, err := s.summed(int64(size), "the stream's header")
	if err != nil {
		return nil, err
	}
	return decodeHeader(body)
}

func readFile(s *source, f File, to io.Writer, buffer []byte) error {
	for left := f.Size; left > 0; {
		n := min(left, Chunk)
		begin := s.at
		if err := s.fill(buffer[:n+4], f.Name); err != nil {
			return err
		}
		if err := checkCRC(buffer[:n+4], f.Name, begin); err != nil {
			return err
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return err
		}
		left -= n
	}
	return nil
}
