package main

import (
	"context"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/internal/buildinfo"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/transport"
)

// transportConfig hands the settings of the port on.
func (d *daemon) transportConfig() transport.Config {
	l := d.cfg.Limits
	return transport.Config{
		Addr: d.cfg.Listen, Logger: d.log,
		Limits: transport.Limits{
			MaxConns: l.Connections, MaxRaftConns: l.RaftConnections, MaxRequests: l.Requests,
			ConnBytes: int64(l.ConnectionSize), TotalBytes: int64(l.TotalSize), QueueBytes: int64(l.ReplySize),
			HandshakeTimeout: l.HandshakeTimeout, FrameTimeout: l.FrameTimeout, IdleTimeout: l.IdleTimeout,
			WriteTimeout: l.WriteTimeout, LeaderWait: l.LeaderWait, DrainTimeout: l.DrainTimeout,
		},
	}
}

// clusterConfig hands the settings of the node on.
func (d *daemon) clusterConfig() cluster.Config {
	c := cluster.Default()
	c.Dir, c.Raft, c.Advertise, c.Name, c.Version = d.dir, d.server.Raft(), d.cfg.AdvertiseAddress(), d.name(), buildinfo.Version()
	c.Bootstrap, c.Logger, c.DedupWindow = len(d.cfg.Join) == 0, d.log, d.cfg.DedupWindow
	r := d.cfg.Raft
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = r.HeartbeatTimeout, r.ElectionTimeout, r.LeaderLeaseTimeout
	c.TrailingLogs = uint64(r.TrailingLogs)
	s := d.cfg.Store
	c.Store.WALSyncMode, c.Store.WALSyncInterval, c.Store.MaxWALBytes = s.WALSyncMode, s.WALSyncInterval, uint64(s.MaxWAL)
	c.Store.BlockCacheBytes, c.Store.WriteBufferBytes = uint64(s.BlockCache), uint64(s.WriteBuffer)
	c.Store.RecordCacheBytes = int(s.RecordCache)
	c.AskRemove = d.askRemove
	c.OnAdopt = d.onAdopt
	return c
}

// askRemove asks the leader at an address to remove a member.
func (d *daemon) askRemove(ctx context.Context, leader string, id member.ID) error {
	c, err := client.New(client.Config{Addrs: []string{leader}, Name: "haikud " + d.name(), RetryFor: joinTimeout})
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Remove(ctx, id)
}
