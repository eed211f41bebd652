package fakenode

import (
	"bufio"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// Answer says what to reply to a request: a message, or an error that becomes a Nack.
type Answer func(*Request) (wire.Message, error)

// Node is one scripted node.
type Node struct {
	t    testing.TB
	addr string
	wg   sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	conns    map[*Conn]struct{}
	welcome  wire.Welcome
	refuse   error // answer to every Hello, if set
	mute     bool  // accept and read, but never answer
	answers  map[wire.Type]Answer
	waiting  map[wire.Type]chan *Request
	hellos   []wire.Greeting
}

// Start runs a node until the test ends. It says that it leads.
func Start(t testing.TB) *Node {
	t.Helper()
	n := &Node{
		t: t, conns: make(map[*Conn]struct{}), answers: make(map[wire.Type]Answer),
		waiting: make(map[wire.Type]chan *Request),
	}
	n.addr = "127.0.0.1:0"
	n.Listen()
	n.welcome = wire.Welcome{
		Version: wire.Version, NodeID: member.ID{1}, ClusterID: member.ID{2}, LeaderAddress: n.addr, IsLeader: true,
		HeartbeatInterval: 10 * time.Second, MaxInFlight: 64,
	}
	t.Cleanup(func() {
		n.Stop()
		n.wg.Wait()
	})
	return n
}

// Addr is the node's HOST:PORT, the same for its whole life.
func (n *Node) Addr() string { return n.addr }

// Listen begins to accept connections, again after Stop.
func (n *Node) Listen() {
	n.t.Helper()
	listener, err := net.Listen("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	n.listener, n.addr = listener, listener.Addr().String()
	n.mu.Unlock()
	n.wg.Add(1)
	go n.accept(listener)
}

// Stop closes the listener and every connection, as a node that dies.
func (n *Node) Stop() {
	n.mu.Lock()
	n.listener.Close()
	n.mu.Unlock()
	n.Kick()
}

// Kick closes every connection.
func (n *Node) Kick() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.net.Close()
	}
}

// Welcome changes what the node says of itself to who comes from now on.
func (n *Node) Welcome(change func(*wire.Welcome)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.welcome)
}

// Refuse answers every Hello with a Nack; nil ends that.
func (n *Node) Refuse(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse = err
}

// Mute has the node read and answer nothing, not even a Hello, as one that hangs.
func (n *Node) Mute(mute bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mute = mute
}

// Handle answers all requests of a type by a function. nil has them wait for Next again.
func (n *Node) Handle(kind wire.Type, answer Answer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[kind] = answer
}

// Next waits for a request of a type, which the test has to answer. It ends the test if none comes.
func (n *Node) Next(kind wire.Type) *Request {
	n.t.Helper()
	select {
	case r := <-n.queue(kind):
		return r
	case <-time.After(patience):
		n.t.Fatalf("no %s came", kind)
		return nil
	}
}

// None checks that no request of a type waits.
func (n *Node) None(kind wire.Type) {
	n.t.Helper()
	select {
	case <-n.queue(kind):
		n.t.Fatalf("a %s came", kind)
	default:
	}
}

// Hellos returns who has come so far.
func (n *Node) Hellos() []wire.Greeting {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]wire.Greeting(nil), n.hellos...)
}

// Conns returns the number of open connections.
func (n *Node) Conns() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}

// Push sends a push to every connection.
func (n *Node) Push(cancelled []task.ID, drain bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.send(wire.Push, 0, &wirepb.Push{Cancel: wire.IDsToPB(cancelled), Drain: drain})
	}
}

func (n *Node) queue(kind wire.Type) chan *Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting[kind] == nil {
		n.waiting[kind] = make(chan *Request, 4096)
	}
	return n.waiting[kind]
}

func (n *Node) accept(listener net.Listener) {
	defer n.wg.Done()
	for {
		nc, err := listener.Accept()
		if err != nil {
			return
		}
		c := &Conn{node: n, net: nc, r: bufio.NewReader(nc)}
		n.mu.Lock()
		n.conns[c] = struct{}{}
		n.mu.Unlock()
		n.wg.Add(1)
		go c.run()
	}
}
