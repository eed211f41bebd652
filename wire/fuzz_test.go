package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// goldenFrames returns every frame of the golden files, as seeds.
func goldenFrames(f *testing.F) (frames []Frame, raw [][]byte) {
	f.Helper()
	paths, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(paths) == 0 {
		f.Fatal("no golden frames", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, b := range parseHex(f, string(text)) {
			frame, err := ReadFrame(bufio.NewReader(bytes.NewReader(b.bytes)), 0)
			if err != nil {
				f.Fatal(err)
			}
			frames, raw = append(frames, frame), append(raw, b.bytes)
		}
	}
	return frames, raw
}

// FuzzReadFrame: any stream gives frames that encode to what was read, then one of the promised errors.
func FuzzReadFrame(f *testing.F) {
	_, raw := goldenFrames(f)
	for _, b := range raw {
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5})
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(stream), 16)
		var read []byte
		for {
			frame, err := ReadFrame(r, 0)
			if err == io.EOF {
				if !bytes.Equal(read, stream) {
					t.Fatalf("a clean end after %d of %d bytes", len(read), len(stream))
				}
				return
			}
			if err != nil {
				if !errors.Is(err, task.ErrInvalid) && !errors.Is(err, task.ErrTooLarge) {
					t.Fatalf("untyped error %v", err)
				}
				return
			}
			if read = AppendFrame(read, frame.Type, frame.RequestID, frame.Body); !bytes.HasPrefix(stream, read) {
				t.Fatalf("frames encode to\n%x\nthe stream was\n%x", read, stream)
			}
		}
	})
}

// FuzzMessage: any body, read as any message, is refused with a typed error or survives two ways back: bytes to message
// to bytes, and message to domain value to message.
func FuzzMessage(f *testing.F) {
	frames, _ := goldenFrames(f)
	for _, frame := range frames {
		for _, kind := range Types {
			if kind == frame.Type || frame.Type == Ack {
				f.Add(byte(kind), frame.Type == Ack, frame.Body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, reply bool, body []byte) {
		fresh := NewRequest
		if reply {
			fresh = NewReply
		}
		m := fresh(Type(kind))
		if m == nil {
			return
		}
		if err := Decode(Frame{Type: Type(kind), Body: body}, m); err != nil {
			mustBeTyped(t, err)
			return
		}
		once := encode(t, m)
		again := fresh(Type(kind))
		if err := Decode(Frame{Type: Type(kind), Body: once}, again); err != nil {
			t.Fatalf("what was encoded does not decode: %v", err)
		}
		if twice := encode(t, again); !bytes.Equal(once, twice) {
			t.Fatalf("encoded\n%x\nthen\n%x", once, twice)
		}
		value, err := through(m)
		if err != nil {
			mustBeTyped(t, err)
			return
		}
		first := encode(t, value)
		value, err = through(value)
		if err != nil {
			t.Fatalf("what was converted is refused: %v", err)
		}
		if second := encode(t, value); !bytes.Equal(first, second) {
			t.Fatalf("converted to\n%x\nthen to\n%x", first, second)
		}
	})
}

func mustBeTyped(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, task.ErrInternal) || CodeOf(err) == CodeOf(task.ErrInternal) {
		t.Fatalf("untyped error %v", err)
	}
}

func encode(t *testing.T, m Message) []byte {
	t.Helper()
	out := make([]byte, m.SizeVT())
	n, err := m.MarshalToSizedBufferVT(out)
	if err != nil || n != len(out) {
		t.Fatalf("encode %T: %d of %d bytes, %v", m, n, len(out), err)
	}
	return out
}
