package member

import (
	"time"

	"github.com/haiku-queue/haiku/task"
)

// The bounds of what is kept of one worker.
const (
	MaxWorkerIDs   = 4  // names under which a session claimed, the newest ones
	MaxWorkerNames = 16 // queues and types of its last claim, the first ones
)

// Origin is where a connection of a session comes from.
type Origin struct {
	ClientName string // as its Hello said
	Node       ID     // that it is connected to
}

// Worker is one session that claims tasks, as the leader knows it.
type Worker struct {
	Session       task.SessionID `json:"session"`
	IDs           []string       `json:"worker_ids"` // as claimed, the newest last
	ClientName    string         `json:"client_name"`
	Node          ID             `json:"node"`   // that it is connected to; zero while it has no connection
	Queues        []string       `json:"queues"` // of its last claim from this leader; empty before the first
	Types         []string       `json:"types"`  // likewise; empty for all if there are queues
	Leases        uint32         `json:"leases"`
	Connected     time.Time      `json:"connected_since"` // to this leader
	LastHeartbeat time.Time      `json:"last_heartbeat"`  // zero if there was none yet
	Draining      bool           `json:"draining"`
}

// Is reports whether a worker is meant by a name: its session in hexadecimal digits, or its newest worker id.
func (w *Worker) Is(name string) bool {
	return name == w.Session.String() || len(w.IDs) > 0 && name == w.IDs[len(w.IDs)-1]
}
