package member

import (
	"encoding/hex"
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

// ID names a node or a cluster: 16 random bytes, made once and never reused; all zero for none.
type ID [16]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether the id names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// ParseID reads 32 hexadecimal digits. The error wraps task.ErrInvalid.
func ParseID(s string) (id ID, err error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(id) {
		return ID{}, fmt.Errorf("%w: a node id has 32 hexadecimal digits", task.ErrInvalid)
	}
	return ID(raw), nil
}

// MarshalText gives 32 hexadecimal digits.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads 32 hexadecimal digits.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// The roles of a member.
const (
	Leader   = "leader"
	Follower = "follower"
)

// Member is one node of the cluster.
type Member struct {
	ID                ID     `json:"id"`
	Name              string `json:"name"`
	Address           string `json:"address"`      // advertised HOST:PORT for clients and Raft
	HTTPAddress       string `json:"http_address"` // empty if it serves no HTTP
	Role              string `json:"role"`         // Leader or Follower
	Voter             bool   `json:"voter"`
	MaxCommandVersion uint32 `json:"max_command_version"`
}

// Status is one node's view of itself and its cluster.
type Status struct {
	ClusterID     ID       `json:"cluster_id"`
	NodeID        ID       `json:"node_id"`
	NodeName      string   `json:"node_name"`
	State         string   `json:"state"` // leader, follower, candidate or shutdown
	Term          uint64   `json:"term"`
	CommitIndex   uint64   `json:"commit_index"`
	AppliedIndex  uint64   `json:"applied_index"`
	LeaderAddress string   `json:"leader_address"` // empty if there is none
	Members       []Member `json:"members"`
	LastMark      *Mark    `json:"last_mark,omitempty"`
	Version       string   `json:"version"`
	// DispatchPaused: claims get nothing, as far as this node knows.
	DispatchPaused bool   `json:"dispatch_paused"`
	NodeState      *State `json:"node_state,omitempty"` // nil if the node does not tell it: it is of an older version
}

// Mark is a node's state hash at the index of a mark command.
type Mark struct {
	Index     uint64 `json:"index"`
	StateHash string `json:"state_hash"` // 64 hexadecimal digits; empty while it is computed
}

// Examination is what a node finds about its own state at a mark, as far as it is.
type Examination struct {
	Index     uint64            `json:"index"`
	StateHash string            `json:"state_hash"` // empty while it is computed
	Done      uint64            `json:"-"`          // keys compared
	Total     uint64            `json:"-"`          // an estimate; 0 until the comparison begins
	Finished  bool              `json:"finished"`
	Error     string            `json:"error,omitempty"` // why there is no Found
	Found     task.Verification `json:"found"`           // once it is finished
}

// Join is what a node tells the leader of itself when it starts.
type Join struct {
	Member       Member
	AppliedIndex uint64 // how far it has applied the log
	ClusterID    ID     // zero if it belongs to none yet
	DiskFull     bool   // it does not join, but says as a member that its disk is nearly full
}

// Adoption is the wish that a node gives up its own cluster for another.
type Adoption struct {
	Addresses []string // HOST:PORT of nodes of the other cluster
	Token     string   // of an admin of it; empty if it has no tokens, or the node's settings name one
}
