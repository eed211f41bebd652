package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// Status returns the view of the first node of Config.Addrs that answers.
func (c *Client) Status(ctx context.Context) (member.Status, error) {
	var reply wirepb.ClusterStatusReply
	if err := c.atNode(ctx, wire.ClusterStatus, new(wirepb.ClusterStatusRequest), &reply); err != nil {
		return member.Status{}, err
	}
	return wire.StatusFromPB(&reply)
}

// StatusOf returns the view of the node at an address, without trying again.
func (c *Client) StatusOf(ctx context.Context, address string) (member.Status, error) {
	var reply wirepb.ClusterStatusReply
	if err := c.once(ctx, address, wire.ClusterStatus, new(wirepb.ClusterStatusRequest), &reply); err != nil {
		return member.Status{}, err
	}
	return wire.StatusFromPB(&reply)
}

// Mark has every node compute its state hash at one index of the log, which it returns. The hashes show in Status.
func (c *Client) Mark(ctx context.Context) (index uint64, err error) {
	var reply wirepb.MarkReply
	err = c.do(ctx, wire.Mark, new(wirepb.MarkRequest), &reply, true)
	return reply.Index, err
}

// Examine has the node at an address examine its own state at the mark at an index, and returns how far it is. It does
// not try again.
func (c *Client) Examine(ctx context.Context, address string, index uint64) (member.Examination, error) {
	var reply wirepb.DoctorReply
	if err := c.once(ctx, address, wire.Doctor, &wirepb.DoctorRequest{Index: index}, &reply); err != nil {
		return member.Examination{}, err
	}
	return wire.ExaminationFromPB(&reply)
}

// Join asks the cluster that the node at address belongs to to take in a node. voter says whether it has a vote yet.
func (c *Client) Join(ctx context.Context, address string, j member.Join) (cluster member.ID, voter bool, err error) {
	var reply wirepb.JoinReply
	if err := c.once(ctx, address, wire.Join, wire.JoinToPB(&j), &reply); err != nil {
		return member.ID{}, false, err
	}
	cluster, err = wire.MemberIDFromPB("cluster_id", reply.ClusterId)
	return cluster, reply.Voter, err
}

// Remove takes a member out of the cluster.
func (c *Client) Remove(ctx context.Context, id member.ID) error {
	return c.do(ctx, wire.Remove, &wirepb.RemoveRequest{NodeId: wire.MemberIDToPB(id)}, new(wirepb.RemoveReply), false)
}

// Leave has the first node of Config.Addrs that answers leave its cluster and go down.
func (c *Client) Leave(ctx context.Context) error {
	return c.atNode(ctx, wire.Leave, new(wirepb.LeaveRequest), new(wirepb.LeaveReply))
}

// Transfer hands leadership to a member, or to any that is up to date if to is zero, and returns the new leader's
// address. To a member it is repeated until the outcome is known: the member that leads already says so.
func (c *Client) Transfer(ctx context.Context, to member.ID) (leader string, err error) {
	var reply wirepb.TransferReply
	err = c.do(ctx, wire.Transfer, &wirepb.TransferRequest{NodeId: wire.MemberIDToPB(to)}, &reply, !to.IsZero())
	return reply.LeaderAddress, err
}

// Adopt has the first node of Config.Addrs that answers, alone and without tasks, join another cluster.
func (c *Client) Adopt(ctx context.Context, a member.Adoption) error {
	for _, address := range a.Addresses {
		if err := checkAddress(address); err != nil {
			return err
		}
	}
	return c.atNode(ctx, wire.Adopt, wire.AdoptionToPB(&a), new(wirepb.AdoptReply))
}

// SetDispatch stops or resumes the handing out of tasks to all workers of the cluster.
func (c *Client) SetDispatch(ctx context.Context, paused bool) error {
	return c.do(ctx, wire.SetDispatch, &wirepb.SetDispatchRequest{Paused: paused}, new(wirepb.SetDispatchReply), true)
}

