package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"

	"github.com/haiku-queue/haiku/wire"
)

// The first byte of a connection says what it is. A client's is the highest byte of its first frame's length.
const (
	firstClient = 0x00
	firstRaft   = 'R'
)

// accept takes connections until the listener is closed. Each gets a goroutine that reads its first byte.
func (s *Server) accept() {
	defer s.wg.Done()
	for {
		nc, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Warn("accept", "error", err)
			select {
			case <-time.After(acceptPause):
				continue
			case <-s.closing:
				return
			}
		}
		if s.unknown.Add(1) > int64(s.limits.MaxConns) {
			s.unknown.Add(-1)
			nc.Close()
			continue
		}
		s.wg.Add(1)
		go s.classify(nc)
	}
}

// classify reads the first byte and hands the connection on.
func (s *Server) classify(nc net.Conn) {
	defer s.wg.Done()
	if !s.pending.add(nc) {
		s.unknown.Add(-1)
		nc.Close()
		return
	}
	var first [1]byte
	err := nc.SetReadDeadline(time.Now().Add(s.limits.HandshakeTimeout))
	if err == nil {
		_, err = io.ReadFull(nc, first[:])
	}
	s.pending.remove(nc)
	s.unknown.Add(-1)
	switch {
	case err != nil:
		nc.Close()
	case first[0] == firstRaft:
		s.raft.hand(nc, first[0])
	case first[0] == firstClient:
		s.client(nc, io.MultiReader(bytes.NewReader(first[:]), nc))
	default:
		nc.Close()
	}
}

// client serves a connection that began like a client's, if there is a place for it, until it ends.
func (s *Server) client(nc net.Conn, r io.Reader) {
	c := newConn(s, nc, r)
	if err := s.enter(c); err != nil {
		refuse(nc, err)
		return
	}
	defer s.leave(c)
	c.run()
}

// refuse tells a client that has no place why, and hangs up.
func refuse(nc net.Conn, why error) {
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(lingerTimeout)); err != nil {
		return
	}
	frame, err := wire.AppendMessage(nil, wire.Nack, 0, wire.NackFromError(why, ""))
	if err != nil {
		return
	}
	if _, err := nc.Write(frame); err == nil {
		linger(nc)
	}
}

// linger ends the sending half and drops what still comes: closing at once would reset the connection, and the peer
// might lose the last replies.
func linger(nc net.Conn) {
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(nc, lingerBytes))
}
