package wire

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// Greeting is the content of a Hello: who opens the connection.
type Greeting struct {
	Version    uint32
	ClientName string
	Token      string
	Session    task.SessionID // zero for a client that claims nothing
	ClusterID  member.ID      // zero if not known
	Forwarded  *Forwarded     // set by a member that relays for a client
}

// Forwarded says for whom a member relays.
type Forwarded struct {
	NodeID    member.ID // the relaying node
	Principal string    // who the client is, as that node established
}

// GreetingToPB says a greeting on the wire.
func GreetingToPB(g *Greeting) *wirepb.Hello {
	p := &wirepb.Hello{
		ProtocolVersion: g.Version, ClientName: g.ClientName, Token: g.Token, Session: bytesOf(g.Session),
		ClusterId: bytesOf(g.ClusterID),
	}
	if g.Forwarded != nil {
		p.ForwardedBy = &wirepb.ForwardedBy{NodeId: bytesOf(g.Forwarded.NodeID), Principal: g.Forwarded.Principal}
	}
	return p
}

// GreetingFromPB reads a greeting. The error wraps task.ErrVersion for another protocol version, else task.ErrInvalid
// or task.ErrTooLarge, and names the field.
func GreetingFromPB(p *wirepb.Hello) (Greeting, error) {
	g := Greeting{Version: p.GetProtocolVersion(), ClientName: p.GetClientName(), Token: p.GetToken()}
	if g.Version != Version {
		return g, fmt.Errorf("%w: protocol_version %d; this node speaks %d", task.ErrVersion, g.Version, Version)
	}
	if g.ClientName != "" {
		if err := task.ValidateName("client_name", g.ClientName); err != nil {
			return g, err
		}
	}
	if len(g.Token) > task.MaxToken {
		return g, fmt.Errorf("%w: token has %d bytes, at most %d are allowed", task.ErrTooLarge, len(g.Token), task.MaxToken)
	}
	var err error
	if g.Session, err = optionalID16[task.SessionID]("session", p.GetSession()); err != nil {
		return g, err
	}
	if g.ClusterID, err = MemberIDFromPB("cluster_id", p.GetClusterId()); err != nil {
		return g, err
	}
	if f := p.GetForwardedBy(); f != nil {
		g.Forwarded = &Forwarded{Principal: f.Principal}
		if g.Forwarded.NodeID, err = id16[member.ID]("forwarded_by.node_id", f.NodeId); err != nil {
			return g, err
		}
		if len(f.Principal) > task.MaxToken || !utf8.ValidString(f.Principal) {
			return g, fmt.Errorf("%w: forwarded_by.principal is not UTF-8 of at most %d bytes", task.ErrInvalid, task.MaxToken)
		}
	}
	return g, nil
}

// Welcome is the content of a HelloReply: who answered.
type Welcome struct {
	Version           uint32
	NodeID            member.ID
	NodeName          string
	ClusterID         member.ID // zero while the node belongs to none
	LeaderAddress     string    // empty if there is no leader
	IsLeader          bool
	HeartbeatInterval time.Duration // longest pause between two heartbeats of a session with leases of default length
	MinLease          time.Duration
	MaxInFlight       uint32 // requests without answer on one connection
	ServerVersion     string
	Access            member.Access // of who said Hello
}

// WelcomeToPB says a welcome on the wire, with the limits of package task.
func WelcomeToPB(w *Welcome) *wirepb.HelloReply {
	return &wirepb.HelloReply{
		ProtocolVersion: w.Version, NodeId: bytesOf(w.NodeID), NodeName: w.NodeName, ClusterId: bytesOf(w.ClusterID),
		LeaderAddress: w.LeaderAddress, IsLeader: w.IsLeader, HeartbeatIntervalUs: w.HeartbeatInterval.Microseconds(),
		ServerVersion: w.ServerVersion, Access: accessToPB(&w.Access),
		Limits: &wirepb.Limits{
			MaxFrame: MaxFrame, MaxPayload: task.MaxPayload, MaxResult: task.MaxResult, MaxError: task.MaxError,
			MaxHeaders: task.MaxHeaders, MaxName: task.MaxName, MaxItems: task.MaxItems, MaxDependencies: task.MaxDependencies,
			MaxPairs: task.MaxPairs, MaxClaimBytes: task.MaxClaimBytes, MaxInFlightRequests: w.MaxInFlight,
			MinLeaseUs: w.MinLease.Microseconds(),
		},
	}
}

// WelcomeFromPB reads a welcome. The error wraps task.ErrVersion for another protocol version, else task.ErrInvalid,
// and names the field.
func WelcomeFromPB(p *wirepb.HelloReply) (Welcome, error) {
	w := Welcome{
		Version: p.GetProtocolVersion(), NodeName: p.GetNodeName(), LeaderAddress: p.GetLeaderAddress(),
		IsLeader:      p.GetIsLeader(),
		ServerVersion: p.GetServerVersion(), MaxInFlight: p.GetLimits().GetMaxInFlightRequests(),
	}
	if w.Version != Version {
		return w, fmt.Errorf("%w: the node answers with version %d; this client speaks %d", task.ErrVersion, w.Version,
			Version)
	}
	var f fields
	id, err := MemberIDFromPB("node_id", p.GetNodeId())
	w.NodeID = take(&f, id, err)
	id, err = MemberIDFromPB("cluster_id", p.GetClusterId())
	w.ClusterID = take(&f, id, err)
	d, err := duration("heartbeat_interval_us", p.GetHeartbeatIntervalUs())
	w.HeartbeatInterval = take(&f, d, err)
	d, err = duration("limits.min_lease_us", p.GetLimits().GetMinLeaseUs())
	w.MinLease = take(&f, d, err)
	access, err := accessFromPB(p.GetAccess())
	w.Access = take(&f, access, err)
	return w, f.err
}
