package metrics

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// still is a node whose queue has waiting tasks and does nothing.
type still struct{ waiting, running uint64 }

func (still) RaftState() (member.RaftState, error) { return member.RaftState{}, nil }
func (still) StoreVitals() (store.Vitals, error)   { return store.Vitals{}, nil }
func (still) Counters() member.Counters            { return member.Counters{} }
func (still) Disk() member.Disk                    { return member.Disk{} }
func (s still) EachDepth(fn func(store.Depth)) {
	fn(store.Depth{Counts: task.QueueCounts{Queue: "q", Pending: s.waiting, InProgress: s.running}})
}

var midnight = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

func submits(m *Metrics, n int) {
	changes := make([]task.Change, n)
	for i := range changes {
		changes[i] = task.Change{Queue: "q", To: task.Pending}
	}
	m.Changed(changes)
}

// TestSamples: what is counted in a second is its sample, a short pause is bridged, a long one leaves none, and a minute
// is the mean of its seconds.
func TestSamples(t *testing.T) {
	m := New(Config{Queues: 1})
	s := newSampler(m)
	s.take(midnight, still{})
	for i := 1; i <= 130; i++ {
		if i > 20 && i <= 30 {
			continue // the process stood still
		}
		if i == 12 || i == 13 {
			continue // it was late
		}
		submits(m, 6)
		m.Submitted(3 * time.Millisecond)
		s.take(midnight.Add(time.Duration(i)*time.Second+time.Millisecond), still{waiting: uint64(i), running: 2})
	}
	end := s.seconds.slot(midnight.Add(130*time.Second)) - 1
	w := s.seconds.window(end)
	second := func(name string, i int) float64 { return w[name][len(w[name])-130+i] }
	for _, c := range []struct {
		name string
		i    int
		want float64
	}{
		{"submitted", 0, 6}, {"submitted", 10, 6}, {"submitted", 11, 2}, {"submitted", 12, 2}, {"submitted", 13, 2},
		{"submitted", 14, 6}, {"submitted", 129, 6}, {"completed", 5, 0}, {"depth", 5, 6}, {"in_progress", 5, 2},
		{"oldest_ready_age_s", 5, 0}, {"submitted", 21, math.NaN()}, {"wait_p99_us", 5, math.NaN()},
	} {
		if got := second(c.name, c.i); math.Abs(got-c.want) > .02 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("%s of second %d is %g, want %g", c.name, c.i, got, c.want)
		}
	}
	if p99 := second("submit_p99_us", 5); p99 < 2500 || p99 > 4000 {
		t.Errorf("p99 of submits of 3 ms is %g us", p99)
	}
	minutes := s.minutes.window(s.minutes.slot(midnight) + 1)
	n := len(minutes["submitted"])
	if got := minutes["submitted"][n-1]; math.Abs(got-6) > .1 {
		t.Errorf("%g submits a second in the second minute, want 6", got)
	}
	if got := minutes["submitted"][n-2]; math.Abs(got-6*48/60.) > .1 {
		t.Errorf("%g submits a second in the first minute, want %g", got, 6*48/60.)
	}
	if got := s.rates()["submitted"]; math.Abs(got-6) > .1 {
		t.Errorf("%g submits a second of late, want 6", got)
	}
	if got := s.latencies(); got["submit_p50_us"] < 2500 || got["submit_p50_us"] > 4000 || !math.IsNaN(got["run_p99_us"]) {
		t.Errorf("latencies %v", got)
	}
}

// TestRingForgets: what is older than the span is gone, and a clock that jumps does no harm.
func TestRingForgets(t *testing.T) {
	r := newRing(time.Second, 10*time.Second)
	one := func(v float32) (s sample) { s[0] = v; return s }
	at := func(end int64) (out []float64) { return r.window(end)["submitted"] }
	for i := range int64(25) {
		r.put(100+i, one(float32(i)))
	}
	if w := at(124); w[0] != 15 || w[9] != 24 {
		t.Errorf("window %v", w)
	}
	r.put(122, one(99)) // set back a little
	if w := at(124); w[7] != 99 || w[9] != 24 {
		t.Errorf("after a step back: %v", w)
	}
	r.put(50, one(7)) // far back
	if w := at(50); w[9] != 7 || !math.IsNaN(w[8]) || !math.IsNaN(at(124)[9]) {
		t.Errorf("after a jump back: %v", w)
	}
	r.put(5000, one(8)) // far ahead
	if w := at(5003); w[6] != 8 || !math.IsNaN(w[5]) || !math.IsNaN(w[9]) {
		t.Errorf("after a jump ahead: %v", w)
	}
	r.put(-3, one(1))
}

