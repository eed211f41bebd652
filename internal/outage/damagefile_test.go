package outage

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/damage"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// TestDamagedNodes spoils one file of one killed node at random, of a node alone and of three, and starts all again.
// That node serves what it had; or it refuses, or ends when it reads there, with the name of the file, and after a reset
// it joins as a new one. In any case all tasks are what they were, and at the end all states are equal.
func TestDamagedNodes(t *testing.T) {
	t.Parallel()
	for _, log := range []string{"boltdb", "wal"} {
		for _, count := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/%d", log, count), func(t *testing.T) {
				t.Parallel()
				rounds := damage.Rounds(5-count, 150/count)
				damageNodes(t, append(slices.Clone(quick), "HAIKU_RAFT_LOG_STORE="+log), count, rounds)
			})
		}
	}
}

func damageNodes(t *testing.T, env []string, count, rounds int) {
	r := damage.Rand(t)
	whole := startNodes(t, count, env)
	for range 2 { // after the restart there are tables, too
		if err := whole.someTasks(); err != nil {
			t.Fatal(err)
		}
		for _, one := range whole.list {
			one.kill(t)
			whole.start(one)
		}
		whole.complete()
	}
	if err := whole.someTasks(); err != nil {
		t.Fatal(err)
	}
	want := (&load{n: whole}).all()
	for _, one := range whole.list {
		one.kill(t)
	}
	seen := make(map[string]int)
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			n := whole.copied(t)
			s := &spoiled{nodes: n, node: n.list[r.IntN(count)], want: want}
			s.path = randomFile(t, r, filepath.Join(n.dir, s.node.data))
			what, err := damage.File(r, damage.Kinds[r.IntN(len(damage.Kinds))], s.path, "")
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %s", s.node.name, what)
			seen[s.round()]++
		})
	}
	t.Logf("%v", seen)
}

// spoiled is a cluster one of whose nodes has a damaged file.
type spoiled struct {
	*nodes
	node *node
	path string
	want map[task.ID]*task.Task
}

// round starts the nodes and tells how it went.
func (s *spoiled) round() string {
	s.t.Helper()
	for _, one := range s.list {
		s.start(one)
	}
	how := "served"
	if !s.serves() {
		how = "refused"
		if s.mustNameTheFile(); len(s.list) == 1 {
			s.startAnew()
			return how
		}
		s.replace()
		if !s.serves() {
			s.t.Fatal("the node that took its place has ended")
		}
	}
	if err := s.someTasks(); err != nil && !s.node.ended() {
		s.t.Fatal(err)
	}
	if s.node.ended() {
		how = "ended later"
		if s.mustNameTheFile(); len(s.list) == 1 {
			return how
		}
		s.replace()
	}
	s.complete()
	s.sameState()
	return how
}

// serves waits until all nodes serve what they had, all in the same state, or the one with the damaged file has ended.
func (s *spoiled) serves() bool {
	s.t.Helper()
	until := func(what string, holds func() bool) bool {
		s.t.Helper()
		eventually(s.t, what+", or "+s.node.name+" ends", func() bool { return s.node.ended() || holds() })
		return !s.node.ended()
	}
	every := func(holds func(member.Status) bool) func() bool {
		return func() bool {
			for _, one := range s.list {
				if status, err := s.status(one); err != nil || !holds(status) {
					return false
				}
			}
			return true
		}
	}
	var found map[task.ID]*task.Task
	var mark uint64
	ok := until("all nodes serve", every(s.allVote)) && until("all tasks are listed", func() (ok bool) {
		all, err := s.all(5 * time.Second)
		found = all
		return err == nil
	}) && until("a mark", func() bool {
		ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
		defer cancel()
		index, err := s.c.Mark(ctx)
		mark = index
		return err == nil
	})
	if !ok {
		return false
	}
	if diff := cmp.Diff(s.want, found); diff != "" {
		s.t.Fatalf("other tasks are there: %s", diff)
	}
	hashes := make(map[string]bool)
	ok = until("all states are hashed", every(func(status member.Status) bool {
		hashed := status.LastMark != nil && status.LastMark.Index == mark && status.LastMark.StateHash != ""
		if hashed {
			hashes[status.LastMark.StateHash] = true
		}
		return hashed
	}))
	if len(hashes) > 1 {
		s.t.Fatalf("%d different states", len(hashes))
	}
	return ok
}

