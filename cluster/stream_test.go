package cluster

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

var (
	testCluster = member.ID{0xc1}
	nodeA       = member.ID{0xa}
	nodeB       = member.ID{0xb}
)

// roster says which id each address has, as Raft's configuration would.
type roster map[raft.ServerAddress]member.ID

func (r roster) find(a raft.ServerAddress) (member.ID, bool) {
	id, ok := r[a]
	return id, ok
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// layer starts a stream layer on loopback. edit, if any, changes it before it starts.
func layer(t *testing.T, self, cluster member.ID, peers roster, edit func(*streamLayer)) *streamLayer {
	t.Helper()
	l := listen(t)
	s := makeStreamLayer(l, l.Addr().String(), self, cluster, peers.find, quiet())
	if edit != nil {
		edit(s)
	}
	s.start()
	t.Cleanup(func() { s.Close() })
	return s
}

func address(s *streamLayer) raft.ServerAddress { return raft.ServerAddress(s.Addr().String()) }

// deadlines remembers the last deadlines set on a connection.
type deadlines struct {
	net.Conn
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.read = t
	return d.Conn.SetReadDeadline(t)
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.write = t
	return d.Conn.SetWriteDeadline(t)
}

func TestStreamCarriesBytesBothWays(t *testing.T) {
	peers := roster{}
	var dialed *deadlines
	a := layer(t, nodeA, testCluster, peers, func(s *streamLayer) {
		dial := s.dial
		s.dial = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := dial(ctx, address)
			dialed = &deadlines{Conn: conn}
			return dialed, err
		}
	})
	b := layer(t, nodeB, testCluster, peers, nil)
	peers[address(b)] = nodeB

	out, err := a.Dial(address(b), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	in, err := b.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if !dialed.read.IsZero() || !dialed.write.IsZero() {
		t.Errorf("the handshake left a deadline: %s, %s", dialed.read, dialed.write)
	}
	for _, way := range [][2]net.Conn{{out, in}, {in, out}} {
		if _, err := way[0].Write([]byte("haiku")); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 5)
		if _, err := io.ReadFull(way[1], got); err != nil || string(got) != "haiku" {
			t.Errorf("got %q: %v", got, err)
		}
	}
}

func TestStreamCountsItsTimeFromTheLastWrite(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	go io.Copy(io.Discard, there)
	conn := &deadlines{Conn: here}
	s := &stream{Conn: conn, layer: &streamLayer{}}
	defer s.Close()
	near := func(what string, got time.Time, want time.Duration) {
		t.Helper()
		if left := time.Until(got); left > want || left < want-30*time.Second {
			t.Errorf("%s: %s are left, want about %s", what, left, want)
		}
	}
	write := func() {
		t.Helper()
		if _, err := s.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if write(); !conn.write.IsZero() || !conn.read.IsZero() {
		t.Error("a write without deadline set one")
	}
	s.SetDeadline(time.Now().Add(50 * time.Second)) // of a request
	s.readUntil, conn.read, conn.write = time.Now().Add(time.Second), time.Time{}, time.Time{}
	write()
	near("the next write", conn.write, 50*time.Second)
	near("the answer", conn.read, 50*time.Second)

	s.SetDeadline(time.Now().Add(3 * time.Hour)) // of a snapshot
	write()
	near("a write of a snapshot", conn.write, maxWriteTime)
	near("its answer", conn.read, 3*time.Hour)

	s.SetWriteDeadline(time.Now().Add(40 * time.Second)) // of a pipeline
	s.SetReadDeadline(time.Now().Add(35 * time.Second))
	conn.write = time.Time{}
	write()
	near("a write of a pipeline", conn.write, 40*time.Second)
	near("its reader", conn.read, 35*time.Second)

	s.SetDeadline(time.Time{})
	if write(); !conn.write.IsZero() || !conn.read.IsZero() {
		t.Error("a deadline is left")
	}
}

func TestStreamToTheWrongPlaceIsRefusedWithAReason(t *testing.T) {
	b := layer(t, nodeB, testCluster, nil, nil)
	for _, c := range []struct {
		self, cluster, to member.ID
		want              refusal
	}{
		{nodeA, member.ID{0xc2}, nodeB, refusedCluster},
		{nodeA, testCluster, member.ID{0xd}, refusedNode},
		{nodeA, testCluster, member.ID{}, refusedNode},
		{member.ID{}, testCluster, nodeB, refusedSender},
	} {
		a := layer(t, c.self, c.cluster, roster{address(b): c.to}, nil)
		_, err := a.Dial(address(b), time.Minute)
		if !errors.Is(err, task.ErrHandshake) || !strings.Contains(err.Error(), c.want.String()) {
			t.Errorf("from %s of %s to %s: got %v, want %q", c.self, c.cluster, c.to, err, c.want)
		}
	}
}

func TestStreamOfAnotherFormatIsRefused(t *testing.T) {
	b := layer(t, nodeB, testCluster, nil, nil)
	good := appendHeader(nil, header{testCluster, nodeA, nodeB})
	for name, c := range map[string]struct {
		at   int
		to   byte
		want refusal
	}{
		"mark":    {0, 'X', refusedVersion},
		"version": {1, 2, refusedVersion},
		"group":   {5, 1, refusedGroup},
	} {
		bad := append([]byte(nil), good...)
		bad[c.at] = c.to
		conn, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(bad); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 1)
		if _, err := io.ReadFull(conn, answer); err != nil || refusal(answer[0]) != c.want {
			t.Errorf("%s: answered %v (%v), want %d", name, answer, err, c.want)
		}
		conn.Close()
	}
}

