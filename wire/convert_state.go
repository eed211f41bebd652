package wire

import (
	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
)

// nodeStateToPB says how a node is; nil gives nil.
func nodeStateToPB(s *member.State) *wirepb.NodeState {
	if s == nil {
		return nil
	}
	p := &wirepb.NodeState{
		LogBytes: s.LogBytes, LogFirst: s.LogFirst, LogLast: s.LogLast,
		DiskFree: s.Disk.Free, DiskTotal: s.Disk.Total, DiskLimit: s.Disk.Limit, DiskRefuses: s.Disk.Refuses,
	}
	if s.Snapshot != nil {
		p.SnapshotIndex, p.SnapshotAtUs = s.Snapshot.Index, micros(s.Snapshot.At)
		p.SnapshotReceived, p.SnapshotBytes = s.Snapshot.Received, s.Snapshot.Bytes
	}
	for _, f := range s.Followers {
		p.Followers = append(p.Followers, &wirepb.Follower{Id: bytesOf(f.ID), Lag: f.Lag})
	}
	if d := s.Database; d != nil {
		p.Database = &wirepb.Database{
			Memtables: d.Memtables, BlockCache: d.BlockCache, BlockCacheCapacity: d.BlockCacheCapacity, Tables: d.Tables,
			LiveData: d.LiveData, PendingCompaction: d.PendingCompaction, Wal: d.WAL, Files: d.Files,
			Compactions: d.Compactions, Flushes: d.Flushes, StalledUs: d.StalledUS, WriteStopped: d.WriteStopped,
			WriteRate: d.WriteRate,
		}
	}
	return p
}

// nodeStateFromPB reads how a node is; nil gives nil. The error wraps task.ErrInvalid and names the field.
func nodeStateFromPB(p *wirepb.NodeState) (*member.State, error) {
	if p == nil {
		return nil, nil
	}
	at, err := moment("node_state.snapshot_at_us", p.SnapshotAtUs)
	if err != nil {
		return nil, err
	}
	s := &member.State{LogBytes: p.LogBytes, LogFirst: p.LogFirst, LogLast: p.LogLast, Disk: member.Disk{
		Free: p.DiskFree, Total: p.DiskTotal, Limit: p.DiskLimit, Refuses: p.DiskRefuses,
	}}
	if p.SnapshotIndex != 0 {
		s.Snapshot = &member.Snapshot{Index: p.SnapshotIndex, At: at, Received: p.SnapshotReceived, Bytes: p.SnapshotBytes}
	}
	if s.Followers, err = each(p.Followers, followerFromPB); err != nil {
		return nil, err
	}
	if d := p.Database; d != nil {
		s.Database = &member.Database{
			Memtables: d.Memtables, BlockCache: d.BlockCache, BlockCacheCapacity: d.BlockCacheCapacity, Tables: d.Tables,
			LiveData: d.LiveData, PendingCompaction: d.PendingCompaction, WAL: d.Wal, Files: d.Files,
			Compactions: d.Compactions, Flushes: d.Flushes, StalledUS: d.StalledUs, WriteStopped: d.WriteStopped,
			WriteRate: d.WriteRate,
		}
	}
	return s, nil
}

func followerFromPB(p *wirepb.Follower) (f member.FollowerLag, err error) {
	f.Lag = p.GetLag()
	f.ID, err = MemberIDFromPB("node_state.followers.id", p.GetId())
	return f, err
}
