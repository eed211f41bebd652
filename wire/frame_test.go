package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

func reader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }

func TestFrameRoundTrip(t *testing.T) {
	sizes := []int{0, 1, 100, readStep - 1, readStep, readStep + 1, 3*readStep + 7, MaxFrame - minLength}
	var stream []byte
	for i, n := range sizes {
		stream = AppendFrame(stream, Type(i+1), uint32(i)<<20, bytes.Repeat([]byte{byte(i)}, n))
	}
	r := bufio.NewReader(iotest.HalfReader(bytes.NewReader(stream)))
	for i, n := range sizes {
		f, err := ReadFrame(r, 0)
		if err != nil || f.Type != Type(i+1) || f.RequestID != uint32(i)<<20 || len(f.Body) != n {
			t.Fatalf("frame %d: type %s, id %d, %d bytes, %v", i, f.Type, f.RequestID, len(f.Body), err)
		}
		if !bytes.Equal(f.Body, bytes.Repeat([]byte{byte(i)}, n)) {
			t.Fatalf("frame %d: other bytes", i)
		}
	}
	if _, err := ReadFrame(r, 0); err != io.EOF {
		t.Fatalf("at the end: %v", err)
	}
}

// TestFrameTruncated cuts a frame at every byte: only the cut at its border is a clean end.
func TestFrameTruncated(t *testing.T) {
	whole := AppendFrame(nil, SubmitTask, 7, []byte("body"))
	for cut := range len(whole) {
		_, err := ReadFrame(reader(whole[:cut]), 0)
		if cut == 0 && err != io.EOF {
			t.Errorf("nothing: %v", err)
		}
		if cut > 0 && (err == io.EOF || !errors.Is(err, task.ErrInvalid) || !errors.Is(err, io.ErrUnexpectedEOF)) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	broken := errors.New("wire cut")
	for cut := range len(whole) {
		r := bufio.NewReader(io.MultiReader(bytes.NewReader(whole[:cut]), iotest.ErrReader(broken)))
		if _, err := ReadFrame(r, 0); !errors.Is(err, broken) || errors.Is(err, task.ErrInvalid) {
			t.Errorf("broken at %d: %v", cut, err)
		}
	}
}

func TestFrameLengths(t *testing.T) {
	for _, tt := range []struct {
		name  string
		head  []byte
		limit int
		want  error
	}{
		{"zero", []byte{0, 0, 0, 0}, 0, task.ErrInvalid},
		{"no request id", []byte{0, 0, 0, 4, 1, 0, 0, 0}, 0, task.ErrInvalid},
		{"one above the largest", []byte{1, 0, 0, 0}, 0, task.ErrTooLarge},
		{"negative as int32", []byte{0xff, 0xff, 0xff, 0xff}, 0, task.ErrTooLarge},
		{"text of another protocol", []byte("GET / HTTP/1.1\r\n\r\n"), 0, task.ErrTooLarge},
		{"a limit above the largest is the largest", []byte{1, 0, 0, 0}, MaxFrame + 1, task.ErrTooLarge},
		{"above a lower limit", []byte{0, 0, 0, 11}, 10, task.ErrTooLarge},
		{"at a lower limit", []byte{0, 0, 0, 10, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5}, 10, nil},
	} {
		if _, err := ReadFrame(reader(tt.head), tt.limit); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestFrameHostileLength: the largest length without the bytes costs next to nothing.
func TestFrameHostileLength(t *testing.T) {
	head := []byte{0, 0xff, 0xff, 0xff, byte(SubmitTask), 0, 0, 0, 1, 'x'}
	if n := allocated(func() {
		if _, err := ReadFrame(reader(head), 0); !errors.Is(err, task.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	}); n > 4*readStep {
		t.Errorf("%d bytes are allocated", n)
	}
}

func TestAppendMessage(t *testing.T) {
	m := &wirepb.CancelRequest{Ids: [][]byte{make([]byte, 16)}}
	out, err := AppendMessage([]byte("before"), CancelTask, 9, m)
	if err != nil || !bytes.HasPrefix(out, []byte("before")) {
		t.Fatalf("%q, %v", out, err)
	}
	f, err := ReadFrame(reader(out[len("before"):]), 0)
	if err != nil || f.Type != CancelTask || f.RequestID != 9 {
		t.Fatalf("%+v, %v", f, err)
	}
	var back wirepb.CancelRequest
	if err := Decode(f, &back); err != nil || len(back.Ids) != 1 || len(back.Ids[0]) != 16 {
		t.Errorf("%v, %v", &back, err)
	}
	largest := &wirepb.Push{}
	large := &wirepb.QueryRequest{Ids: [][]byte{make([]byte, MaxFrame)}}
	if out, err := AppendMessage([]byte("before"), QueryStatus, 1, large); !errors.Is(err,
		task.ErrTooLarge) || string(out) != "before" {
		t.Errorf("too large: %d bytes, %v", len(out), err)
	}
	if out, err := AppendMessage(nil, Push, 0, largest); err != nil || len(out) != Overhead {
		t.Errorf("empty: %x, %v", out, err)
	}
}

// TestDecodeBombs: frames whose small items would take gigabytes in memory are refused before they are decoded.
func TestDecodeBombs(t *testing.T) {
	repeat := func(item []byte, n int) []byte { return bytes.Repeat(item, n) }
	nest := func(field byte, body []byte) []byte {
		m := &wirepb.CancelRequest{Ids: [][]byte{body}}
		raw := make([]byte, m.SizeVT())
		if _, err := m.MarshalToSizedBufferVT(raw); err != nil {
			t.Fatal(err)
		}
		raw[0] = field<<3 | 2
		return raw
	}
	million := 1 << 20
	for _, tt := range []struct {
		name string
		body []byte
		m    Message
		want error
	}{
		{"tasks", repeat([]byte{0x0a, 0}, million), new(wirepb.SubmitRequest), task.ErrTooLarge},
		{"ids", repeat([]byte{0x0a, 0}, million), new(wirepb.QueryRequest), task.ErrTooLarge},
		{"leases", repeat([]byte{0x0a, 0}, million), new(wirepb.HeartbeatRequest), task.ErrTooLarge},
		{"outcomes", repeat([]byte{0x0a, 0}, million), new(wirepb.ResultRequest), task.ErrTooLarge},
		{"queues", repeat([]byte{0x12, 0}, million), new(wirepb.ClaimRequest), task.ErrTooLarge},
		{"types", repeat([]byte{0x1a, 0}, million), new(wirepb.ClaimRequest), task.ErrTooLarge},
		{"addresses", repeat([]byte{0x0a, 0}, million), new(wirepb.AdoptRequest), task.ErrTooLarge},
		{"dependencies", nest(1, repeat([]byte{0x5a, 0}, million)), new(wirepb.SubmitRequest), task.ErrTooLarge},
		{"headers", nest(1, repeat([]byte{0x6a, 0}, million)), new(wirepb.SubmitRequest), task.ErrTooLarge},
		{"queues of the next claim", nest(2, repeat([]byte{0x12, 0}, million)), new(wirepb.ResultRequest), task.ErrTooLarge},
		{"next claims", repeat([]byte{0x12, 0}, million), new(wirepb.ResultRequest), task.ErrTooLarge},
		{"history", nest(1, repeat([]byte{0x9a, 2, 0}, million)), new(wirepb.ClaimReply), task.ErrTooLarge},
		{"receipts", repeat([]byte{0x0a, 0}, million), new(wirepb.SubmitReply), task.ErrTooLarge},
		{"lost", repeat([]byte{0x0a, 0}, million), new(wirepb.HeartbeatReply), task.ErrTooLarge},
		{"as many as allowed", repeat([]byte{0x0a, 0}, task.MaxItems), new(wirepb.SubmitRequest), nil},
		{"garbage", []byte("garbage"), new(wirepb.SubmitRequest), task.ErrInvalid},
		{"garbage without counts", []byte("garbage"), new(wirepb.Hello), task.ErrInvalid},
		{"length beyond the end", []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f}, new(wirepb.SubmitRequest), task.ErrInvalid},
		{"wrong kind of field", []byte{0x08, 1}, new(wirepb.SubmitRequest), task.ErrInvalid},
		{"unknown field", []byte{0xf8, 0x7f, 1}, new(wirepb.SubmitRequest), nil},
	} {
		var err error
		n := allocated(func() { err = Decode(Frame{Type: SubmitTask, Body: tt.body}, tt.m) })
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		if tt.want != nil && n > 1<<20 {
			t.Errorf("%s: %d bytes are allocated", tt.name, n)
		}
	}
}

func TestTypes(t *testing.T) {
	requests := 0
	for n := range 256 {
		v := Type(n)
		if v.IsRequest() != (NewReply(v) != nil) {
			t.Errorf("%s: request %v, but its reply is %T", v, v.IsRequest(), NewReply(v))
		}
		if (v.Known() && v != Ack) != (NewRequest(v) != nil) {
			t.Errorf("%s: known %v, but its message is %T", v, v.Known(), NewRequest(v))
		}
		if v.IsRequest() {
			requests++
		}
	}
	if requests != len(Types)-3 {
		t.Errorf("%d requests among %d types", requests, len(Types))
	}
	if Type(200).String() != "type(200)" || Type(200).Known() || SubmitTask.String() != "SubmitTask" {
		t.Error("names")
	}
}
