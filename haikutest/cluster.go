package haikutest

import (
	"context"
	"fmt"
	"io"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/transport"
)

// cluster is transport's Admin: one node that leads itself, and refuses what it is not.
type cluster struct {
	queue *queue
	id    transport.Identity
}

// errNone is what every request gets that a broker in memory has no answer to.
var errNone = fmt.Errorf("%w: a broker of package haikutest has no cluster, no snapshots and no tokens", task.ErrUnknownType)

// Status is transport.Admin's. Clients ask for it to see whether a node lives.
func (c *cluster) Status(context.Context) (member.Status, error) {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	self := member.Member{ID: c.id.NodeID, Name: c.id.NodeName, Address: c.id.Advertise, Role: member.Leader, Voter: true}
	return member.Status{
		ClusterID: c.id.ClusterID, NodeID: c.id.NodeID, NodeName: c.id.NodeName, State: member.Leader, Term: 1,
		CommitIndex: c.queue.changes, AppliedIndex: c.queue.changes, LeaderAddress: c.id.Advertise,
		Members: []member.Member{self}, Version: c.id.Version, DispatchPaused: c.queue.paused,
	}, nil
}

// SetDispatch is transport.Admin's.
func (c *cluster) SetDispatch(_ context.Context, paused bool) error {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	c.queue.paused = paused
	c.queue.settle()
	return nil
}

// The rest of transport.Admin is refused.

func (*cluster) Mark(context.Context) (uint64, error) { return 0, errNone }

func (*cluster) Examine(context.Context, uint64) (member.Examination, error) {
	return member.Examination{}, errNone
}

func (*cluster) Join(context.Context, member.Join) (member.ID, bool, error) {
	return member.ID{}, false, errNone
}

func (*cluster) Remove(context.Context, member.ID) error             { return errNone }
func (*cluster) Leave(context.Context) error                         { return errNone }
func (*cluster) Transfer(context.Context, member.ID) (string, error) { return "", errNone }
func (*cluster) Adopt(context.Context, member.Adoption) error        { return errNone }

func (*cluster) SaveSnapshot(context.Context, uint64) (io.ReadCloser, int64, error) {
	return nil, 0, errNone
}

func (*cluster) CreateToken(context.Context, member.NewToken) (member.Token, error) {
	return member.Token{}, errNone
}
func (*cluster) Tokens(context.Context, bool) ([]member.Token, error) { return nil, errNone }
func (*cluster) RevokeToken(context.Context, string, bool) (member.Token, error) {
	return member.Token{}, errNone
}

// Authenticate is transport.Guard's: there are no tokens, and everybody may do everything.
func (q *queue) Authenticate(context.Context, string) (member.Access, error) {
	return member.Open(), nil
}

// AccessOf is transport.Guard's.
func (q *queue) AccessOf(string) (member.Access, error) { return member.Open(), nil }

// TokensChanged is transport.Guard's.
func (q *queue) TokensChanged() <-chan struct{} { return nil }

// Proof is transport.Guard's.
func (q *queue) Proof() string { return "" }

// IsMember is transport.Broker's: nobody relays to this one.
func (q *queue) IsMember(member.ID) bool { return false }