// TestFileOfHistory: a file gives back what was written, and one that is damaged anywhere is refused.
func TestFileOfHistory(t *testing.T) {
	rings := func() (*ring, *ring) { return newRing(time.Second, time.Minute), newRing(time.Minute, time.Hour) }
	a, b := rings()
	for i := range int64(100) {
		a.put(1000+i, sample{float32(i), 1, float32(math.NaN())})
		b.put(20+i, sample{2, float32(i)})
	}
	content := encodeHistory(a, b)
	c, d := rings()
	if err := decodeHistory(content, c, d); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encodeHistory(c, d), content) {
		t.Error("it does not give back what was written")
	}
	for i := range content {
		content[i] ^= 0x10
		if decodeHistory(content, c, d) == nil {
			t.Fatalf("a flipped bit at %d is not noticed", i)
		}
		content[i] ^= 0x10
	}
	for i := range content {
		if decodeHistory(content[:i], c, d) == nil {
			t.Fatalf("%d bytes of %d are taken for the whole", i, len(content))
		}
	}
	if err := decodeHistory(append(content, 0), c, d); err == nil {
		t.Error("a byte too many is not noticed")
	}
}

// TestDamagedFileIsSetAside: a file that cannot be read is kept under another name, with a line in the log, and the
// recording begins anew and writes a good one.
func TestDamagedFileIsSetAside(t *testing.T) {
	good := encodeHistory(newRing(time.Second, time.Hour), newRing(time.Minute, 24*time.Hour))
	for name, content := range map[string][]byte{
		"empty": {}, "torn": good[:len(good)/2], "other": []byte("something else"), "flipped": append([]byte{'H'}, good[1:]...),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history")
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			var lines bytes.Buffer
			r := New(Config{Queues: 1}).Record(still{}, path, slog.New(slog.NewTextHandler(&lines, nil)))
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(lines.String(), "history.damaged") || !strings.Contains(lines.String(), "level=WARN") {
				t.Errorf("the log says %q", lines.String())
			}
			if kept, err := os.ReadFile(path + ".damaged"); err != nil || !bytes.Equal(kept, content) {
				t.Errorf("kept are %d bytes, %v", len(kept), err)
			}
			if err := readHistory(path, newRing(time.Second, time.Hour), newRing(time.Minute, 24*time.Hour)); err != nil {
				t.Error(err)
			}
			if left, _ := filepath.Glob(path + ".part-*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestUnwritableHistory: a place that cannot be written to is an error of Close and nothing else.
func TestUnwritableHistory(t *testing.T) {
	r := New(Config{Queues: 1}).Record(still{}, filepath.Join(t.TempDir(), "none", "history"), quiet)
	if r.Close() == nil {
		t.Error("nothing is said")
	}
}

// FuzzHistory: no content of the file does harm.
func FuzzHistory(f *testing.F) {
	rings := func() (*ring, *ring) { return newRing(time.Second, 3*time.Second), newRing(time.Minute, 2*time.Minute) }
	a, b := rings()
	whole := encodeHistory(a, b)
	f.Add(whole)
	f.Add(whole[:len(whole)-4]) // gets its checksum below
	f.Add([]byte(historyMagic))
	f.Fuzz(func(t *testing.T, content []byte) {
		c, d := rings()
		body := append([]byte{}, content...)
		for _, whole := range [][]byte{content, binary.BigEndian.AppendUint32(body, checksum(body))} {
			if decodeHistory(whole, c, d) == nil {
				c.window(c.last)
				c.put(c.last+1, sample{})
				c.window(1 << 62)
			}
		}
	})
}
