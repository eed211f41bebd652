package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
)

var (
	// ErrLeft: the node left its cluster and may not come back under its id.
	ErrLeft = errors.New("node left its cluster")
	// ErrNoCluster: the data directory belongs to no cluster, and none is to be founded.
	ErrNoCluster = errors.New("data directory belongs to no cluster")
	// ErrRestart: Raft believes in entries that a snapshot has replaced; the node has to be closed and opened again.
	ErrRestart = errors.New("node has to be opened again")
)

const (
	maxAppendEntries  = 16        // of one RPC: the only lever on its size
	snapshotBandwidth = 256 << 20 // bytes a second of all outgoing snapshots together
	storeName         = "store"
	snapshotsName     = "snapshots"
)

// Open starts the node of a data directory: the one it was, or, in a directory that was never started, a new one. A
// directory whose database or log is gone is refused. On an error everything is released, but Dir and Raft are the
// caller's.
func Open(cfg Config) (_ *Node, err error) {
	n, err := newNode(cfg)
	if err != nil {
		return nil, err
	}
	opened := closers{}
	defer func() {
		if err != nil {
			n.cancel()
			n.sessions.close()
			err = errors.Join(err, opened.close())
		}
	}()
	if err := n.openStorage(&opened); err != nil {
		return nil, err
	}
	if err := n.openRaft(&opened); err != nil {
		return nil, err
	}
	if !cfg.Dir.Started() {
		if err := cfg.Dir.setStarted(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func newNode(cfg Config) (*Node, error) {
	switch {
	case cfg.Dir.Left():
		return nil, fmt.Errorf("%w; `haikud reset` moves its directory aside, the node then joins anew", ErrLeft)
	case cfg.Dir.ClusterID().IsZero() && !cfg.Bootstrap:
		return nil, ErrNoCluster
	case cfg.Dir.ClusterID().IsZero():
		var id member.ID
		if _, err := rand.Read(id[:]); err != nil {
			return nil, fmt.Errorf("mint cluster id: %w", err)
		}
		if err := cfg.Dir.found(id); err != nil {
			return nil, err
		}
	}
	if cfg.Observer == nil {
		cfg.Observer = nobody{}
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger, id: cfg.Dir.NodeID(), clusterID: cfg.Dir.ClusterID(),
		endings: newEndings(), journal: newChangeLog(), marks: &marks{}, changed: make(chan struct{}), slow: make(chan struct{}, 1),
		done: make(chan error, 1),
	}
	n.sessions = newSessions(cfg.SessionGrace, n.onSessionLost)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n, nil
}

// openStorage opens the database and the log. In a directory that was never started they are made, and what an earlier
// start left half done is removed first.
func (n *Node) openStorage(opened *closers) (err error) {
	group, fresh := n.cfg.Dir.Group(), !n.cfg.Dir.Started()
	if fresh {
		for _, name := range []string{LogBolt.fileName(), LogWAL.fileName(), snapshotsName} {
			if err := os.RemoveAll(filepath.Join(group, name)); err != nil {
				return fmt.Errorf("clear an unfinished start: %w", err)
			}
		}
	} else if err := n.keepLogKind(group); err != nil {
		return err
	}
	if n.cfg.Store.Dir, err = n.cfg.Dir.findStore(n.cfg.DBPath); err != nil {
		return err
	}
	n.cfg.Store.Create = fresh && !n.cfg.Dir.unstartedRestore()
	n.cfg.Store.OnFatal = n.fatal
	if n.store, err = store.Open(n.cfg.Store); err != nil {
		return fmt.Errorf("%w; if a file is lost or damaged, %s", err, resetHint)
	}
	opened.add(n.store.Close)
	n.disks = &diskspace{
		dirs: []string{group, n.cfg.Store.Dir}, below: n.cfg.DiskRefuseBelow, free: room, stopped: n.store.WritesStopped,
		log: n.log, told: make(map[member.ID]time.Time),
	}
	n.disks.look()
	n.watchdog = newWatchdog(2*n.cfg.ElectionTimeout, n.cfg.StorageTimeout, n.onSlow, n.fatal)
	opened.add(func() error { n.watchdog.Close(); return nil })
	n.logs, err = openLogStore(logConfig{
		Dir: group, Kind: n.cfg.LogStore, CacheBytes: n.cfg.LogCacheBytes, Watchdog: n.watchdog, Logger: n.log,
		OnFatal: n.fatal, OnSynced: n.cfg.Observer.Synced,
	})
	if err != nil {
		return err
	}
	opened.add(n.logs.Close)
	if err := checkOwner(n.logs, filepath.Join(group, n.cfg.LogStore.fileName()), n.id, fresh); err != nil {
		return err
	}
	if n.cfg.Dir.unstartedRestore() {
		if err := n.refound(); err != nil {
			return fmt.Errorf("begin the restored cluster: %w", err)
		}
	}
	if fresh {
		if err := errors.Join(syncUp(n.cfg.Store.Dir, n.cfg.Dir.path), syncDir(group)); err != nil {
			return err
		}
	}
	n.snapshots, err = openSnapshotStore(snapshotConfig{
		Dir: filepath.Join(group, snapshotsName), Store: n.store, Logs: n.logs, Watchdog: n.watchdog, Logger: n.log,
		Bandwidth: snapshotBandwidth, OnDone: n.cfg.Observer.Snapshot,
		OnFatal: n.fatal, OnStale: n.onStale, OnInstall: func() { n.fsm.Settle() }, OnStall: func() { n.streams.closeStreams() },
	})
	if err != nil {
		return fmt.Errorf("open snapshots: %w", err)
	}
	opened.add(n.snapshots.Close)
	if err := reconcile(n.logs, n.store.Applied()); err != nil {
		return err
	}
	id, err := fsm.ClusterID(n.store)
	if err == nil && !id.IsZero() && id != n.clusterID {
		err = fmt.Errorf("%w: the database is of cluster %s, the directory of %s", ErrDirDamaged, id, n.clusterID)
	}
	return err
}

// keepLogKind goes on with the kind of log that the node has.
func (n *Node) keepLogKind(group string) error {
	kind, err := existingLog(group)
	if err == nil && kind != n.cfg.LogStore {
		n.log.Warn("the log's kind was fixed when this node first started", "raft.log_store", n.cfg.LogStore, "used", kind)
		n.cfg.LogStore = kind
	}
	return err
}

// openRaft starts Raft and what follows it.
func (n *Node) openRaft(opened *closers) (err error) {
	n.fsm = fsm.New(n.store, fsm.Options{
		OnCommit: n.onCommit, OnMark: n.onMark, OnFatal: n.fatal, HoldSnapshot: n.snapshots.hold,
		Write: n.watchdog.bracket("writing the store").around(n.cfg.storing), Apply: n.timeApply, OnTokens: n.onTokens,
		OnRestore: func() { n.journal.reset(n.AppliedIndex()) },
	})
	if err := n.guard.load(n.store); err != nil {
		return err
	}
	n.fsm.Defer(true)
	logger := newRaftLogger(n.log)
	n.streams = newStreamLayer(n.cfg.Raft, n.cfg.Advertise, n.id, n.clusterID, peersOf(n.configuration), n.log)
	n.transport = newSafeTransport(n.streams, n.snapshots, n.logs.awaitDurable, logger)
	n.transport.ownLast, n.transport.connected = n.logs.LastIndex, n.streams.connected
	opened.add(n.transport.Close)
	cfg := raft.DefaultConfig()
	cfg.LocalID, cfg.Logger = serverID(n.id), logger
	cfg.HeartbeatTimeout, cfg.ElectionTimeout = n.cfg.HeartbeatTimeout*5/4, n.cfg.ElectionTimeout*5/4 // see suspect
	cfg.LeaderLeaseTimeout = n.cfg.LeaderLeaseTimeout
	cfg.MaxAppendEntries, cfg.BatchApplyCh = maxAppendEntries, true
	cfg.SnapshotThreshold, cfg.SnapshotInterval = math.MaxUint64, n.cfg.SnapshotInterval // the log is cut by n.cutLogs
	cfg.TrailingLogs, cfg.NoSnapshotRestoreOnStart = n.cfg.TrailingLogs, true
	if err := n.bootstrap(cfg); err != nil {
		return err
	}
	if n.raft, err = raft.NewRaft(cfg, timedFSM{n.fsm, n}, n.logs, n.logs, n.snapshots, n.transport); err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	n.transport.intake.begin(n.transport.NetworkTransport.Consumer(), n.lostLeader)
	n.logs.writeBehind(n.leadsOthers)
	changes := make(chan raft.Observation, 16)
	n.raft.RegisterObserver(raft.NewObserver(changes, false, func(o *raft.Observation) bool {
		_, leader := o.Data.(raft.LeaderObservation)
		return leader
	}))
	n.work.Go(func() { n.observe(n.ctx, changes) })
	n.work.Go(func() { n.follow(n.ctx, n.raft.LeaderCh()) })
	n.work.Go(func() { n.cutLogs(n.ctx) })
	n.work.Go(func() { n.watchDisks(n.ctx) })
	n.work.Go(func() { n.suspect(n.ctx) })
	n.work.Go(func() { n.retreat(n.ctx) })
	n.work.Go(func() { n.settle(n.ctx) })
	n.work.Go(n.electSelf)
	return nil
}

// bootstrap writes the first configuration of a new cluster: this node alone. A node that was taken into a cluster and
// ended before its first start never does, whatever it is told: it would be a second cluster under the first one's id.
func (n *Node) bootstrap(cfg *raft.Config) error {
	if !n.cfg.Dir.node.Founder || n.cfg.Dir.Started() {
		return nil
	}
	err := raft.BootstrapCluster(cfg, n.logs, n.logs, n.snapshots, n.transport, n.alone())
	if err != nil {
		return fmt.Errorf("found the cluster: %w", err)
	}
	return nil
}

// onSlow is told that a write has been hanging for two election timeouts: another node should lead.
func (n *Node) onSlow(what string) {
	n.log.Warn("storage is slow", "operation", what)
	poke(n.slow)
}

// onStale is told that Raft believes in entries that a snapshot from the leader has replaced. Only a fresh start helps.
func (n *Node) onStale(err error) {
	n.log.Warn("the node has to start again", "reason", err)
	n.end(fmt.Errorf("%w: %w", ErrRestart, err))
}

// closers undo what an opening has done so far.
type closers []func() error

func (c *closers) add(fn func() error) { *c = append(*c, fn) }

func (c *closers) close() (err error) {
	for i := len(*c) - 1; i >= 0; i-- {
		err = errors.Join(err, (*c)[i]())
	}
	return err
}
