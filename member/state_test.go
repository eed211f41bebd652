package member

import (
	"maps"
	"testing"
)

// TestLags: how far behind a node is, is what the newest leader says, however late the others were asked.
func TestLags(t *testing.T) {
	a, b, c := ID{1}, ID{2}, ID{3}
	leads := func(id ID, term uint64, followers ...FollowerLag) Status {
		return Status{NodeID: id, State: Leader, Term: term, CommitIndex: 1000, NodeState: &State{Followers: followers}}
	}
	old := Status{NodeID: a, State: Leader, Term: 9} // of a version that tells nothing of itself
	for _, s := range []struct {
		name     string
		statuses []Status
		want     map[ID]uint64
	}{
		{"nobody leads", []Status{{NodeID: a, State: Follower}, {NodeID: b, State: "candidate"}}, map[ID]uint64{}},
		{"one is asked later", []Status{leads(a, 5, FollowerLag{b, 0}), {NodeID: b, CommitIndex: 900}, {NodeID: c}}, map[ID]uint64{a: 0, b: 0}},
		{"two say that they lead", []Status{leads(a, 5, FollowerLag{b, 7}), leads(b, 6, FollowerLag{a, 3}, FollowerLag{c, 2})},
			map[ID]uint64{b: 0, a: 3, c: 2}},
		{"an old leader", []Status{old, leads(b, 6)}, map[ID]uint64{}},
	} {
		if got := Lags(s.statuses); !maps.Equal(got, s.want) {
			t.Errorf("%s: %v, want %v", s.name, got, s.want)
		}
	}
}
