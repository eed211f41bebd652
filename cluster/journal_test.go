package cluster

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// startJournal is a journal that somebody listens to, of a node whose log is applied up to an index.
func startJournal(index uint64) *Node {
	n := &Node{journal: newChangeLog()}
	n.journal.on.Store(true)
	n.journal.listeners = 1
	n.journal.restart(index)
	return n
}

// changesOf are so many changes whose Took numbers them, from first on.
func changesOf(first, count int) (list []task.Change) {
	for i := range count {
		list = append(list, task.Change{Took: time.Duration(first + i)})
	}
	return list
}

// readAll reads to the end by pages of a limit and returns the numbers of the changes.
func readAll(t *testing.T, n *Node, after string, limit int) (numbers []int, next string) {
	t.Helper()
	for next = after; ; {
		list, now, known, _ := n.Changes(next, limit)
		if !known {
			t.Fatalf("%s is not known", next)
		}
		for i := range list {
			numbers = append(numbers, int(list[i].Took))
		}
		if next = now; len(list) < limit {
			return numbers, next
		}
		if list[len(list)-1].Position != now {
			t.Fatalf("the position after the page is %s, that of its last change %s", now, list[len(list)-1].Position)
		}
	}
}

// inOrder wants the numbers from first to last.
func inOrder(t *testing.T, what string, numbers []int, first, last int) {
	t.Helper()
	if len(numbers) != last-first+1 {
		t.Errorf("%s: %d changes, want %d to %d", what, len(numbers), first, last)
		return
	}
	for i, number := range numbers {
		if number != first+i {
			t.Fatalf("%s: change %d is number %d, want %d", what, i, number, first+i)
		}
	}
}

// TestJournalGoesOnInsideOfAWrite: a position is a change, not a write, whatever the size of the pages.
func TestJournalGoesOnInsideOfAWrite(t *testing.T) {
	n := startJournal(10)
	_, begin, known, more := n.Changes("", 100)
	if !known || begin == "" {
		t.Fatal("no position to begin with")
	}
	n.journal.note(12, changesOf(1, 5))
	select {
	case <-more:
	default:
		t.Error("a listener is not woken")
	}
	n.journal.note(12, changesOf(90, 1)) // the same write again
	n.journal.note(15, nil)
	n.journal.note(17, changesOf(6, 2))
	for limit := 1; limit < 9; limit++ {
		numbers, _ := readAll(t, n, begin, limit)
		inOrder(t, fmt.Sprintf("pages of %d", limit), numbers, 1, 7)
	}
	list, _, _, _ := n.Changes(begin, 3)
	numbers, end := readAll(t, n, list[2].Position, 100)
	inOrder(t, "after the third of five", numbers, 4, 7)
	if _, now, _, _ := n.Changes("", 0); now != end {
		t.Errorf("the end is %s, now is %s", end, now)
	}
}

// TestJournalEnds: it remembers a bounded number, and says so to a reader that is further behind; the last position that
// is known and the first that is not are right beside each other.
func TestJournalEnds(t *testing.T) {
	const each, writes = 7, 3 * journalEntries / 7
	n := startJournal(0)
	_, begin, _, _ := n.Changes("", 0)
	positions := []string{begin}
	for i := range writes {
		n.journal.note(uint64(2*i+2), changesOf(each*i+1, each))
		list, _, _, _ := n.Changes(n.journal.position(n.journal.last, 0, n.journal.list[len(n.journal.list)-1].before), each)
		for k := range list {
			positions = append(positions, list[k].Position)
		}
	}
	if len(positions) != each*writes+1 {
		t.Fatalf("%d positions", len(positions))
	}
	if kept := len(n.journal.list); kept < journalEntries-each || kept >= 2*journalEntries {
		t.Errorf("%d changes are kept", kept)
	}
	first := -1
	for i, position := range positions {
		list, _, known, _ := n.Changes(position, 1)
		switch {
		case known && first < 0:
			first = i
		case !known && first >= 0:
			t.Fatalf("position %d is not known, %d was", i, first)
		}
		if known && i < len(positions)-1 && (len(list) != 1 || int(list[0].Took) != i+1) {
			t.Fatalf("after change %d comes %v", i, list)
		}
	}
	if first < each || each*writes-first != len(n.journal.list) {
		t.Errorf("known from change %d on, with %d kept of %d", first, len(n.journal.list), each*writes)
	}
}

