package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/haiku-queue/haiku/task"
)

// Graph is a set of tasks that wait for each other, under names that mean something only within it. It is made with
// NewGraph and submitted whole or not at all. It is for one goroutine at a time.
type Graph struct {
	names  []string // in the order of Add
	specs  []task.Spec
	after  [][]string
	places map[string]int
	wrong  error // what Add was told first that cannot be
}

// NewGraph returns a graph without tasks.
func NewGraph() *Graph { return &Graph{places: make(map[string]int)} }

// Add puts a task into the graph, under a name of its own and with an id that is returned. It waits until the tasks
// called after have completed, which may be added later, and for the spec's own dependencies outside of the graph. What
// is wrong with the name, Specs and SubmitGraph say.
func (g *Graph) Add(name string, spec task.Spec, after ...string) task.ID {
	if spec.ID == (task.ID{}) {
		spec.ID = task.NewID()
	}
	err := task.ValidateName("name in the graph", name)
	if _, twice := g.places[name]; twice && err == nil {
		err = fmt.Errorf("%w: two tasks of the graph are called %q", task.ErrInvalid, name)
	}
	if err != nil {
		if g.wrong == nil {
			g.wrong = err
		}
		return spec.ID
	}
	g.places[name] = len(g.names)
	g.names, g.specs, g.after = append(g.names, name), append(g.specs, spec), append(g.after, after)
	return spec.ID
}

// Specs returns the graph's tasks in the order of Add, names replaced by ids. The error wraps task.ErrInvalid or
// task.ErrTooLarge and names the task: an unknown or repeated name, a circle, too many tasks, a spec out of bounds.
func (g *Graph) Specs() ([]task.Spec, error) {
	if g.wrong != nil {
		return nil, g.wrong
	}
	if len(g.specs) > task.MaxItems {
		return nil, fmt.Errorf("%w: the graph has %d tasks, at most %d are allowed", task.ErrTooLarge, len(g.specs),
			task.MaxItems)
	}
	specs, parents := make([]task.Spec, len(g.specs)), 0
	for i, spec := range g.specs {
		spec.Dependencies = append([]task.ID(nil), spec.Dependencies...)
		for _, name := range g.after[i] {
			place, known := g.places[name]
			if !known {
				return nil, fmt.Errorf("%w: task %q of the graph comes after %q, which is not in it", task.ErrInvalid,
					g.names[i], name)
			}
			spec.Dependencies = append(spec.Dependencies, g.specs[place].ID)
		}
		specs[i] = spec
		parents += len(spec.Dependencies)
	}
	if circle := g.circle(); circle != nil {
		return nil, fmt.Errorf("%w: tasks of the graph wait for each other: %s", task.ErrInvalid,
			strings.Join(circle, " after "))
	}
	for i := range specs {
		if err := specs[i].Validate(); err != nil {
			return nil, fmt.Errorf("task %q of the graph: %w", g.names[i], err)
		}
	}
	if parents > task.MaxBatchParents {
		return nil, fmt.Errorf("%w: the graph has %d dependencies, at most %d are allowed", task.ErrTooLarge, parents,
			task.MaxBatchParents)
	}
	return specs, nil
}

// circle returns the names of tasks that wait for each other, the first one again at the end, or nil. All names are
// known.
func (g *Graph) circle() []string {
	const (
		unseen = iota
		onPath
		done
	)
	state := make([]uint8, len(g.names))
	var path []int
	var visit func(i int) []string
	visit = func(i int) []string {
		state[i] = onPath
		path = append(path, i)
		for _, name := range g.after[i] {
			switch parent := g.places[name]; state[parent] {
			case unseen:
				if circle := visit(parent); circle != nil {
					return circle
				}
			case onPath:
				var circle []string
				for at := len(path) - 1; ; at-- {
					circle = append([]string{g.names[path[at]]}, circle...)
					if path[at] == parent {
						return append(circle, name)
					}
				}
			}
		}
		state[i] = done
		path = path[:len(path)-1]
		return nil
	}
	for i := range g.names {
		if state[i] == unseen {
			if circle := visit(i); circle != nil {
				return circle
			}
		}
	}
	return nil
}

// SubmitGraph submits the tasks of a graph, all or none, and returns their receipts by name. A graph that cannot be is
// refused before anything is sent: see Graph.Specs. If the broker refuses a task, the error wraps task.ErrAborted and
// that task's own error, and names it. The same graph can be submitted again without harm, since its ids stay.
func (c *Client) SubmitGraph(ctx context.Context, g *Graph) (map[string]task.Receipt, error) {
	specs, err := g.Specs()
	if err != nil {
		return nil, err
	}
	list, err := c.SubmitAtomic(ctx, specs)
	receipts := make(map[string]task.Receipt, len(list))
	refused := err
	for i, r := range list {
		receipts[g.names[i]] = r
		if r.Err != nil && errors.Is(err, task.ErrAborted) && !errors.Is(r.Err, task.ErrAborted) {
			refused = fmt.Errorf("%w: task %q: %w", task.ErrAborted, g.names[i], r.Err)
		}
	}
	return receipts, refused
}
