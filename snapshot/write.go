package snapshot

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
)

// Writer gives the bytes of a saved snapshot, one after the other.
type Writer struct {
	sum   hash.Hash
	parts []func() (io.Reader, error) // still to begin
	now   io.Reader
	size  int64
}

// NewWriter makes a snapshot of an info, whose StreamBytes is the length of stream, and of the state hash, which is asked
// for when the stream has ended.
func NewWriter(i *Info, stream io.Reader, stateHash func() ([32]byte, error)) (*Writer, error) {
	head, err := i.encode()
	if err != nil {
		return nil, err
	}
	w := &Writer{sum: sha256.New(), size: int64(len(head)) + i.StreamBytes + tailSize}
	w.parts = []func() (io.Reader, error){
		func() (io.Reader, error) { return bytes.NewReader(head), nil },
		func() (io.Reader, error) { return stream, nil },
		func() (io.Reader, error) {
			hash, err := stateHash()
			return bytes.NewReader(hash[:]), err
		},
		func() (io.Reader, error) { return bytes.NewReader(w.sum.Sum(nil)), nil },
	}
	return w, nil
}

// Size is how many bytes there are in all.
func (w *Writer) Size() int64 { return w.size }

// Read gives the next bytes.
func (w *Writer) Read(b []byte) (int, error) {
	for {
		if w.now == nil {
			if len(w.parts) == 0 {
				return 0, io.EOF
			}
			part, err := w.parts[0]()
			if err != nil {
				return 0, err
			}
			w.now, w.parts = part, w.parts[1:]
		}
		n, err := w.now.Read(b)
		w.sum.Write(b[:n])
		if errors.Is(err, io.EOF) {
			w.now, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}
