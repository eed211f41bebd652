package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

const (
	handshakeTimeout = 5 * time.Second
	maxHandshakes    = 64  // of incoming streams at once
	maxStreams       = 512 // incoming and open at once; a follower that restores a snapshot lets heartbeats pile up
	acceptPause      = 50 * time.Millisecond
)

// streamLayer gives raft.NetworkTransport streams between members of one cluster. Both ends of each stream have told
// each other who they are and whom they mean before Raft sees it (header.go), so Raft's traffic cannot reach a node of
// another cluster, or a new node on an old address. It fits raft.StreamLayer. All methods may be called concurrently.
type streamLayer struct {
	listener  net.Listener
	advertise advertised
	self      member.ID
	cluster   member.ID
	peer      func(raft.ServerAddress) (member.ID, bool)
	dial      func(ctx context.Context, address string) (net.Conn, error)
	patience  time.Duration // for a handshake, at both ends
	log       *slog.Logger

	ready      chan net.Conn
	silenced   chan struct{} // some node's last incoming stream has ended
	handshakes chan struct{} // one token each
	ctx        context.Context
	cancel     context.CancelFunc
	done       sync.WaitGroup

	mu       sync.Mutex
	streams  map[*stream]struct{}
	heard    map[member.ID]incoming // of each node that has opened streams to this one
	open     context.Context        // ends when this node cuts itself off
	cut      context.CancelFunc
	incoming int
	closed   bool
}

// newStreamLayer starts to accept streams from l, whose connections begin with the header. self and cluster must not
// be zero. peer gives the id of the member that Raft's configuration has at an address; an address that no member has
// is never dialed, for a stream has to name its receiver. Close closes l too.
func newStreamLayer(l net.Listener, advertise string, self, cluster member.ID,
	peer func(raft.ServerAddress) (member.ID, bool), log *slog.Logger) *streamLayer {
	s := makeStreamLayer(l, advertise, self, cluster, peer, log)
	s.start()
	return s
}

func makeStreamLayer(l net.Listener, advertise string, self, cluster member.ID,
	peer func(raft.ServerAddress) (member.ID, bool), log *slog.Logger) *streamLayer {
	s := &streamLayer{
		listener: l, advertise: advertised(advertise), self: self, cluster: cluster, peer: peer, log: log,
		ready:      make(chan net.Conn),
		handshakes: make(chan struct{}, maxHandshakes),
		streams:    make(map[*stream]struct{}),
		heard:      make(map[member.ID]incoming),
		silenced:   make(chan struct{}, 1),
		patience:   handshakeTimeout,
	}
	s.dial = func(ctx context.Context, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.open, s.cut = context.WithCancel(s.ctx)
	return s
}

func (s *streamLayer) start() {
	s.done.Add(1)
	go s.listen()
}

// peersOf finds members in Raft's configuration, where a server's id is its member id in hexadecimal digits.
func peersOf(configuration func() raft.Configuration) func(raft.ServerAddress) (member.ID, bool) {
	return func(address raft.ServerAddress) (member.ID, bool) {
		for _, server := range configuration().Servers {
			if server.Address == address {
				id, err := member.ParseID(string(server.ID))
				return id, err == nil
			}
		}
		return member.ID{}, false
	}
}

// Accept waits for the next stream whose header was right.
func (s *streamLayer) Accept() (net.Conn, error) {
	select {
	case conn := <-s.ready:
		return conn, nil
	case <-s.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Addr is the advertised address: Raft puts it into what it sends.
func (s *streamLayer) Addr() net.Addr { return s.advertise }

// Dial opens a stream to the member at address. A refusal wraps task.ErrHandshake and says why.
func (s *streamLayer) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	to, ok := s.peer(address)
	if !ok {
		return nil, fmt.Errorf("%w: no member of this cluster has the address %s", task.ErrHandshake, address)
	}
	if timeout <= 0 || timeout > s.patience {
		timeout = s.patience
	}
	ctx, cancel := context.WithTimeout(s.connected(), timeout)
	defer cancel()
	conn, err := s.dial(ctx, string(address))
	if err != nil {
		return nil, fmt.Errorf("raft stream to %s: %w", address, err)
	}
	tracked := s.track(conn, false)
	if tracked == nil {
		return nil, net.ErrClosed
	}
	if err := s.introduce(ctx, tracked, to); err != nil {
		return nil, errors.Join(fmt.Errorf("raft stream to %s at %s: %w", to, address, err), tracked.Close())
	}
	return tracked, nil
}

// introduce sends the header and waits for the answer.
func (s *streamLayer) introduce(ctx context.Context, conn net.Conn, to member.ID) error {
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := conn.Write(appendHeader(nil, header{cluster: s.cluster, from: s.self, to: to})); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return fmt.Errorf("no answer to the header: %w", err)
	}
	if r := refusal(answer[0]); r != streamTaken {
		return fmt.Errorf("%w: %s", task.ErrHandshake, r)
	}
	return conn.SetDeadline(time.Time{})
}

func (s *streamLayer) listen() {
	defer s.done.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			s.log.Warn("accept raft stream", "error", err)
			select {
			case <-time.After(acceptPause):
			case <-s.ctx.Done():
			}
			continue
		}
		select {
		case s.handshakes <- struct{}{}:
			s.done.Add(1)
			go s.handshake(conn)
		default:
			s.log.Debug("raft stream dropped: too many handshakes at once", "remote", conn.RemoteAddr())
			conn.Close()
		}
	}
}

