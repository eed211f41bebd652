package fsm

import "github.com/haiku-queue/haiku/task"

// findCycle looks for tasks of one batch that wait for each other, and returns the place of the first of them.
func findCycle(tasks []*task.Task, fresh map[task.ID]*task.Task) (place int, found bool) {
	s := &circles{fresh: fresh, number: make(map[task.ID]int), low: make(map[task.ID]int), open: make(map[task.ID]bool)}
	s.circular = make(map[task.ID]bool)
	for _, t := range tasks {
		if t != nil && s.number[t.ID] == 0 {
			s.visit(t)
		}
	}
	for i, t := range tasks {
		if t != nil && s.circular[t.ID] {
			return i, true
		}
	}
	return 0, false
}

// circles finds the circles of a graph in one walk over it (Tarjan's strongly connected components). It goes as deep as
// the batch is long at most.
type circles struct {
	fresh       map[task.ID]*task.Task
	number, low map[task.ID]int // when it was come to; the earliest that can be come back to from it
	path        []task.ID       // come to, and not known yet to be in a circle or in none
	open        map[task.ID]bool
	circular    map[task.ID]bool
}

func (s *circles) visit(t *task.Task) {
	n := len(s.number) + 1
	s.number[t.ID], s.low[t.ID], s.open[t.ID] = n, n, true
	at := len(s.path)
	s.path = append(s.path, t.ID)
	for _, id := range t.Dependencies {
		parent := s.fresh[id]
		switch {
		case parent == nil:
		case id == t.ID: // by way of what an item of the batch was answered with
			s.circular[id] = true
		case s.number[id] == 0:
			s.visit(parent)
			s.low[t.ID] = min(s.low[t.ID], s.low[id])
		case s.open[id]:
			s.low[t.ID] = min(s.low[t.ID], s.number[id])
		}
	}
	if s.low[t.ID] < n {
		return
	}
	circle := s.path[at:]
	for _, id := range circle {
		s.open[id] = false
		s.circular[id] = s.circular[id] || len(circle) > 1
	}
	s.path = s.path[:at]
}
