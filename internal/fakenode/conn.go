package fakenode

import (
	"bufio"
	"net"
	"sync"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// Conn is one connection to a Node.
type Conn struct {
	node *Node
	net  net.Conn
	r    *bufio.Reader
	mu   sync.Mutex // of writes
}

// Close breaks the connection.
func (c *Conn) Close() { c.net.Close() }

// Stray sends an answer to a request that nobody made.
func (c *Conn) Stray() { c.send(wire.Ack, 1<<31, new(wirepb.SubmitReply)) }

// run serves the connection until it breaks.
func (c *Conn) run() {
	defer c.node.wg.Done()
	defer func() {
		c.net.Close()
		c.node.mu.Lock()
		delete(c.node.conns, c)
		c.node.mu.Unlock()
	}()
	if !c.greet() {
		return
	}
	for {
		f, err := wire.ReadFrame(c.r, 0)
		if err != nil {
			return
		}
		n := c.node
		n.mu.Lock()
		answer, mute := n.answers[f.Type], n.mute
		n.mu.Unlock()
		r := &Request{Conn: c, frame: f}
		switch {
		case mute:
		case answer == nil:
			n.queue(f.Type) <- r
		default:
			if m, err := answer(r); err != nil {
				r.Nack(err, "")
			} else if m != nil {
				r.Ack(m)
			}
		}
	}
}

func (c *Conn) greet() bool {
	f, err := wire.ReadFrame(c.r, 0)
	if err != nil {
		return false
	}
	var hello wirepb.Hello
	if f.Type != wire.Hello || wire.Decode(f, &hello) != nil {
		c.node.t.Errorf("the first frame is a %s", f.Type)
		return false
	}
	g, err := wire.GreetingFromPB(&hello)
	if err != nil {
		c.node.t.Errorf("hello: %v", err)
		return false
	}
	n := c.node
	n.mu.Lock()
	n.hellos = append(n.hellos, g)
	welcome, refuse, mute := n.welcome, n.refuse, n.mute
	n.mu.Unlock()
	switch {
	case mute:
	case refuse != nil:
		c.send(wire.Nack, f.RequestID, wire.NackFromError(refuse, ""))
		return false
	default:
		c.send(wire.Ack, f.RequestID, wire.WelcomeToPB(&welcome))
	}
	return true
}

func (c *Conn) send(kind wire.Type, id uint32, m wire.Message) {
	frame, err := wire.AppendMessage(nil, kind, id, m)
	if err != nil {
		c.node.t.Errorf("%s: %v", kind, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.net.Write(frame) // the test may have broken the connection
}

// Request is one request that waits for an answer.
type Request struct {
	Conn  *Conn
	frame wire.Frame
}

// Type is the request's type.
func (r *Request) Type() wire.Type { return r.frame.Type }

// Read decodes the request; an error ends the test.
func (r *Request) Read(m wire.Message) {
	if err := wire.Decode(r.frame, m); err != nil {
		r.Conn.node.t.Errorf("%s: %v", r.frame.Type, err)
	}
}

// Ack answers with a message.
func (r *Request) Ack(m wire.Message) { r.Conn.send(wire.Ack, r.frame.RequestID, m) }

// Nack refuses.
func (r *Request) Nack(err error, leader string) {
	r.Conn.send(wire.Nack, r.frame.RequestID, wire.NackFromError(err, leader))
}

// Raw sends any frame with the request's id.
func (r *Request) Raw(kind wire.Type, body []byte) {
	r.Conn.mu.Lock()
	defer r.Conn.mu.Unlock()
	_, _ = r.Conn.net.Write(wire.AppendFrame(nil, kind, r.frame.RequestID, body))
}

// Submitted returns the specs of a SubmitTask.
func (r *Request) Submitted() []task.Spec {
	var m wirepb.SubmitRequest
	r.Read(&m)
	var specs []task.Spec
	for _, p := range m.Tasks {
		s, err := wire.SpecFromPB(p)
		if err != nil {
			r.Conn.node.t.Errorf("spec: %v", err)
		}
		specs = append(specs, s)
	}
	return specs
}

// Accept answers a SubmitTask with success for every task; duplicate as given.
func (r *Request) Accept(duplicate bool) { r.Ack(accepted(r.Submitted(), duplicate)) }

func accepted(specs []task.Spec, duplicate bool) wire.Message {
	var receipts []task.Receipt
	for _, s := range specs {
		receipts = append(receipts, task.Receipt{ID: s.ID, Duplicate: duplicate})
	}
	return &wirepb.SubmitReply{Receipts: wire.ReceiptsToPB(receipts)}
}

// AcceptAll is an Answer that accepts every SubmitTask.
func AcceptAll(r *Request) (wire.Message, error) { return accepted(r.Submitted(), false), nil }
