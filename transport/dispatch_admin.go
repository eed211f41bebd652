package transport

import (
	"cmp"
	"slices"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

func (c *conn) clusterStatus(f wire.Frame) (wire.Message, error) {
	if err := wire.Decode(f, new(wirepb.ClusterStatusRequest)); err != nil {
		return nil, err
	}
	status, err := c.s.admin.Status(c.ctx)
	if err != nil {
		return nil, err
	}
	return wire.StatusToPB(&status)
}

func (c *conn) join(f wire.Frame) (wire.Message, error) {
	var m wirepb.JoinRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	j, err := wire.JoinFromPB(&m)
	if err != nil {
		return nil, err
	}
	cluster, voter, err := c.s.admin.Join(c.ctx, j)
	if err != nil {
		return nil, err
	}
	return &wirepb.JoinReply{ClusterId: wire.MemberIDToPB(cluster), Voter: voter}, nil
}

func (c *conn) remove(f wire.Frame) (wire.Message, error) {
	var m wirepb.RemoveRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	id, err := wire.MemberIDFromPB("node_id", m.NodeId)
	if err != nil {
		return nil, err
	}
	return new(wirepb.RemoveReply), c.s.admin.Remove(c.ctx, id)
}

func (c *conn) leave(f wire.Frame) (wire.Message, error) {
	if err := wire.Decode(f, new(wirepb.LeaveRequest)); err != nil {
		return nil, err
	}
	return new(wirepb.LeaveReply), c.s.admin.Leave(c.ctx)
}

func (c *conn) transfer(f wire.Frame) (wire.Message, error) {
	var m wirepb.TransferRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	to, err := wire.MemberIDFromPB("node_id", m.NodeId)
	if err != nil {
		return nil, err
	}
	leader, err := c.s.admin.Transfer(c.ctx, to)
	if err != nil {
		return nil, err
	}
	return &wirepb.TransferReply{LeaderAddress: leader}, nil
}

func (c *conn) mark(f wire.Frame) (wire.Message, error) {
	if err := wire.Decode(f, new(wirepb.MarkRequest)); err != nil {
		return nil, err
	}
	index, err := c.s.admin.Mark(c.ctx)
	if err != nil {
		return nil, err
	}
	return &wirepb.MarkReply{Index: index}, nil
}

func (c *conn) doctor(f wire.Frame) (wire.Message, error) {
	var m wirepb.DoctorRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	examination, err := c.s.admin.Examine(c.ctx, m.Index)
	if err != nil {
		return nil, err
	}
	return wire.ExaminationToPB(&examination)
}

func (c *conn) adopt(f wire.Frame) (wire.Message, error) {
	var m wirepb.AdoptRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	a, err := wire.AdoptionFromPB(&m)
	if err != nil {
		return nil, err
	}
	return new(wirepb.AdoptReply), c.s.admin.Adopt(c.ctx, a)
}

func (c *conn) retention(f wire.Frame) (wire.Message, error) {
	var m wirepb.RetentionRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	if m.Set != nil {
		r, err := wire.RetentionFromPB(m.Set)
		if err == nil {
			err = c.mayAll(f.Type)
		}
		if err == nil {
			err = c.s.admin.SetRetention(c.ctx, r, m.Match)
		}
		if err != nil {
			return nil, err
		}
	}
	list, err := c.s.admin.Retentions(c.ctx, m.Stale && m.Set == nil)
	if err != nil {
		return nil, err
	}
	return wire.RetentionsToPB(list), nil
}

func (c *conn) setDispatch(f wire.Frame) (wire.Message, error) {
	var m wirepb.SetDispatchRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	if err := c.mayAll(f.Type); err != nil {
		return nil, err
	}
	return new(wirepb.SetDispatchReply), c.s.admin.SetDispatch(c.ctx, m.Paused)
}

func (c *conn) setQueue(f wire.Frame) (wire.Message, error) {
	var m wirepb.SetQueueRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	change, err := wire.QueueChangeFromPB(&m)
	if err == nil {
		err = c.mayNamed(change.Queue)
	}
	if err != nil {
		return nil, err
	}
	return new(wirepb.SetQueueReply), c.s.admin.SetQueue(c.ctx, change)
}

func (c *conn) queues(f wire.Frame) (wire.Message, error) {
	var m wirepb.QueuesRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	if m.Queue != "" {
		if err := c.access.Check(m.Queue); err != nil {
			return nil, err
		}
	}
	list, err := c.s.admin.Queues(c.ctx, task.QueuesQuery{Queue: m.Queue, Sums: m.Sums, Stale: m.Stale})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(s task.QueueState) bool { return !c.access.Covers(s.Queue) })
	return wire.QueueStatesToPB(list), nil
}

func (c *conn) saveSnapshot(f wire.Frame) (wire.Message, error) {
	var m wirepb.SaveSnapshotRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	if err := c.enterBulk(f.RequestID, snapshotPiece); err != nil {
		return nil, err
	}
	data, size, err := c.saving.next(c.ctx, c.s.admin, m.Offset, m.MinIndex)
	if err != nil {
		return nil, err
	}
	return &wirepb.SaveSnapshotReply{Data: data, Size: uint64(size)}, nil
}

func (c *conn) workers(f wire.Frame) (wire.Message, error) {
	var m wirepb.WorkersRequest
	if err := wire.Decode(f, &m); err != nil {
		return nil, err
	}
	q, err := wire.WorkersQueryFromPB(&m)
	if err != nil {
		return nil, err
	}
	var list []member.Worker
	var more bool
	if q.Drain != "" {
		if err := c.mayAll(f.Type); err != nil {
			return nil, err
		}
		list, err = c.s.admin.DrainWorker(c.ctx, q.Drain)
	} else {
		list, more, err = c.s.admin.Workers(c.ctx, q.After, cmp.Or(q.Limit, task.MaxItems))
	}
	if err != nil {
		return nil, err
	}
	return wire.WorkersToPB(c.ownWorkers(list), more), nil
}
