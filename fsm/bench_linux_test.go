package fsm

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/task"
)

// BenchmarkFlat is what one task costs where so many others are there: the two sizes should cost alike. Tasks come a
// hundred to a command, an entry and a write. cpu-ns/op, the median of all commands, is the time that the thread which
// applies was running, RocksDB's share of it included: unlike the time it changes little while others use the machine.
func BenchmarkFlat(b *testing.B) {
	for _, existing := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprintf("existing=%d", existing), func(b *testing.B) {
			f := &flat{b: b, fsm: newFSM(openStore(b, b.TempDir()))}
			f.submit("waiting", existing, nil)
			for _, step := range []struct {
				name string
				run  func(n int)
			}{{"submit", f.benchSubmit}, {"claim", f.benchClaim}, {"complete", f.benchComplete}, {"cancel", f.benchCancel}, {"release", f.benchRelease}} {
				b.Run(step.name, func(b *testing.B) {
					runtime.LockOSThread() // for threadTime
					defer runtime.UnlockOSThread()
					f.b, f.cpu = b, nil
					b.StopTimer()
					b.ResetTimer()
					step.run(b.N)
					slices.Sort(f.cpu)
					b.ReportMetric(float64(f.cpu[len(f.cpu)/2])/float64(min(b.N, flatBatch)), "cpu-ns/op")
				})
			}
		})
	}
}

// flat applies commands; the timer stands still but in timed.
type flat struct {
	b     *testing.B
	fsm   *FSM
	index uint64
	cpu   []time.Duration // of each command that was timed
}

const flatBatch = 100

func (f *flat) apply(c Command) Result {
	e, err := Encode(c)
	if err != nil {
		f.b.Fatal(err)
	}
	f.index++
	now := epoch.Add(time.Duration(f.index) * time.Millisecond)
	l := &raft.Log{Index: f.index, Term: 1, Type: raft.LogCommand, Data: append(AppendHeader(nil, 1, now), e...)}
	return f.fsm.Apply(l).([]Result)[0]
}

func (f *flat) timed(c Command) Result {
	begun := threadTime(f.b)
	f.b.StartTimer()
	r := f.apply(c)
	f.b.StopTimer()
	f.cpu = append(f.cpu, threadTime(f.b)-begun)
	return r
}

const threadClock = 3 // CLOCK_THREAD_CPUTIME_ID, which package syscall does not name

// threadTime is the CPU time of this thread.
func threadTime(b *testing.B) time.Duration {
	var at syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadClock, uintptr(unsafe.Pointer(&at)), 0); errno != 0 {
		b.Fatal(errno)
	}
	return time.Duration(at.Nano())
}

// commands make a submit of n tasks of a type, each behind one of parents if there are any.
func (f *flat) commands(typ string, n int, parents []task.ID) (out []*Submit, ids []task.ID) {
	for i := range n {
		if i%flatBatch == 0 {
			out = append(out, &Submit{DedupWindow: 100 * 365 * 24 * time.Hour})
		}
		s := task.Spec{ID: task.NewID(), Type: typ, Payload: []byte(`{"to":"someone@example.org"}`)}
		if parents != nil {
			s.Dependencies = parents[i : i+1]
		}
		c := out[len(out)-1]
		c.Specs, c.Hashes, ids = append(c.Specs, s), append(c.Hashes, s.ContentHash()), append(ids, s.ID)
	}
	return out, ids
}

func (f *flat) submit(typ string, n int, parents []task.ID) []task.ID {
	all, ids := f.commands(typ, n, parents)
	for _, c := range all {
		f.accepted(f.apply(c))
	}
	return ids
}

func (f *flat) accepted(r Result) {
	for i := range r.Receipts {
		if r.Receipts[i].Err != nil {
			f.b.Fatal(r.Receipts[i].Err)
		}
	}
}

func (f *flat) benchSubmit(n int) {
	all, _ := f.commands("waiting", n, nil)
	for _, c := range all {
		f.accepted(f.timed(c))
	}
}

func (f *flat) claims(typ string, n int, apply func(Command) Result) (finish []*Finish) {
	for left := n; left > 0; left -= flatBatch {
		want := min(left, flatBatch)
		r := apply(&Claim{Session: task.SessionID{1}, WorkerID: "w", Queues: []string{task.DefaultQueue}, Types: []string{typ}, Max: want, Lease: time.Hour})
		if len(r.Tasks) != want {
			f.b.Fatalf("claimed %d of %d", len(r.Tasks), want)
		}
		c := &Finish{Delays: make([]time.Duration, want), Hashes: make([][][16]byte, want)}
		for _, t := range r.Tasks {
			c.Outcomes = append(c.Outcomes, task.Outcome{ID: t.ID, LeaseID: t.LeaseID, Kind: task.Success})
		}
		finish = append(finish, c)
	}
	return finish
}

func (f *flat) benchClaim(n int) {
	f.submit("waiting", n, nil) // what it takes is there again
	f.claims("waiting", n, f.timed)
}

func (f *flat) benchComplete(n int) {
	f.submit("waiting", n, nil)
	for _, c := range f.claims("waiting", n, f.apply) {
		f.accepted(f.timed(c))
	}
}

func (f *flat) benchCancel(n int) {
	ids := f.submit("waiting", n, nil)
	for len(ids) > 0 {
		k := min(flatBatch, len(ids))
		f.accepted(f.timed(&Cancel{IDs: ids[:k]}))
		ids = ids[k:]
	}
}

// benchRelease completes a parent and so releases its child.
func (f *flat) benchRelease(n int) {
	parents := f.submit("parent", n, nil)
	f.submit("waiting", n, parents)
	for _, c := range f.claims("parent", n, f.apply) {
		f.accepted(f.timed(c))
	}
}
