package main

import (
	"context"
	"time"

	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/config"
	"github.com/haiku-queue/haiku/internal/buildinfo"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/transport"
)

// transportConfig hands the settings of the port on.
func (d *daemon) transportConfig() transport.Config {
	l := d.cfg.Limits
	return transport.Config{
		Addr: d.cfg.Listen, Logger: d.log, RequireToken: d.cfg.RequireToken(), Trace: d.recorder(),
		Limits: transport.Limits{
			MaxConns: l.Connections, MaxRaftConns: l.RaftConnections, MaxRequests: l.Requests,
			ConnBytes: int64(l.ConnectionSize), TotalBytes: int64(l.TotalSize), QueueBytes: int64(l.ReplySize),
			HandshakeTimeout: l.HandshakeTimeout, FrameTimeout: l.FrameTimeout, IdleTimeout: l.IdleTimeout,
			WriteTimeout: l.WriteTimeout, LeaderWait: l.LeaderWait, DrainTimeout: l.DrainTimeout,
		},
	}
}

// clusterConfig is what the node needs.
func (d *daemon) clusterConfig() cluster.Config {
	c := cluster.Default()
	tune(&c, &d.cfg)
	c.Dir, c.Raft, c.Logger, c.Observer = d.dir, d.server.Raft(), d.log, d.meter
	c.Advertise, c.Name, c.Version = d.cfg.AdvertiseAddress(), d.name(), buildinfo.Version()
	c.HTTP = d.cfg.HTTPAdvertise()
	c.Bootstrap = len(d.cfg.Join) == 0
	c.Trace = d.recorder()
	c.AskRemove = d.askRemove
	c.OnAdopt = d.onAdopt
	c.FirstToken = d.firstToken
	return c
}

// tune hands the settings of Raft and of the store on.
func tune(c *cluster.Config, cfg *config.Config) {
	r := cfg.Raft
	c.LogStore = cluster.LogKind(r.LogStore)
	c.HeartbeatTimeout, c.ElectionTimeout = r.HeartbeatTimeout, r.ElectionTimeout
	c.LeaderLeaseTimeout = r.LeaderLeaseTimeout
	c.TrailingLogs, c.SnapshotThreshold = uint64(r.TrailingLogs), uint64(r.SnapshotThreshold)
	c.SnapshotInterval, c.StorageTimeout = r.SnapshotInterval, r.StorageTimeout
	c.LogCacheBytes = int64(r.LogCache)
	c.SessionGrace, c.DedupWindow = cfg.SessionGrace, cfg.DedupWindow
	c.DiskRefuseBelow = uint64(cfg.Disk.RefuseBelow)
	tuneStore(c, &cfg.Store)
}

func tuneStore(c *cluster.Config, s *config.Store) {
	c.DBPath = s.DBPath
	o := &c.Store
	o.EnableWAL, o.WALSyncMode, o.WALSyncInterval = s.EnableWAL, s.WALSyncMode, s.WALSyncInterval
	o.MaxWALBytes, o.BlockCacheBytes, o.WriteBufferBytes = uint64(s.MaxWAL), uint64(s.BlockCache), uint64(s.WriteBufferTotal)
	o.RecordCacheBytes, o.MaxOpenFiles = int(s.RecordCache), s.MaxOpenFiles
	o.Compression, o.CompactionStyle = s.CompressionType, s.CompactionStyle
	o.MemtableBytes, o.MaxMemtables, o.Level0Trigger = uint64(s.WriteBufferSize), s.MaxWriteBufferNumber, s.Level0Trigger
	o.PeriodicCompaction = time.Duration(s.PeriodicCompactionSeconds) * time.Second
}

// askRemove asks the leader at an address to remove a member.
func (d *daemon) askRemove(ctx context.Context, leader string, id member.ID) error {
	c, err := d.newClient(leader)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Remove(ctx, id)
}
