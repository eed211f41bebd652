package wire

import (
	"encoding/hex"
	"fmt"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// maxAddress bounds an address on the wire, in bytes: the longest DNS name, a colon and a port.
const maxAddress = 253 + 6

// MemberIDToPB says the id of a node or cluster on the wire; the zero id is empty.
func MemberIDToPB(id member.ID) []byte { return bytesOf(id) }

// MemberIDFromPB reads the id of a node or cluster; empty is the zero id. The error wraps task.ErrInvalid.
func MemberIDFromPB(field string, b []byte) (member.ID, error) {
	return optionalID16[member.ID](field, b)
}

// MemberToPB says a member on the wire.
func MemberToPB(m *member.Member) *wirepb.Member {
	return &wirepb.Member{
		Id: bytesOf(m.ID), Name: m.Name, Address: m.Address, HttpAddress: m.HTTPAddress, Leader: m.Role == member.Leader,
		Voter: m.Voter, MaxCommandVersion: m.MaxCommandVersion,
	}
}

// MemberFromPB reads a member. The error wraps task.ErrInvalid and names the field.
func MemberFromPB(p *wirepb.Member) (member.Member, error) {
	m := member.Member{
		Name: p.GetName(), Address: p.GetAddress(), HTTPAddress: p.GetHttpAddress(), Role: member.Follower,
		Voter: p.GetVoter(), MaxCommandVersion: p.GetMaxCommandVersion(),
	}
	if p.GetLeader() {
		m.Role = member.Leader
	}
	var err error
	if m.ID, err = id16[member.ID]("member.id", p.GetId()); err != nil {
		return m, err
	}
	if err := checkAddress("member.address", m.Address); err != nil {
		return m, err
	}
	if err := checkAddress("member.http_address", m.HTTPAddress); err != nil {
		return m, err
	}
	if m.Name != "" {
		err = task.ValidateName("member.name", m.Name)
	}
	return m, err
}

func checkAddress(field, address string) error {
	if len(address) > maxAddress {
		return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", task.ErrInvalid, field, len(address), maxAddress)
	}
	for _, c := range []byte(address) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("%w: %s %q is not HOST:PORT in ASCII", task.ErrInvalid, field, address)
		}
	}
	return nil
}

// StatusToPB says a node's status on the wire.
func StatusToPB(s *member.Status) (*wirepb.ClusterStatusReply, error) {
	mark, err := MarkToPB(s.LastMark)
	if err != nil {
		return nil, err
	}
	p := &wirepb.ClusterStatusReply{
		ClusterId: bytesOf(s.ClusterID), NodeId: bytesOf(s.NodeID), NodeName: s.NodeName, Role: s.State, Term: s.Term,
		CommitIndex: s.CommitIndex, AppliedIndex: s.AppliedIndex, LeaderAddress: s.LeaderAddress, LastMark: mark,
		ServerVersion: s.Version, DispatchPaused: s.DispatchPaused, NodeState: nodeStateToPB(s.NodeState),
	}
	for i := range s.Members {
		p.Members = append(p.Members, MemberToPB(&s.Members[i]))
	}
	return p, nil
}

// StatusFromPB reads a node's status. The error wraps task.ErrInvalid and names the field.
func StatusFromPB(p *wirepb.ClusterStatusReply) (member.Status, error) {
	s := member.Status{
		NodeName: p.GetNodeName(), State: p.GetRole(), Term: p.GetTerm(), CommitIndex: p.GetCommitIndex(),
		AppliedIndex: p.GetAppliedIndex(), LeaderAddress: p.GetLeaderAddress(), Version: p.GetServerVersion(),
		DispatchPaused: p.GetDispatchPaused(),
	}
	var err error
	if s.ClusterID, err = MemberIDFromPB("cluster_id", p.GetClusterId()); err != nil {
		return s, err
	}
	if s.NodeID, err = MemberIDFromPB("node_id", p.GetNodeId()); err != nil {
		return s, err
	}
	if s.Members, err = each(p.GetMembers(), MemberFromPB); err != nil {
		return s, err
	}
	if s.NodeState, err = nodeStateFromPB(p.GetNodeState()); err != nil {
		return s, err
	}
	s.LastMark, err = MarkFromPB(p.GetLastMark())
	return s, err
}

// MarkToPB says a mark on the wire; nil gives nil. The error wraps task.ErrInvalid.
func MarkToPB(m *member.Mark) (*wirepb.Mark, error) {
	if m == nil {
		return nil, nil
	}
	sum, err := hex.DecodeString(m.StateHash)
	if err != nil || (len(sum) != 0 && len(sum) != 32) {
		return nil, fmt.Errorf("%w: a state hash has 64 hexadecimal digits", task.ErrInvalid)
	}
	return &wirepb.Mark{Index: m.Index, StateHash: sum}, nil
}

// MarkFromPB reads a mark; nil gives nil. The error wraps task.ErrInvalid.
func MarkFromPB(p *wirepb.Mark) (*member.Mark, error) {
	if p == nil {
		return nil, nil
	}
	if n := len(p.StateHash); n != 0 && n != 32 {
		return nil, fmt.Errorf("%w: state_hash has 32 bytes or none, got %d", task.ErrInvalid, n)
	}
	return &member.Mark{Index: p.Index, StateHash: hex.EncodeToString(p.StateHash)}, nil
}

// JoinToPB says a join on the wire.
func JoinToPB(j *member.Join) *wirepb.JoinRequest {
	return &wirepb.JoinRequest{Member: MemberToPB(&j.Member), AppliedIndex: j.AppliedIndex,
		ClusterId: bytesOf(j.ClusterID), DiskFull: j.DiskFull}
}

// JoinFromPB reads a join. The error wraps task.ErrInvalid and names the field.
func JoinFromPB(p *wirepb.JoinRequest) (j member.Join, err error) {
	j.AppliedIndex, j.DiskFull = p.GetAppliedIndex(), p.GetDiskFull()
	if j.Member, err = MemberFromPB(p.GetMember()); err != nil {
		return j, err
	}
	j.ClusterID, err = MemberIDFromPB("cluster_id", p.GetClusterId())
	return j, err
}

// AdoptionToPB is the request's form on the wire.
func AdoptionToPB(a *member.Adoption) *wirepb.AdoptRequest {
	return &wirepb.AdoptRequest{Addresses: a.Addresses, Token: a.Token}
}

// AdoptionFromPB reads an AdoptRequest. The error wraps task.ErrInvalid or task.ErrTooLarge.
func AdoptionFromPB(p *wirepb.AdoptRequest) (a member.Adoption, err error) {
	if len(p.GetAddresses()) == 0 {
		return a, fmt.Errorf("%w: addresses is empty", task.ErrInvalid)
	}
	for _, one := range p.Addresses {
		if one == "" {
			return a, fmt.Errorf("%w: an address is empty", task.ErrInvalid)
		}
		if err := checkAddress("address", one); err != nil {
			return a, err
		}
	}
	if len(p.Token) > task.MaxToken {
		return a, fmt.Errorf("%w: token of %d bytes, at most %d are allowed", task.ErrTooLarge, len(p.Token), task.MaxToken)
	}
	return member.Adoption{Addresses: p.Addresses, Token: p.Token}, nil
}
