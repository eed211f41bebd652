package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// aStream is a checkpoint stream of three files.
func aStream() (*Header, []byte) {
	h := &Header{
		Index: 77, Term: 5, ConfigurationIndex: 3, Configuration: []byte("configuration"), LogHash: [32]byte{9},
		Counts: [Slots]int64{4, 3, 2, 1}, Files: []File{{"000012.sst", 1500}, {"000013.log", 0}, {"CURRENT", 16}},
	}
	b := h.Encode()
	for _, f := range h.Files {
		if f.Size > 0 {
			data := bytes.Repeat([]byte{byte(f.Size)}, int(f.Size))
			b = AppendCRC(append(b, data...), data)
		}
	}
	sum := sha256.Sum256(b)
	return h, append(b, sum[:]...)
}

func anInfo(stream []byte) *Info {
	return &Info{
		ClusterID: member.ID{1}, NodeID: member.ID{2}, NodeName: "n1", TakenAt: time.UnixMicro(1_700_000_000_123_456).UTC(),
		Index: 77, Term: 5, Members: []Member{{ID: member.ID{2}, Name: "n1", Address: "10.0.0.1:7420", Voter: true}},
		Tasks: task.QueueCounts{Pending: 9, Ready: 4, Scheduled: 3, Blocked: 2, InProgress: 1}, StreamBytes: int64(len(stream)),
		Version: "test",
	}
}

var stateHash = [32]byte{0xaa, 0xbb}

func aFile(t testing.TB) []byte {
	t.Helper()
	_, stream := aStream()
	w, err := NewWriter(anInfo(stream), bytes.NewReader(stream), func() ([32]byte, error) { return stateHash, nil })
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(iotest.OneByteReader(w))
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != w.Size() {
		t.Fatalf("announced %d bytes, gave %d", w.Size(), len(b))
	}
	return b
}

func TestVerifyTellsWhatWasSaved(t *testing.T) {
	file := aFile(t)
	h, stream := aStream()
	s, err := Verify(iotest.HalfReader(bytes.NewReader(file)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", s.Info), fmt.Sprintf("%+v", *anInfo(stream)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if s.StateHash != stateHash || s.Size != int64(len(file)) || !bytes.Equal(s.Hash[:], file[len(file)-32:]) {
		t.Errorf("wrong tail: %+v", s)
	}
	within, err := Read(s.Stream(bytes.NewReader(file)), func(File) (io.WriteCloser, error) { return nowhere{}, nil })
	if err != nil || !within.Equal(h) {
		t.Errorf("the stream within: %+v, %v", within, err)
	}
}

// TestEveryDamageIsFound flips each bit-carrying byte of a file and cuts it at each.
func TestEveryDamageIsFound(t *testing.T) {
	file := aFile(t)
	refused := func(what string, b []byte) {
		t.Helper()
		if _, err := Verify(bytes.NewReader(b)); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for at := range file {
		bad := bytes.Clone(file)
		bad[at] ^= 1 << (at % 8)
		refused(fmt.Sprintf("a flipped bit at %d", at), bad)
		refused(fmt.Sprintf("cut at %d", at), file[:at])
	}
	refused("a byte too many", append(bytes.Clone(file), 0))
	refused("twice", append(bytes.Clone(file), file...))
}

func TestDamageIsNamed(t *testing.T) {
	file := aFile(t)
	_, stream := aStream()
	streamAt := bytes.Index(file, stream)
	tableAt := streamAt + bytes.Index(stream, bytes.Repeat([]byte{1500 % 256}, 64))
	for _, c := range []struct {
		at   int
		want error
		says []string
	}{
		{3, ErrForeign, []string{"begin"}},
		{11, ErrForeign, []string{"version"}},
		{40, ErrDamaged, []string{"description", "byte 16"}},
		{streamAt + 20, ErrDamaged, []string{"stream's header", fmt.Sprint("byte ", streamAt+16)}},
		{tableAt + 700, ErrDamaged, []string{"000012.sst", fmt.Sprint("byte ", tableAt)}},
		{len(file) - 50, ErrDamaged, []string{"final hash"}},
		{len(file) - 1, ErrDamaged, []string{"final hash", fmt.Sprint("byte ", len(file)-32)}},
	} {
		bad := bytes.Clone(file)
		bad[c.at] ^= 0x40
		_, err := Verify(bytes.NewReader(bad))
		if !errors.Is(err, c.want) {
			t.Errorf("damage at %d: %v, want %v", c.at, err, c.want)
			continue
		}
		for _, word := range c.says {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("damage at %d: %q does not say %q", c.at, err, word)
			}
		}
	}
	if _, err := Verify(bytes.NewReader(file[:tableAt+9])); err == nil || !strings.Contains(err.Error(), fmt.Sprint("ends at byte ", tableAt+9)) {
		t.Errorf("a cut within a file: %v", err)
	}
}

// TestForeignFilesAreRefused: no announced length makes a reader allocate, and sums alone make no snapshot.
func TestForeignFilesAreRefused(t *testing.T) {
	_, stream := aStream()
	info := anInfo(stream)
	info.Index++
	w, err := NewWriter(info, bytes.NewReader(stream), func() ([32]byte, error) { return stateHash, nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(w); !errors.Is(err, ErrDamaged) {
		t.Errorf("another index than the stream's: %v", err)
	}
	huge := aFile(t)
	binary.BigEndian.PutUint32(huge[12:], 1<<31)
	for name, b := range map[string][]byte{
		"nothing": nil, "text": []byte("what is this?"), "zeros": make([]byte, 4096), "only a stream": stream, "huge": huge,
	} {
		if _, err := Verify(bytes.NewReader(b)); !errors.Is(err, ErrForeign) && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	torn := errors.New("torn off")
	if _, err := Verify(io.MultiReader(bytes.NewReader(aFile(t)[:500]), iotest.ErrReader(torn))); !errors.Is(err, torn) {
		t.Errorf("a reader's own error: %v", err)
	}
}

func FuzzHeader(f *testing.F) {
	h, _ := aStream()
	whole := h.Encode()
	f.Add(whole[prefaceSize : len(whole)-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decodeHeader(b)
		if err != nil {
			return
		}
		if whole := h.Encode(); !bytes.Equal(whole[prefaceSize:len(whole)-4], b) {
			t.Errorf("%x was read as %+v", b, h)
		}
	})
}

func FuzzVerify(f *testing.F) {
	file := aFile(f)
	f.Add(file)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := Verify(bytes.NewReader(b)); err == nil && s.Size != int64(len(b)) {
			t.Errorf("%d bytes were taken for %d", len(b), s.Size)
		}
	})
}