// TestJournalOfAnotherNode: nodes cut the log into other writes. Who goes on at another node misses nothing, though it may
// hear changes twice; a node that does not reach back so far says so, and one that is behind catches up first.
func TestJournalOfAnotherNode(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 1))
	const entries = 400
	cut := func(begin int) *Node {
		n := startJournal(uint64(begin))
		for at := begin; at < entries; {
			next := min(at+1+random.IntN(6), entries)
			n.journal.note(uint64(next), changesOf(at+1, next-at)) // entry i makes change i
			at = next
		}
		return n
	}
	one, other := cut(0), cut(0)
	list, _, _, _ := one.Changes(one.journal.position(0, 0, 0), entries)
	for i := range list {
		numbers, _ := readAll(t, other, list[i].Position, 50)
		if len(numbers) == 0 && i < entries-1 || len(numbers) > 0 && numbers[0] > i+2 || len(numbers) > entries-i+12 {
			t.Fatalf("after change %d the other node goes on with %v", i+1, numbers)
		}
		if len(numbers) > 0 {
			inOrder(t, "at the other node", numbers, numbers[0], entries)
		}
	}
	late := cut(200)
	if _, _, known, _ := late.Changes(list[50].Position, 10); known {
		t.Error("a journal that began later knows a position before it")
	}
	if numbers, _ := readAll(t, late, list[300].Position, 10); numbers[0] > 302 {
		t.Errorf("it goes on with %d", numbers[0])
	}
	behind := startJournal(0)
	behind.journal.note(100, changesOf(1, 100))
	if numbers, next := readAll(t, behind, list[300].Position, 10); len(numbers) != 0 || next != list[300].Position {
		t.Errorf("a node that is behind tells %v and goes on at %s", numbers, next)
	}
	behind.journal.note(entries, changesOf(101, entries-100))
	if numbers, _ := readAll(t, behind, list[300].Position, 1000); len(numbers) == 0 || numbers[0] > 302 {
		t.Errorf("caught up it tells %v", numbers)
	}
}

// TestJournalRefusesPositions: what is no position, or one of changes that are not there, is not known.
func TestJournalRefusesPositions(t *testing.T) {
	n := startJournal(5)
	n.journal.note(8, changesOf(1, 3))
	epoch := n.journal.epoch
	for _, position := range []string{"-", epoch, epoch + "-", epoch + "-8", epoch + "-8-1", epoch + "-x-1-5", epoch + "--8-1-5",
		epoch + "-4-1-3", epoch + "-9-1-8", epoch + "-99999999999999999999-1-5", "ffffffff-8-1-4"} {
		if _, next, known, _ := n.Changes(position, 1); known || next != "" {
			t.Errorf("%q is known and leads to %q", position, next)
		}
	}
	before := n.journal.position(8, 1, 5)
	n.journal.reset(20)
	if _, _, known, _ := n.Changes(before, 1); known {
		t.Error("a position from before the state was replaced is known")
	}
}

// TestJournalCostsNothingUnheard: it forgets everything some time after the last listener, and begins anew with the next.
func TestJournalCostsNothingUnheard(t *testing.T) {
	n := startJournal(5)
	n.journal.note(6, changesOf(1, 3))
	n.journal.listeners, n.journal.left = 0, time.Now()
	n.journal.note(7, changesOf(4, 1))
	if !n.journal.on.Load() || len(n.journal.list) != 4 {
		t.Error("it has forgotten at once: who was cut off could not go on")
	}
	n.journal.left = time.Now().Add(-journalLinger - time.Second)
	n.journal.note(8, changesOf(5, 1))
	if n.journal.on.Load() || len(n.journal.list) != 0 {
		t.Errorf("nobody listens, and %d changes are kept", len(n.journal.list))
	}
	n.journal.note(9, changesOf(6, 1))
	if len(n.journal.list) != 0 {
		t.Error("nobody listens, and a change is kept")
	}
}
