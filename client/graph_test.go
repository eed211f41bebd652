package client

import (
	"fmt"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/internal/fakenode"
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// TestSubmitGraph: names become ids, whatever the order of the tasks, and all go in one atomic batch, again with the
// same ids.
func TestSubmitGraph(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	g, outside := NewGraph(), task.NewID()
	store := g.Add("store", NewSpec("store", nil, DependsOn(outside)), "parse", "fetch")
	parse := g.Add("parse", NewSpec("parse", []byte("p"), Priority(7)), "fetch")
	fetch := g.Add("fetch", NewSpec("fetch", nil))
	for range 2 {
		var receipts map[string]task.Receipt
		done := later(func() (err error) { receipts, err = c.SubmitGraph(within(t), g); return err })
		r := n.Next(wire.SubmitTask)
		var m wirepb.SubmitRequest
		r.Read(&m)
		specs := r.Submitted()
		if !m.Atomic || len(specs) != 3 || specs[0].ID != store || specs[1].ID != parse || specs[2].ID != fetch {
			t.Fatalf("submitted %+v", specs)
		}
		if want := []task.ID{outside, parse, fetch}; fmt.Sprint(specs[0].Dependencies) != fmt.Sprint(want) {
			t.Errorf("store depends on %v, want %v", specs[0].Dependencies, want)
		}
		if len(specs[1].Dependencies) != 1 || specs[1].Dependencies[0] != fetch || len(specs[2].Dependencies) != 0 {
			t.Errorf("dependencies %v and %v", specs[1].Dependencies, specs[2].Dependencies)
		}
		r.Accept(false)
		mustBe(t, <-done, nil)
		if receipts["store"].ID != store || receipts["parse"].ID != parse || receipts["fetch"].ID != fetch {
			t.Errorf("receipts %v", receipts)
		}
	}
}

// TestGraphRefusedByBroker: the error names the task.
func TestGraphRefusedByBroker(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	g := NewGraph()
	a, b := g.Add("a", NewSpec("t", nil)), g.Add("b", NewSpec("t", nil, DependsOn(task.NewID())), "a")
	done := later(func() error { _, err := c.SubmitGraph(within(t), g); return err })
	n.Next(wire.SubmitTask).Ack(&wirepb.SubmitReply{Receipts: wire.ReceiptsToPB([]task.Receipt{
		{ID: a, Err: task.ErrAborted}, {ID: b, Err: task.ErrUnknownDependency},
	})})
	err := <-done
	mustBe(t, err, task.ErrAborted)
	mustBe(t, err, task.ErrUnknownDependency)
	if !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("the error does not name the task: %v", err)
	}
}

// TestGraphRefused: a graph that cannot be is refused before anything is sent.
func TestGraphRefused(t *testing.T) {
	n := fakenode.Start(t)
	c := newClient(t, nil, n)
	plain := NewSpec("t", nil)
	for _, bad := range []struct {
		name, says string
		want       error
		build      func(g *Graph)
	}{
		{"unknown name", `"a" of the graph comes after "b"`, task.ErrInvalid, func(g *Graph) { g.Add("a", plain, "b") }},
		{"itself", "a after a", task.ErrInvalid, func(g *Graph) { g.Add("a", plain, "a") }},
		{"circle", "b after c after d after b", task.ErrInvalid, func(g *Graph) {
			g.Add("a", plain, "b")
			g.Add("b", plain, "c")
			g.Add("c", plain, "d")
			g.Add("d", plain, "b")
		}},
		{"twice", `called "a"`, task.ErrInvalid, func(g *Graph) { g.Add("a", plain); g.Add("a", plain) }},
		{"empty name", "empty", task.ErrInvalid, func(g *Graph) { g.Add("", plain) }},
		{"same parent twice", "named twice", task.ErrInvalid, func(g *Graph) { g.Add("a", plain); g.Add("b", plain, "a", "a") }},
		{"bad spec", `"a" of the graph`, task.ErrInvalid, func(g *Graph) { g.Add("a", NewSpec("", nil)) }},
		{"too many", "1001 tasks", task.ErrTooLarge, func(g *Graph) {
			for i := range task.MaxItems + 1 {
				g.Add(fmt.Sprint(i), plain)
			}
		}},
		{"too many dependencies", "dependencies", task.ErrTooLarge, func(g *Graph) {
			var names []string
			for i := range 200 {
				g.Add(fmt.Sprint(i), plain, names...)
				names = append(names, fmt.Sprint(i))
			}
		}},
	} {
		g := NewGraph()
		bad.build(g)
		_, err := c.SubmitGraph(within(t), g)
		mustBe(t, err, bad.want)
		if err != nil && !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%s: the error says %q, not %q", bad.name, err, bad.says)
		}
	}
	n.None(wire.SubmitTask)
}