// mustNameTheFile wants the exit code and a line that names the file, or the directory below the node's that lacks it.
func (s *spoiled) mustNameTheFile() {
	s.t.Helper()
	code, said := s.node.exit(s.t), s.node.said()
	dir := filepath.Base(filepath.Dir(s.path))
	named := strings.Contains(said, filepath.Base(s.path)) || strings.HasPrefix(dir, "db-") && strings.Contains(said, dir)
	if code != 1 || !strings.Contains(said, "haikud: ") || !named {
		s.t.Fatalf("it ended with code %d, and not with the name of %s:\n%s", code, s.path, said)
	}
}

// replace resets the node, removes it from its cluster, and has it join as a new one.
func (s *spoiled) replace() {
	s.t.Helper()
	others := slices.DeleteFunc(slices.Clone(s.list), func(one *node) bool { return one == s.node })
	s.serving(others[0])
	status, err := s.status(others[0])
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(status.Members, func(m member.Member) bool { return m.Address == s.node.address })
	if i < 0 {
		s.t.Fatalf("%s is no member of %+v", s.node.name, status.Members)
	}
	command(s.t, s.dir, haikud, "reset", "--data-dir", s.node.data)
	s.remove(status.Members[i].ID)
	s.node.join = others[0].address
	s.start(s.node)
}

// startAnew resets a node that was alone: it is empty, and serves.
func (s *spoiled) startAnew() {
	s.t.Helper()
	command(s.t, s.dir, haikud, "reset", "--data-dir", s.node.data)
	s.start(s.node)
	s.complete()
	if err := s.someTasks(); err != nil {
		s.t.Fatal(err)
	}
}

// someTasks submits tasks and finishes a part of them. Nothing is leased afterwards.
func (n *nodes) someTasks() error {
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	var specs []task.Spec
	for i := range 60 {
		specs = append(specs, task.Spec{Type: workType, Payload: []byte(strings.Repeat(fmt.Sprintf("%d ", i), i*20))})
	}
	if _, err := n.c.SubmitMany(ctx, specs); err != nil {
		return err
	}
	tasks, err := n.c.Claim(ctx, task.ClaimRequest{WorkerID: "w", Types: []string{workType}, Max: 40})
	if err != nil {
		return err
	}
	var outcomes []task.Outcome
	for _, x := range tasks {
		outcomes = append(outcomes, task.Outcome{ID: x.ID, LeaseID: x.LeaseID, Kind: task.Success, Result: resultOf(x.ID.String())})
	}
	_, _, err = n.c.Finish(ctx, outcomes, nil)
	return err
}

// copied copies killed nodes with their directories.
func (n *nodes) copied(t *testing.T) *nodes {
	t.Helper()
	c := &nodes{t: t, dir: t.TempDir(), env: n.env}
	for _, one := range n.list {
		if err := damage.CopyDir(filepath.Join(n.dir, one.data), filepath.Join(c.dir, one.data)); err != nil {
			t.Fatal(err)
		}
		c.list = append(c.list, &node{name: one.name, address: one.address, data: one.data, join: one.join})
	}
	c.c = dial(t, client.Config{Addrs: c.addresses(0)})
	return c
}

// randomFile picks a kind of file first, for there are many of some.
func randomFile(t *testing.T, r *rand.Rand, dir string) string {
	t.Helper()
	kinds := make(map[string][]string)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		name := filepath.Base(path)
		if err == nil && !e.IsDir() && name != "LOCK" && !strings.HasPrefix(name, "LOG") {
			kind := filepath.Ext(name)
			if kind == "" {
				kind = strings.TrimRight(name, "-0123456789")
			}
			kinds[kind] = append(kinds[kind], path)
		}
		return err
	})
	// node.json, raft.db or wal-meta and segments; CURRENT-DB, CURRENT, IDENTITY, MANIFEST, OPTIONS, logs, tables
	if err != nil || len(kinds) < 9 {
		t.Fatalf("%v: %v", kinds, err)
	}
	names := slices.Sorted(maps.Keys(kinds))
	files := kinds[names[r.IntN(len(names))]]
	return files[r.IntN(len(files))]
}
