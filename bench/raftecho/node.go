package raftecho

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"go.etcd.io/bbolt"
)

// The settings of Haiku's cluster package.
const (
	heartbeatTimeout   = 2 * time.Second
	leaderLeaseTimeout = 1500 * time.Millisecond
	maxAppendEntries   = 16
	cachedEntries      = 512
	rpcTimeout         = 10 * time.Second
	pooledConns        = 3
)

// Config is one node. Peers lists the Raft addresses of all nodes; the first one founds the cluster.
type Config struct {
	Dir      string
	LogStore string // boltdb or wal, as Haiku's raft.log_store
	Raft     string // address of Raft
	Listen   string // address for clients
	Peers    []string
}

// logStore keeps Raft's log and votes.
type logStore interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

func openLog(cfg Config) (logStore, error) {
	switch cfg.LogStore {
	case "boltdb":
		return raftboltdb.New(raftboltdb.Options{Path: filepath.Join(cfg.Dir, "raft.db"), BoltOptions: &bbolt.Options{
			Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		}})
	case "wal":
		return wal.Open(cfg.Dir)
	}
	return nil, fmt.Errorf("there is no log store %q", cfg.LogStore)
}

// Serve runs a node until ctx ends.
func Serve(ctx context.Context, cfg Config) (err error) {
	files, err := openLog(cfg)
	if err != nil {
		return fmt.Errorf("open raft log: %w", err)
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	logs, err := raft.NewLogCache(cachedEntries, files)
	if err != nil {
		return err
	}
	quiet := hclog.New(&hclog.LoggerOptions{Level: hclog.Error})
	transport, err := raft.NewTCPTransportWithLogger(cfg.Raft, nil, pooledConns, rpcTimeout, quiet)
	if err != nil {
		return err
	}
	defer transport.Close()
	snapshots := raft.NewDiscardSnapshotStore()
	settings := raft.DefaultConfig()
	settings.LocalID, settings.Logger = raft.ServerID(cfg.Raft), quiet
	settings.HeartbeatTimeout, settings.ElectionTimeout = heartbeatTimeout, heartbeatTimeout
	settings.LeaderLeaseTimeout = leaderLeaseTimeout
	settings.MaxAppendEntries, settings.BatchApplyCh = maxAppendEntries, true
	settings.SnapshotThreshold = math.MaxUint64
	if cfg.Raft == cfg.Peers[0] {
		err := raft.BootstrapCluster(settings, logs, files, snapshots, transport, members(cfg.Peers))
		if err != nil {
			return fmt.Errorf("found the cluster: %w", err)
		}
	}
	node, err := raft.NewRaft(settings, machine{}, logs, files, snapshots, transport)
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	defer func() { err = errors.Join(err, node.Shutdown().Error()) }()
	return serve(ctx, node, cfg.Listen)
}

func members(peers []string) (c raft.Configuration) {
	for _, p := range peers {
		c.Servers = append(c.Servers, raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(p), Address: raft.ServerAddress(p)})
	}
	return c
}

// serve takes clients while this node leads; before, connecting to it fails.
func serve(ctx context.Context, node *raft.Raft, address string) error {
	for leads := false; !leads; {
		select {
		case leads = <-node.LeaderCh():
		case <-ctx.Done():
			return nil
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	p := newProposer(node)
	for {
		c, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go newSession(c, p).run()
	}
}

// machine is the state machine that does nothing.
type machine struct{}

var _ raft.BatchingFSM = machine{}

func (machine) Apply(*raft.Log) any { return nil }

func (machine) ApplyBatch(logs []*raft.Log) []any { return make([]any, len(logs)) }

func (machine) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("no snapshots here") }

func (machine) Restore(io.ReadCloser) error { return errors.New("no snapshots here") }
