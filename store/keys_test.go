package store

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/haiku-queue/haiku/task"
)

// TestGoldenKeys holds the bytes on disk. A difference means that nodes of two versions would disagree: see keys.go.
func TestGoldenKeys(t *testing.T) {
	x := newTask(0x0102, func(s *task.Spec) {
		s.Queue, s.Type, s.Dependencies = "q", "mail", []task.ID{testID(9), testID(8)}
		s.Payload = make([]byte, 2000)
	})
	x.Hash = [16]byte{0xaa, 15: 0xbb}
	x.WaitingFor = 0
	got := dump(x)
	x.Status, x.ScheduledAt, x.ResultSize = task.Failed, base.Add(time.Second), 5000
	got += dump(x)
	x.Status, x.ResultSize = task.Pending, 0
	got += dump(x)
	x.Status, x.DeleteAt, x.Dependencies, x.PayloadSize = task.Completed, base.Add(time.Hour), nil, 0
	got += dump(x)
	x.Status, x.DeleteAt, x.ExpiresAt = task.Pending, time.Time{}, base.Add(time.Minute)
	x.UniqueKey, x.UniqueScope, x.UniqueHeld, x.Dependencies = "k", task.UniqueTTL, true, []task.ID{testID(8)}
	got += dump(x)
	got += fmt.Sprintf("tombstone %x\n", appendTombstoneKey(nil, x.ID))
	p := Pair{"q", "mail"}
	a := Applied{Index: 1, Term: 2, ConfigurationIndex: 3, Configuration: []byte("cfg")}
	got += fmt.Sprintf("meta %x\nmeta %x\n", appendCountKey(nil, p), a.encode())
	want := strings.TrimPrefix(`
blobs 018bcfe568007000800000000000010201 -> 
index_task_id 018bcfe5680070008000000000000102 -> 010101aa0000000000000000000000000000bb
index_task_type 6d61696c0000018bcfe5680070008000000000000102 -> 01
index_priority 71006d61696c00000000000000009b80060a24181e40000000000000000102018bcfe5680070008000000000000102 -> 01000007d0
index_dependents 018bcfe5680070008000000000000008018bcfe5680070008000000000000102 -> 01
index_dependents 018bcfe5680070008000000000000009018bcfe5680070008000000000000102 -> 01

blobs 018bcfe568007000800000000000010201 -> 
blobs 018bcfe568007000800000000000010202 -> 
index_task_id 018bcfe5680070008000000000000102 -> 010101aa0000000000000000000000000000bb
index_task_type 6d61696c0000018bcfe5680070008000000000000102 -> 01
index_task_type 6d61696c0004018bcfe5680070008000000000000102 -> 01
index_scheduled_time 0280060a24182d8240018bcfe5680070008000000000000102 -> 01
index_dependents 018bcfe5680070008000000000000008018bcfe5680070008000000000000102 -> 01
index_dependents 018bcfe5680070008000000000000009018bcfe5680070008000000000000102 -> 01

blobs 018bcfe568007000800000000000010201 -> 
index_task_id 018bcfe5680070008000000000000102 -> 010101aa0000000000000000000000000000bb
index_task_type 6d61696c0000018bcfe5680070008000000000000102 -> 01
index_scheduled_time 0180060a24182d8240018bcfe5680070008000000000000102 -> 01
index_dependents 018bcfe5680070008000000000000008018bcfe5680070008000000000000102 -> 01
index_dependents 018bcfe5680070008000000000000009018bcfe5680070008000000000000102 -> 01

index_task_id 018bcfe5680070008000000000000102 -> 010103aa0000000000000000000000000000bb
index_task_type 6d61696c0000018bcfe5680070008000000000000102 -> 01
index_scheduled_time 0480060a24eeb1e400018bcfe5680070008000000000000102 -> 01

index_task_id 018bcfe5680070008000000000000102 -> 010101aa0000000000000000000000000000bb
index_task_type 6d61696c0000018bcfe5680070008000000000000102 -> 01
index_scheduled_time 0180060a24182d8240018bcfe5680070008000000000000102 -> 01
index_scheduled_time 0380060a241bb1c700018bcfe5680070008000000000000102 -> 01
index_dependents 018bcfe5680070008000000000000008018bcfe5680070008000000000000102 -> 01
index_unique f034dd9a885d5457879426caf2a03ff103 -> 01018bcfe5680070008000000000000102

tombstone 0580060a24181e4000018bcfe5680070008000000000000102
meta 636f756e742f71006d61696c00
meta 000000000000000100000000000000020000000000000003636667
`, "\n")
	if got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
}

func dump(x *task.Task) string {
	var l keyList
	l.of(x)
	var b strings.Builder
	for _, e := range l.entries {
		fmt.Fprintf(&b, "%s %x -> %x\n", e.family, e.key, e.value)
	}
	if !slices.IsSortedFunc(l.entries, func(a, b entry) int { return compareEntries(&a, &b) }) {
		b.WriteString("not sorted\n")
	}
	return b.String() + "\n"
}

// TestGoldenRecord holds the bytes of one record.
func TestGoldenRecord(t *testing.T) {
	x := newTask(7, func(s *task.Spec) { s.Payload = []byte("hi") })
	x.Hash = [16]byte{0xaa, 15: 0xbb}
	var w writer
	w.ids = &[familyCount]uint32{}
	w.reset()
	if err := w.putRecord(x); err != nil {
		t.Fatal(err)
	}
	const want = "05" + "00" + "10" + "018bcfe5680070008000000000000007" + "44" + // put, family, key
		"01" + // version
		"0a05656d61696c" + "1a026869" + "2864" + "308080f9c0c1c48203" + "388080f9c0c1c48203" + // type, payload, priority, times
		"4003" + "5003" + "a0028080f9c0c1c48203" + "a80207" + // retries, crashes, updated, seq
		"b20210" + "aa0000000000000000000000000000bb"
	if got := hex.EncodeToString(w.groups[famPending][opPut-opDelete]); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPlaceOrderIsTaskOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) *task.Task {
			return &task.Task{
				ID: testID(rapid.IntRange(0, 3).Draw(t, name+"id")), Seq: uint64(rapid.IntRange(0, 3).Draw(t, name+"seq")),
				Priority:    task.Priority(rapid.IntRange(0, 255).Draw(t, name+"priority")),
				ScheduledAt: time.UnixMicro(rapid.Int64Range(-3, 3).Draw(t, name+"at")).UTC(),
				Aging:       time.Duration(max(0, rapid.IntRange(-2, 2).Draw(t, name+"aging"))) * time.Second,
			}
		}
		a, b := draw("a"), draw("b")
		p, q := placeOf(a), placeOf(b)
		if got, want := bytes.Compare(p[:], q[:]), task.Compare(a, b); got != want {
			t.Fatalf("places compare %d, tasks %d", got, want)
		}
	})
}

func TestSortableTimes(t *testing.T) {
	times := []int64{math.MinInt64, -1, 0, 1, math.MaxInt64}
	for i, us := range times {
		if unsortable(sortable(us)) != us {
			t.Fatal(us)
		}
		if i > 0 && sortable(times[i-1]) >= sortable(us) {
			t.Fatalf("%d does not sort before %d", times[i-1], us)
		}
	}
}