// handshake checks one incoming stream and hands it to Accept.
func (s *streamLayer) handshake(conn net.Conn) {
	defer s.done.Done()
	defer func() { <-s.handshakes }()
	tracked := s.track(conn, true)
	if tracked == nil {
		return
	}
	h, reason, err := s.receive(tracked)
	if err != nil {
		s.log.Debug("raft stream ended in its handshake", "remote", conn.RemoteAddr(), "error", err)
		tracked.Close()
		return
	}
	if reason != streamTaken {
		s.log.Warn("raft stream refused", "remote", conn.RemoteAddr(), "from", h.from, "reason", reason)
		tracked.Close()
		return
	}
	s.hear(tracked, h.from)
	select {
	case s.ready <- tracked:
	case <-s.ctx.Done():
		tracked.Close()
	}
}

func (s *streamLayer) receive(conn *stream) (h header, reason refusal, err error) {
	if err := conn.SetDeadline(time.Now().Add(s.patience)); err != nil {
		return h, streamTaken, err
	}
	h, reason, err = readHeader(conn)
	if err != nil {
		return h, reason, err
	}
	if reason == streamTaken {
		reason = s.judge(h, conn)
	}
	if _, err := conn.Write([]byte{byte(reason)}); err != nil {
		return h, reason, err
	}
	if reason != streamTaken {
		// The dialer hangs up first: to close with bytes unread would reset the connection and lose the answer.
		_, err := io.CopyN(io.Discard, conn, headerSize)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return h, reason, err
	}
	return h, reason, conn.SetDeadline(time.Time{})
}

// judge says whether this node takes the stream. Who sends is not looked up: a node that has just joined gets streams
// from its leader before it knows any member.
func (s *streamLayer) judge(h header, conn *stream) refusal {
	switch {
	case h.cluster != s.cluster:
		return refusedCluster
	case h.to != s.self:
		return refusedNode
	case h.from.IsZero():
		return refusedSender
	case conn.surplus:
		return refusedSurplus
	}
	return streamTaken
}

// incoming is what is open of the streams that a node has opened.
type incoming struct {
	open  int
	ended time.Time // when the last of them had ended, while none is open
}

// hear counts a stream as its sender's, until it ends.
func (s *streamLayer) hear(conn *stream, from member.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.streams[conn]; open {
		conn.from = from
		s.heard[from] = incoming{open: s.heard[from].open + 1}
	}
}

// hears says whether a stream is open that a node has opened to this one, or was within the given time. When the node's
// process ends, all do.
func (s *streamLayer) hears(from member.ID, within time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.heard[from]
	return of.open > 0 || time.Since(of.ended) < within
}

// forget is called with mu held when a stream has ended.
func (s *streamLayer) forget(conn *stream) {
	delete(s.streams, conn)
	if conn.incoming {
		s.incoming--
	}
	if conn.from.IsZero() {
		return
	}
	if left := s.heard[conn.from].open - 1; left > 0 {
		s.heard[conn.from] = incoming{open: left}
	} else {
		s.heard[conn.from] = incoming{ended: time.Now()}
		poke(s.silenced)
	}
}

// closeStreams ends every open stream; Raft opens new ones as it needs them. It frees a node whose leader vanished in
// the middle of a snapshot.
func (s *streamLayer) closeStreams() {
	s.mu.Lock()
	open := make([]*stream, 0, len(s.streams))
	for conn := range s.streams {
		open = append(open, conn)
	}
	s.mu.Unlock()
	for _, conn := range open {
		conn.Close()
	}
}

// cutOff ends every open stream and lets no other begin, until admit.
func (s *streamLayer) cutOff() {
	s.mu.Lock()
	s.cut()
	s.mu.Unlock()
	s.closeStreams()
}

// admit lets streams begin again.
func (s *streamLayer) admit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open.Err() != nil {
		s.open, s.cut = context.WithCancel(s.ctx)
	}
}

// connected returns a context that ends with the next cutOff.
func (s *streamLayer) connected() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

func (s *streamLayer) isCutOff() bool { return s.connected().Err() != nil }

// Close stops accepting, ends every stream and waits for the layer's goroutines. It is idempotent.
func (s *streamLayer) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	var err error
	if !again {
		err = s.listener.Close()
	}
	s.closeStreams()
	s.done.Wait()
	return err
}

// track takes charge of a connection; nil, and the connection closed, once the layer is closed or cut off.
func (s *streamLayer) track(conn net.Conn, incoming bool) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.open.Err() != nil {
		conn.Close()
		return nil
	}
	t := &stream{Conn: conn, layer: s, incoming: incoming}
	s.streams[t] = struct{}{}
	if incoming {
		s.incoming++
		t.surplus = s.incoming > maxStreams
	}
	return t
}

// advertised is an address as others dial it.
type advertised string

func (a advertised) Network() string { return "tcp" }
func (a advertised) String() string  { return string(a) }
