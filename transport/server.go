package transport

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/task"
)

// Server is the one TCP port of a node.
type Server struct {
	limits Limits

	requireToken bool // no one is served as long as this node knows of no token

	log      *slog.Logger
	trace    *trace.Recorder
	listener net.Listener
	raft     *raftListener
	total    budget       // bytes of requests in work, all clients
	replies  budget       // bytes of replies to be sent or about to be made, all clients
	fullAt   atomic.Int64 // when the log was last told that one of them is full, in seconds
	unknown  atomic.Int64 // connections whose first byte has not come
	pending  connSet
	runners  *runners
	wg       sync.WaitGroup

	// Set before served is closed, constant afterwards.
	id     Identity
	broker Broker
	admin  Admin
	served chan struct{}

	mu       sync.Mutex
	conns    map[*conn]struct{}
	serving  bool
	draining bool
	closed   bool
	drained  chan struct{} // closed when Drain has ended
	closing  chan struct{} // closed when Close begins
}

// Listen binds the port and hands on Raft streams from then on. Clients wait for Serve, at most the handshake timeout.
func Listen(cfg Config) (*Server, error) {
	if err := cfg.Limits.Validate(); err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	l, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Server{
		limits: cfg.Limits, requireToken: cfg.RequireToken, log: cfg.Logger, trace: cfg.Trace, listener: l, raft: newRaftListener(l.Addr(), cfg.Limits.MaxRaftConns),
		total: budget{limit: cfg.Limits.TotalBytes}, replies: budget{limit: cfg.Limits.TotalBytes}, served: make(chan struct{}), conns: make(map[*conn]struct{}),
		drained: make(chan struct{}), closing: make(chan struct{}),
	}
	s.runners = newRunners(s.closing)
	s.wg.Add(1)
	go s.accept()
	return s, nil
}

// Addr returns the address that is listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Raft returns the listener of the port's Raft streams; their first byte is still to be read. Closing it leaves the
// port to clients. Connections that it gave out are the taker's.
func (s *Server) Raft() net.Listener { return s.raft }

// Serve starts serving clients. Only the first call has an effect, and none after Drain or Close.
func (s *Server) Serve(id Identity, b Broker, a Admin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serving || s.draining {
		return
	}
	s.serving = true
	s.id, s.broker, s.admin = id, b, a
	close(s.served)
	s.wg.Add(2)
	go s.watchLeader()
	go s.watchTokens()
}

// watchLeader tells every connection of a change of leadership.
func (s *Server) watchLeader() {
	defer s.wg.Done()
	for {
		changed := s.broker.LeaderChanged() // before Leader, so that no change is missed
		address, self := s.broker.Leader()
		for _, c := range s.clients() {
			c.leaderIs(address, self)
		}
		select {
		case <-changed:
		case <-s.closing:
			return
		}
	}
}

func (s *Server) clients() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	return list
}

// enter gives a client connection a place. The error says why there is none.
func (s *Server) enter(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return fmt.Errorf("%w: connect to another node", task.ErrShutdown)
	}
	if len(s.conns) >= s.limits.MaxConns {
		return busy("this node has all the %d connections it allows", s.limits.MaxConns)
	}
	s.conns[c] = struct{}{}
	return nil
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// busy is the error of a limit that is reached.
func busy(format string, args ...any) error {
	err := fmt.Errorf("%w: %s", task.ErrBusy, fmt.Sprintf(format, args...))
	return &task.RetryLater{Err: err, After: busyRetryAfter}
}

// Drain stops serving clients and waits for it: it pushes drain to them, refuses their new requests, gives those in
// work the drain timeout and hangs up. Raft streams are handed on until Close.
func (s *Server) Drain() {
	s.mu.Lock()
	first := !s.draining
	s.draining = true
	s.mu.Unlock()
	if !first {
		<-s.drained
		return
	}
	defer close(s.drained)
	list := s.clients() // complete: nobody enters any more
	for _, c := range list {
		c.beginDrain()
	}
	timer := time.NewTimer(s.limits.DrainTimeout)
	defer timer.Stop()
	expired := false
	for _, c := range list {
		if expired {
			break
		}
		select {
		case <-c.quiet:
		case <-c.gone:
		case <-timer.C:
			expired = true
		}
	}
	for _, c := range list {
		c.stop()
	}
	for _, c := range list {
		<-c.gone
	}
}

// Close drains, closes the port and waits for all goroutines. Further calls wait too.
func (s *Server) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	s.Drain()
	if !first {
		s.wg.Wait()
		s.runners.done.Wait()
		return nil
	}
	close(s.closing)
	err := s.listener.Close()
	s.raft.Close()
	s.pending.close()
	s.wg.Wait()
	s.runners.done.Wait()
	return err
}
