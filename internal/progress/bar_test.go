package progress

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	b := &Bar{what: "saving", total: 3 << 20, done: 3 << 19}
	if got, want := b.line(2*time.Second), "saving [============            ] 1.5 MiB of 3.0 MiB, 768.0 KiB/s"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	b.total = 0
	if got, want := b.line(0), "saving 1.5 MiB"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	b.total = 1
	if got := b.line(0); !strings.Contains(got, strings.Repeat("=", width)) {
		t.Errorf("more than all: %q", got)
	}
}

func TestLineOfACount(t *testing.T) {
	b := &Bar{what: "verify", counts: true, done: 3000, total: 4000}
	if got, want := b.line(2*time.Second), "verify [==================      ] 3000 of 4000, 1500/s"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestReaderDrawsAndCounts(t *testing.T) {
	var out bytes.Buffer
	b := &Bar{out: &out, what: "reading", total: 10}
	if _, err := io.Copy(io.Discard, b.Reader(strings.NewReader("0123456789"))); err != nil {
		t.Fatal(err)
	}
	b.Clear()
	if b.done != 10 || !strings.Contains(out.String(), "10 B of 10 B") || !strings.HasSuffix(out.String(), clear) {
		t.Errorf("%d bytes, drawn %q", b.done, out.String())
	}
}

// TestNobodyWatches: a file is no terminal, and a bar that is not there does nothing.
func TestNobodyWatches(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, out := range []io.Writer{f, new(bytes.Buffer)} {
		b := New(out, "reading", 10)
		if b != nil {
			t.Fatal("a bar where nobody watches")
		}
		b.Add(3)
		b.Clear()
		if got, err := io.ReadAll(b.Reader(strings.NewReader("abc"))); string(got) != "abc" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 20: "5.0 MiB", 3 << 40: "3.0 TiB", 5000 << 40: "5000.0 TiB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
