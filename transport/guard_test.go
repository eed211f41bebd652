package transport

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// fakeGuard knows tokens by their texts, which are their ids too. Without any, everybody may do everything. Nodes prove
// themselves by their principals.
type fakeGuard struct {
	mu      sync.Mutex
	tokens  map[string]member.Access
	changed chan struct{}
	proof   string
}

// grant replaces all tokens.
func (g *fakeGuard) grant(tokens map[string]member.Access) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tokens = make(map[string]member.Access)
	maps.Copy(g.tokens, tokens)
	for text, a := range g.tokens {
		a.Authentication, a.Token = true, text
		g.tokens[text] = a
	}
	if g.changed != nil {
		close(g.changed)
	}
	g.changed = make(chan struct{})
}

func (g *fakeGuard) Authenticate(_ context.Context, token string) (member.Access, error) {
	return g.AccessOf(token)
}

func (g *fakeGuard) AccessOf(principal string) (member.Access, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, ok := g.tokens[principal]
	switch {
	case g.tokens == nil:
		return member.Open(), nil
	case !ok || !a.ExpiresAt.IsZero() && !time.Now().Before(a.ExpiresAt):
		return a, fmt.Errorf("%w: %q", task.ErrUnauthenticated, principal)
	}
	return a, nil
}

func (g *fakeGuard) TokensChanged() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.changed == nil {
		g.changed = make(chan struct{})
	}
	return g.changed
}

func (g *fakeGuard) Proof() string { return g.proof }

// of are the tokens of these roles, named after them.
func of(roles ...member.Role) map[string]member.Access {
	tokens := make(map[string]member.Access)
	for _, r := range roles {
		tokens[r.String()] = member.Access{Role: r}
	}
	return tokens
}

// connectWith says a Hello with a token and returns the answer's access.
func connectWith(t *testing.T, s *Server, token string) (*peer, member.Access) {
	t.Helper()
	p := dial(t, s)
	session := task.NewSessionID()
	p.write(hello(t, 1, &wirepb.Hello{ProtocolVersion: 1, Token: token, Session: session[:]}))
	p.id = 1
	var reply wirepb.HelloReply
	p.ack(1, &reply)
	w, err := wire.WelcomeFromPB(&reply)
	if err != nil {
		t.Fatal(err)
	}
	return p, w.Access
}

// refusedHello says a Hello that is refused, after which the connection ends.
func refusedHello(t *testing.T, s *Server, m *wirepb.Hello, want error) {
	t.Helper()
	p := dial(t, s)
	m.ProtocolVersion = 1
	p.write(hello(t, 1, m))
	p.nack(1, want)
	p.closed()
}

// TestEveryRequestHasItsRole: a request type without a row is for nobody, and each answers as its row says.
func TestEveryRequestHasItsRole(t *testing.T) {
	b := newBroker()
	b.grant(of(member.RoleViewer, member.RoleWorker, member.RoleOperator, member.RoleAdmin))
	s := start(t, 1, b, nil)
	for _, kind := range wire.Types {
		if !kind.IsRequest() || kind == wire.Hello {
			continue
		}
		need := ruleOf(kind).role
		if !need.Known() {
			t.Errorf("%s has no role", kind)
		}
		for role := member.RoleViewer; role <= member.RoleAdmin; role++ {
			p, access := connectWith(t, s, role.String())
			if access.Role != role || access.Token != role.String() || !access.Authentication {
				t.Fatalf("access %+v for a %s", access, role)
			}
			id := p.send(kind, wire.NewRequest(kind))
			if role < need {
				p.nack(id, task.ErrPermissionDenied)
				continue
			}
			if f := p.receive(); f.Type == wire.Nack && wire.CodeOf(nackError(f)) == wire.CodeOf(task.ErrPermissionDenied) {
				t.Errorf("%s is refused to a %s: %v", kind, role, nackError(f))
			}
		}
	}
}

// TestChangesNeedMoreThanLooks with the requests that do both.
func TestChangesNeedMoreThanLooks(t *testing.T) {
	b := newBroker()
	b.grant(of(member.RoleWorker, member.RoleOperator))
	s := start(t, 1, b, nil)
	id := task.NewID()
	weak, _ := connectWith(t, s, "worker")
	strong, _ := connectWith(t, s, "operator")
	for kind, m := range map[wire.Type]wire.Message{
		wire.Operations: &wirepb.OperationsRequest{Id: id[:], Cancel: true},
		wire.Workers:    &wirepb.WorkersRequest{Drain: "w"},
		wire.Retention:  &wirepb.RetentionRequest{Set: &wirepb.Retention{Type: "t"}},
	} {
		weak.ack(weak.send(kind, wire.NewRequest(kind)), wire.NewReply(kind))
		weak.nack(weak.send(kind, m), task.ErrPermissionDenied)
		strong.send(kind, m)
		if f := strong.receive(); f.Type == wire.Nack && wire.CodeOf(nackError(f)) == wire.CodeOf(task.ErrPermissionDenied) {
			t.Errorf("%s: %v", kind, nackError(f))
		}
	}
}