func TestAddressWithoutMemberIsNeverDialed(t *testing.T) {
	a := layer(t, nodeA, testCluster, nil, func(s *streamLayer) {
		s.dial = func(context.Context, string) (net.Conn, error) {
			t.Error("dialed")
			return nil, io.EOF
		}
	})
	if _, err := a.Dial("127.0.0.1:1", time.Minute); !errors.Is(err, task.ErrHandshake) {
		t.Errorf("got %v", err)
	}
}

func TestSilentStreamsAreBoundedAndEnd(t *testing.T) {
	b := layer(t, nodeB, testCluster, nil, func(s *streamLayer) { s.patience = 300 * time.Millisecond })
	var silent []net.Conn
	for range 2 * maxHandshakes {
		conn, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	for _, conn := range silent {
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
			t.Fatalf("a silent stream was kept: %v", err)
		}
	}
	a := layer(t, nodeA, testCluster, roster{address(b): nodeB}, nil)
	eventually(t, "room after the silent ones are gone", func() bool {
		_, err := a.Dial(address(b), time.Minute)
		return err == nil
	})
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func TestListenerThatNeverAnswersDoesNotHoldTheDialer(t *testing.T) {
	l := listen(t)
	defer l.Close()
	target := raft.ServerAddress(l.Addr().String())
	a := layer(t, nodeA, testCluster, roster{target: nodeB}, nil)
	if _, err := a.Dial(target, 50*time.Millisecond); err == nil || !isTimeout(err) {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestSurplusStreamIsTurnedAway(t *testing.T) {
	b := layer(t, nodeB, testCluster, nil, func(s *streamLayer) { s.incoming = maxStreams })
	a := layer(t, nodeA, testCluster, roster{address(b): nodeB}, nil)
	if _, err := a.Dial(address(b), time.Minute); err == nil || !strings.Contains(err.Error(), refusedSurplus.String()) {
		t.Errorf("got %v", err)
	}
}

func TestCloseEndsEveryStream(t *testing.T) {
	peers := roster{}
	a, b := layer(t, nodeA, testCluster, peers, nil), layer(t, nodeB, testCluster, peers, nil)
	peers[address(b)] = nodeB
	out, err := a.Dial(address(b), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Accept(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err == nil {
		t.Error("the stream outlived its layer")
	}
	if _, err := b.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if _, err := a.Dial(address(b), time.Minute); err == nil {
		t.Error("dialed a closed layer")
	}
	a.Close()
	if _, err := a.Dial(address(b), time.Minute); err == nil {
		t.Error("a closed layer dialed")
	}
}
