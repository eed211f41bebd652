package cluster

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// Config is what a node needs to open. Default has the values of the fields that may be left.
type Config struct {
	Dir       *Dir         // held by this process; closed by whoever opened it, after the node
	Raft      net.Listener // connections that begin with the byte 'R', still unread
	Advertise string       // HOST:PORT under which other nodes and clients reach this one
	HTTP      string       // HOST:PORT under which people reach its HTTP server; empty for none
	Name      string       // shown to people
	Version   string       // of the program
	Bootstrap bool         // found a cluster, if the directory belongs to none
	Store     store.Config // Dir and Create are set by Open
	DBPath    string       // of the database: a place of its own below Dir, or an absolute path; see Dir.storePath
	Logger    *slog.Logger
	Trace     *trace.Recorder // of what is done for tasks whose trace is sampled; nil for none

	LogStore           LogKind       // what keeps Raft's log
	HeartbeatTimeout   time.Duration // without word from the leader for this long, a follower stands for election: see suspect
	ElectionTimeout    time.Duration // of a candidate
	LeaderLeaseTimeout time.Duration // a leader without a majority for this long steps down
	TrailingLogs       uint64        // entries kept after a snapshot, at most
	SnapshotThreshold  uint64        // entries after which the log is cut
	SnapshotInterval   time.Duration // how often it is looked at
	LogCacheBytes      int64         // of the log's newest entries, kept in memory
	StorageTimeout     time.Duration // a write that hangs for this long ends the process
	SessionGrace       time.Duration // for a worker to come back before its leases are released
	DedupWindow        time.Duration
	DiskRefuseBelow    uint64 // bytes free on a disk below which submits are refused; 0 for never

	Observer Observer // of what the node does; nil for nobody

	storing func(write func() error) error // writes to the database go through it in tests; nil for none

	// FirstToken is the text of an admin's token that this node makes when it leads and no admin has a valid one; empty for
	// none.
	FirstToken string
	// AskRemove asks the leader at an address to remove a member; for Leave on a follower.
	AskRemove func(ctx context.Context, leader string, id member.ID) error
	// OnAdopt is told that the operator wants this node, a solo one without tasks, to join another cluster.
	OnAdopt func(member.Adoption)
}

// Default returns a Config with the timing and bounds that clusters run with.
func Default() Config {
	return Config{
		Store:            store.Default(),
		DBPath:           defaultDBPath,
		Logger:           slog.Default(),
		LogStore:         LogWAL,
		HeartbeatTimeout: 2 * time.Second, ElectionTimeout: 2 * time.Second, LeaderLeaseTimeout: 1500 * time.Millisecond,
		TrailingLogs: 50_000, SnapshotThreshold: 20_000, SnapshotInterval: 30 * time.Second,
		LogCacheBytes: logCacheBytes, StorageTimeout: 30 * time.Second, SessionGrace: 5 * time.Second,
		DedupWindow: task.DefaultDedup, DiskRefuseBelow: 1 << 30,
	}
}
