package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/config"
	"github.com/haiku-queue/haiku/transport"
)

// TestDefaultsAgree: a setting that nobody set means what the package that uses it means by default.
func TestDefaultsAgree(t *testing.T) {
	d := &daemon{cfg: config.Default()}
	if diff := cmp.Diff(transport.Default().Limits, d.transportConfig().Limits); diff != "" {
		t.Error(diff)
	}
	tuned := cluster.Config{}
	tune(&tuned, &d.cfg)
	want := cluster.Default()
	want.Logger = nil
	want.Store.HeadEntries, want.Store.HeadsTotal = 0, 0 // not settings
	if diff := cmp.Diff(want, tuned, cmpopts.IgnoreUnexported(cluster.Config{})); diff != "" {
		t.Error(diff)
	}
}

// TestEveryLimitArrives: each setting reaches the field that it is meant for, and no other.
func TestEveryLimitArrives(t *testing.T) {
	file := filepath.Join(t.TempDir(), "haiku.yaml")
	text := `limits: {connections: 11, raft_connections: 12, requests: 13, connection_bytes: 17MiB, total_bytes: 18MiB,
  reply_bytes: 33MiB, handshake_timeout: 1s, frame_timeout: 2s, idle_timeout: 3s, write_timeout: 4s, leader_wait: 5s,
  drain_timeout: 6s}
raft: {log_store: wal, heartbeat_timeout: 7s, election_timeout: 8s, leader_lease_timeout: 6s, trailing_logs: 101,
  snapshot_threshold: 102, snapshot_interval: 9s, storage_timeout: 10s, log_cache: 9MiB}
store: {wal_sync_mode: 2, wal_sync_interval: 11s, max_wal: 20MiB, block_cache: 21MiB, write_buffer_total: 22MiB,
  record_cache: 23MiB, db_path: database, compression_type: zlib, compaction_style: universal, write_buffer_size: 19MiB,
  max_write_buffer_number: 3, level0_file_num_compaction_trigger: 5, periodic_compaction_seconds: 120, max_open_files: 103}
dedup_window: 2h
disk: {refuse_below: 7GiB}
session_grace: 12s
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(nil, nil, file)
	if err != nil {
		t.Fatal(err)
	}
	limits := (&daemon{cfg: cfg}).transportConfig().Limits
	if diff := cmp.Diff(transport.Limits{
		MaxConns: 11, MaxRaftConns: 12, MaxRequests: 13, ConnBytes: 17 << 20, TotalBytes: 18 << 20, QueueBytes: 33 << 20,
		HandshakeTimeout: time.Second, FrameTimeout: 2 * time.Second, IdleTimeout: 3 * time.Second,
		WriteTimeout: 4 * time.Second, LeaderWait: 5 * time.Second, DrainTimeout: 6 * time.Second,
	}, limits); diff != "" {
		t.Error(diff)
	}
	if err := limits.Validate(); err != nil {
		t.Error(err)
	}
	got, want := cluster.Config{}, cluster.Config{
		LogStore:         cluster.LogWAL,
		HeartbeatTimeout: 7 * time.Second, ElectionTimeout: 8 * time.Second, LeaderLeaseTimeout: 6 * time.Second,
		TrailingLogs: 101, SnapshotThreshold: 102, SnapshotInterval: 9 * time.Second, StorageTimeout: 10 * time.Second,
		LogCacheBytes: 9 << 20, DedupWindow: 2 * time.Hour, SessionGrace: 12 * time.Second,
		DiskRefuseBelow: 7 << 30,
	}
	tune(&got, &cfg)
	want.Store.WALSyncMode, want.Store.WALSyncInterval, want.Store.MaxWALBytes = 2, 11*time.Second, 20<<20
	want.Store.BlockCacheBytes, want.Store.WriteBufferBytes, want.Store.RecordCacheBytes = 21<<20, 22<<20, 23<<20
	want.DBPath, want.Store.EnableWAL = "database", true
	want.Store.Compression, want.Store.CompactionStyle, want.Store.MemtableBytes = "zlib", "universal", 19<<20
	want.Store.MaxMemtables, want.Store.Level0Trigger, want.Store.MaxOpenFiles = 3, 5, 103
	want.Store.PeriodicCompaction = 2 * time.Minute
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(cluster.Config{})); diff != "" {
		t.Error(diff)
	}
}
