package snapshot

import (
	"crypto/sha256"
	"fmt"
	"io"
)

// Summary is what a saved snapshot proved to be.
type Summary struct {
	Info
	Size      int64 // bytes of the file
	StateHash [32]byte
	Hash      [32]byte // SHA-256 of all bytes but itself, which are the file's last

	streamAt int64
}

// Verify reads a saved snapshot from its beginning to its end and checks every sum in it. A damage wraps ErrDamaged and
// says which part, at which byte; what is no snapshot, or of a later version, gives ErrForeign.
func Verify(from io.Reader) (*Summary, error) {
	s := &source{from: from, sum: sha256.New()}
	info, err := readInfo(s)
	if err != nil {
		return nil, err
	}
	if info.StreamBytes < 0 {
		return nil, fmt.Errorf("%w: it describes a stream of %d bytes", ErrDamaged, info.StreamBytes)
	}
	done := &Summary{Info: *info, streamAt: s.at}
	if err := checkStream(s, info); err != nil {
		return nil, err
	}
	if err := s.fill(done.StateHash[:], "the state hash"); err != nil {
		return nil, err
	}
	s.sum.Sum(done.Hash[:0])
	if err := s.final("final hash"); err != nil {
		return nil, err
	}
	done.Size = s.at
	return done, nil
}

// Stream gives the checkpoint stream in a file that proved to be this snapshot.
func (s *Summary) Stream(file io.ReaderAt) io.Reader {
	return io.NewSectionReader(file, s.streamAt, s.StreamBytes)
}

// checkStream checks the stream within a file.
func checkStream(s *source, info *Info) error {
	inner := &source{from: io.LimitReader(outer{s}, info.StreamBytes), sum: sha256.New(), at: s.at}
	h, err := readStream(inner, func(File) (io.WriteCloser, error) { return nowhere{}, nil })
	if err != nil {
		return err
	}
	if h.Index != info.Index || h.Term != info.Term {
		return fmt.Errorf("%w: it is described as of index %d and term %d, its stream as of %d and %d", ErrDamaged,
			info.Index, info.Term, h.Index, h.Term)
	}
	return nil
}

// outer gives the bytes of a part to another source and sums them up here.
type outer struct{ s *source }

func (o outer) Read(b []byte) (int, error) {
	n, err := o.s.from.Read(b)
	o.s.at += int64(n)
	o.s.sum.Write(b[:n])
	return n, err
}