// Workers lists the sessions that claim tasks, in the order of their ids, as the leader knows them.
func (c *Client) Workers(ctx context.Context) (workers []member.Worker, err error) {
	for q := new(wire.WorkersQuery); ; {
		page, more, err := c.workers(ctx, q)
		workers = append(workers, page...)
		if err != nil || !more || len(page) == 0 {
			return workers, err
		}
		q.After = page[len(page)-1].Session
	}
}

// DrainWorker asks workers to claim nothing more, to finish what they run and to end: the one of a session, or all that
// claim under a worker id. It returns them. The error wraps task.ErrNotFound if there is none.
func (c *Client) DrainWorker(ctx context.Context, name string) ([]member.Worker, error) {
	if err := task.ValidateName("worker", name); err != nil {
		return nil, err
	}
	workers, _, err := c.workers(ctx, &wire.WorkersQuery{Drain: name})
	return workers, err
}

func (c *Client) workers(ctx context.Context, q *wire.WorkersQuery) ([]member.Worker, bool, error) {
	var reply wirepb.WorkersReply
	if err := c.do(ctx, wire.Workers, wire.WorkersQueryToPB(q), &reply, true); err != nil {
		return nil, false, err
	}
	return wire.WorkersFromPB(&reply)
}

// Retentions lists how long tasks are kept after their end: what is set for all types first, then the types with a
// setting of their own.
func (c *Client) Retentions(ctx context.Context, opts ...ReadOption) ([]task.Retention, error) {
	return c.retention(ctx, &wirepb.RetentionRequest{Stale: readOptionsOf(opts).stale})
}

// SetRetention changes the setting of one type, or of all types if the type is empty; with nothing set the setting is
// removed. It counts for tasks that end from now on. It returns all settings, as Retentions does.
func (c *Client) SetRetention(ctx context.Context, r task.Retention) ([]task.Retention, error) {
	return c.SetRetentionIf(ctx, r, "")
}

// SetRetentionIf is SetRetention if all settings have a tag, as task.RetentionsTag says; else the error wraps
// task.ErrPrecondition. An empty tag is any.
func (c *Client) SetRetentionIf(ctx context.Context, r task.Retention, match string) ([]task.Retention, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return c.retention(ctx, &wirepb.RetentionRequest{Set: wire.RetentionToPB(&r), Match: match})
}

func (c *Client) retention(ctx context.Context, req *wirepb.RetentionRequest) ([]task.Retention, error) {
	var reply wirepb.RetentionReply
	if err := c.do(ctx, wire.Retention, req, &reply, req.Match == ""); err != nil {
		return nil, err
	}
	return wire.RetentionsFromPB(&reply)
}

// atNode sends a request that concerns one node to the first of Addrs that can be reached, whoever leads.
func (c *Client) atNode(ctx context.Context, kind wire.Type, req, reply wire.Message) error {
	return c.retry(ctx, false, func() error {
		var failed []error
		for _, address := range c.cfg.Addrs {
			err := c.once(ctx, address, kind, req, reply)
			var unsent *notSent
			if !errors.As(err, &unsent) {
				return err
			}
			failed = append(failed, err)
		}
		return errors.Join(failed...)
	})
}

// once sends one request to one address over a connection of its own.
func (c *Client) once(ctx context.Context, address string, kind wire.Type, req, reply wire.Message) error {
	release, err := c.hold()
	if err != nil {
		return err
	}
	defer release()
	conn, err := c.openOwn(ctx, address)
	if err != nil {
		return err
	}
	defer conn.fail(errRetired)
	return conn.roundTrip(ctx, kind, req, reply)
}

// hold has Close wait until release is called: until a connection that is about to be opened has its goroutines.
func (c *Client) hold() (release func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	c.wg.Add(1)
	return c.wg.Done, nil
}

// openOwn opens a connection to one address, which the caller ends.
func (c *Client) openOwn(ctx context.Context, address string) (*conn, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	conn, err := c.open(ctx, address, c.cfg.DialTimeout, false)
	switch {
	case isRefusal(err):
		return nil, fmt.Errorf("%s: %w", address, err)
	case err != nil:
		return nil, &notSent{fmt.Errorf("%w: %s: %v", task.ErrNoLeader, address, err)}
	}
	return conn, nil
}
