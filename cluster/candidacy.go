package cluster

import (
	"time"

	"github.com/hashicorp/raft"
)

// candidacy is a wish to stand for election, after the other voters were asked.
type candidacy struct {
	term           uint64 // to stand for
	index, logTerm uint64 // of the last entry of this node's log
	began          time.Time
	recent         time.Duration // before began, in which another's question is not given up yet
	insists        bool          // it has given way before
	precedes       func(raft.ServerID) bool

	decided chan struct{}
	yielded bool
}

// rival is what is known of another node's candidacy.
type rival struct {
	id             raft.ServerID
	asked          time.Time // whether it would be voted for
	index, logTerm uint64
	term           uint64 // for which somebody has stood last
}

// yieldsTo says that this candidacy would but split the votes: another node stands already, or has asked before and can
// win. Of two that asked at the same time, the one that comes later in the configuration gives way.
func (c *candidacy) yieldsTo(r rival) bool {
	switch {
	case r.term >= c.term:
		return true
	case c.insists, r.asked.Before(c.began.Add(-c.recent)):
		return false
	case r.logTerm < c.logTerm, r.logTerm == c.logTerm && r.index < c.index:
		return false
	}
	return r.asked.Before(c.began) || c.precedes(r.id)
}