func TestHostileHellos(t *testing.T) {
	b := newBroker()
	tokens := of(member.RoleViewer)
	tokens[member.Principal(member.ID{3})] = member.Access{Role: member.RoleAdmin}
	b.grant(tokens)
	b.members[member.ID{3}], b.members[member.ID{4}] = true, true
	s := start(t, 1, b, nil)
	three, four, five := member.ID{3}, member.ID{4}, member.ID{5}
	refusedHello(t, s, new(wirepb.Hello), task.ErrUnauthenticated)
	refusedHello(t, s, &wirepb.Hello{Token: "other"}, task.ErrUnauthenticated)
	relayed := func(token string, node member.ID, principal string) *wirepb.Hello {
		return &wirepb.Hello{Token: token, ForwardedBy: &wirepb.ForwardedBy{NodeId: node[:], Principal: principal}}
	}
	proof := member.Principal(three)
	refusedHello(t, s, relayed("", three, "viewer"), task.ErrUnauthenticated)       // no proof
	refusedHello(t, s, relayed("viewer", three, "viewer"), task.ErrUnauthenticated) // a client's token is none
	refusedHello(t, s, relayed(proof, four, "viewer"), task.ErrUnauthenticated)     // that of another member
	refusedHello(t, s, relayed(proof, five, "viewer"), task.ErrNotAllowed)          // no member
	refusedHello(t, s, relayed(proof, three, ""), task.ErrUnauthenticated)          // for someone without a token
	refusedHello(t, s, relayed(proof, three, "other"), task.ErrUnauthenticated)     // whom this node does not know
	p := dial(t, s)
	m := relayed(proof, three, "viewer")
	m.ProtocolVersion = 1
	p.write(hello(t, 1, m))
	p.id = 1
	var reply wirepb.HelloReply
	p.ack(1, &reply)
	if reply.Access.Role != uint32(member.RoleViewer) {
		t.Errorf("a relayed viewer has the access %v", reply.Access)
	}
	p.nack(p.send(wire.SubmitTask, submitPB(1)), task.ErrPermissionDenied)
}

// TestRevokedWhileConnected: requests in work are answered, waiting ones say why, and then the connection ends.
func TestRevokedWhileConnected(t *testing.T) {
	b := newBroker()
	b.grant(of(member.RoleWorker, member.RoleAdmin))
	g := newGate()
	b.submit = gatedSubmit(g)
	s := start(t, 1, b, nil)
	p, _ := connectWith(t, s, "worker")
	other, _ := connectWith(t, s, "admin")
	submit := p.send(wire.SubmitTask, submitPB(1))
	g.full(t, 1)
	claim := p.send(wire.ClaimTask, waitingClaim())
	eventually(t, "the claim", func() bool {
		return slices.ContainsFunc(s.clients(), func(c *conn) bool { return c.w.owed.Load() == 2 })
	})
	b.grant(of(member.RoleAdmin))
	p.nack(claim, task.ErrUnauthenticated)
	p.send(wire.GetStats, new(wirepb.StatsRequest)) // nobody reads it
	close(g.open)
	p.ack(submit, new(wirepb.SubmitReply))
	p.nack(0, task.ErrUnauthenticated)
	p.closed()
	other.works()
	refusedHello(t, s, &wirepb.Hello{Token: "worker"}, task.ErrUnauthenticated)
}

func TestFirstTokenEndsOpenConnections(t *testing.T) {
	b := newBroker()
	s := start(t, 1, b, nil)
	p, access := connectWith(t, s, "any")
	if access.Authentication || access.Role != member.RoleAdmin {
		t.Errorf("access %+v without tokens", access)
	}
	p.works()
	b.grant(of(member.RoleAdmin))
	p.nack(0, task.ErrUnauthenticated)
	p.closed()
}

func TestExpiredWhileConnected(t *testing.T) {
	b := newBroker()
	b.grant(map[string]member.Access{"short": {Role: member.RoleViewer, ExpiresAt: time.Now().Add(300 * time.Millisecond)}})
	s := start(t, 1, b, nil)
	p, access := connectWith(t, s, "short")
	if access.ExpiresAt.IsZero() {
		t.Error("the end is not told")
	}
	p.nack(0, task.ErrUnauthenticated)
	p.closed()
}

// TestRequireToken: a node that must not be open serves no one until it knows of a token.
func TestRequireToken(t *testing.T) {
	s := listen(t, nil)
	s.requireToken = true
	b := newBroker()
	serve(s, 1, b)
	refusedHello(t, s, new(wirepb.Hello), task.ErrBusy)
	b.grant(of(member.RoleViewer))
	p, _ := connectWith(t, s, "viewer")
	p.works()
}

// TestFollowerRelaysThePrincipal, and both it and the leader hold the client to its role.
func TestFollowerRelaysThePrincipal(t *testing.T) {
	n := startPair(t, nil)
	follower := member.Principal(member.ID{2})
	tokens := of(member.RoleViewer, member.RoleWorker)
	tokens[follower] = member.Access{Role: member.RoleAdmin}
	n.leader.grant(tokens)
	n.follower.grant(tokens)
	n.follower.proof = follower
	p, _ := connectWith(t, n.followerS, "worker")
	p.call(wire.SubmitTask, submitPB(1), new(wirepb.SubmitReply))
	p.nack(p.send(wire.SetDispatch, new(wirepb.SetDispatchRequest)), task.ErrPermissionDenied)
	upstream := n.leaderS.clients()[0]
	if upstream.access.Token != "worker" || upstream.access.Role != member.RoleWorker {
		t.Errorf("the leader knows %+v", upstream.access)
	}
	viewer, _ := connectWith(t, n.followerS, "viewer")
	viewer.nack(viewer.send(wire.SubmitTask, submitPB(1)), task.ErrPermissionDenied)
	viewer.call(wire.GetStats, new(wirepb.StatsRequest), new(wirepb.StatsReply))

	weaker := of(member.RoleViewer) // the leader knows it first
	weaker["worker"] = member.Access{Role: member.RoleViewer}
	weaker[follower] = member.Access{Role: member.RoleAdmin}
	n.leader.grant(weaker)
	upstream.oust(task.ErrUnauthenticated)
	eventually(t, "the end of the upstream", func() bool { return !slices.Contains(n.leaderS.clients(), upstream) })
	p.nack(p.send(wire.SubmitTask, submitPB(1)), task.ErrPermissionDenied)
}
