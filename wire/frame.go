package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/haiku-queue/haiku/task"
)

// A frame on the wire, all numbers big-endian:
//
//	+--------+--------+--------+--------+--------+--------+--------+--------+--------+-------- - -
//	|          length (uint32)          |  type  |        request id (uint32)        |  body
//	+--------+--------+--------+--------+--------+--------+--------+--------+--------+-------- - -
//
// length counts all that follows it, so it is at least minLength and at most MaxFrame; its first byte is therefore
// always 0, which tells a client from a Raft stream on the same port. The body is one protobuf message, which may be
// empty. To change this picture means a new protocol version in Hello, which itself keeps this form for ever.
const (
	// MaxFrame is the largest value of the length field.
	MaxFrame   = 1<<24 - 1
	lengthSize = 4
	minLength  = 1 + 4 // type and request id
	// Overhead is the number of bytes that a frame has beyond its body.
	Overhead = lengthSize + minLength
	// readStep is what is allocated for a body before any byte of it has come.
	readStep = 64 << 10
)

// Frame is one frame as read. The reader owns Body.
type Frame struct {
	Type      Type
	RequestID uint32
	Body      []byte
}

// ReadFrame reads one frame whose length field is at most limit (MaxFrame if limit is 0). It returns io.EOF itself only
// at a frame border. A length above the limit gives an error that wraps task.ErrTooLarge; one that is too small, or an
// end inside a frame, one that wraps task.ErrInvalid: after either the stream cannot be read on. Other errors are the
// reader's, wrapped.
func ReadFrame(r *bufio.Reader, limit int) (Frame, error) {
	if limit <= 0 || limit > MaxFrame {
		limit = MaxFrame
	}
	var head [Overhead]byte
	if _, err := io.ReadFull(r, head[:lengthSize]); err != nil {
		if err == io.EOF {
			return Frame{}, io.EOF
		}
		return Frame{}, readError("frame length", err)
	}
	length := binary.BigEndian.Uint32(head[:])
	if length > uint32(limit) {
		return Frame{}, fmt.Errorf("%w: frame of %d bytes, at most %d are allowed", task.ErrTooLarge, length, limit)
	}
	if length < minLength {
		return Frame{}, fmt.Errorf("%w: frame of %d bytes, at least %d are needed", task.ErrInvalid, length, minLength)
	}
	if _, err := io.ReadFull(r, head[lengthSize:]); err != nil {
		return Frame{}, readError("frame head", err)
	}
	f := Frame{Type: Type(head[lengthSize]), RequestID: binary.BigEndian.Uint32(head[lengthSize+1:])}
	var err error
	if f.Body, err = readBody(r, int(length)-minLength); err != nil {
		return Frame{}, readError("frame body", err)
	}
	return f, nil
}

// readBody reads n bytes. It allocates as they come, so a hostile length costs its sender as many bytes as it costs us.
func readBody(r io.Reader, n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	body := make([]byte, 0, min(n, readStep))
	for len(body) < n {
		chunk := min(n-len(body), max(len(body), readStep))
		body = slices.Grow(body, chunk)
		if _, err := io.ReadFull(r, body[len(body):len(body)+chunk]); err != nil {
			return nil, err
		}
		body = body[:len(body)+chunk]
	}
	return body, nil
}

func readError(where string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the stream ended inside the %s: %w", task.ErrInvalid, where, io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("read %s: %w", where, err)
}

// AppendFrame appends a frame to dst and returns the longer slice. The caller has seen to it that body is no longer
// than MaxFrame allows; AppendMessage checks.
func AppendFrame(dst []byte, t Type, requestID uint32, body []byte) []byte {
	dst = appendHead(dst, t, requestID, len(body))
	return append(dst, body...)
}

func appendHead(dst []byte, t Type, requestID uint32, bodySize int) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(minLength+bodySize))
	dst = append(dst, byte(t))
	return binary.BigEndian.AppendUint32(dst, requestID)
}
