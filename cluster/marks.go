package cluster

import (
	"sync"

	"github.com/haiku-queue/haiku/member"
)

// marks keeps the newest mark of this node. Hashes may be done in another order than they began.
type marks struct {
	mu   sync.Mutex
	mark *member.Mark
}

func (m *marks) begin(index uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mark = &member.Mark{Index: index}
}

func (m *marks) end(index uint64, hash string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mark.Index == index {
		m.mark = &member.Mark{Index: index, StateHash: hash}
	}
}

// last is the newest mark; nil if this process has seen none.
func (m *marks) last() *member.Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mark
}
