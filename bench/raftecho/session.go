package raftecho

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
)

const (
	bufferBytes = 64 << 10
	maxCommand  = 16 << 20
)

// session is one client's connection at the leader.
type session struct {
	conn     net.Conn
	proposer *proposer

	mu      sync.Mutex
	answers []byte // to be written
	wake    chan struct{}
}

func newSession(c net.Conn, p *proposer) *session {
	return &session{conn: c, proposer: p, wake: make(chan struct{}, 1)}
}

// run reads commands until the connection breaks. A command that fails breaks it, too: the measurement is over then.
func (s *session) run() {
	defer s.conn.Close()
	ended := make(chan struct{})
	defer close(ended)
	go s.write(ended)
	r := bufio.NewReaderSize(s.conn, bufferBytes)
	for {
		var header [8]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return
		}
		size, id := binary.BigEndian.Uint32(header[:]), binary.BigEndian.Uint32(header[4:])
		if size > maxCommand {
			return
		}
		bytes := make([]byte, size)
		if _, err := io.ReadFull(r, bytes); err != nil {
			return
		}
		s.proposer.add(command{bytes: bytes, done: func(err error) { s.answer(id, err) }})
	}
}

func (s *session) answer(id uint32, err error) {
	if err != nil {
		_ = s.conn.Close()
		return
	}
	s.mu.Lock()
	s.answers = binary.BigEndian.AppendUint32(s.answers, id)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// write writes the answers that have gathered, all at once.
func (s *session) write(ended chan struct{}) {
	var writing []byte
	for {
		select {
		case <-s.wake:
		case <-ended:
			return
		}
		s.mu.Lock()
		writing, s.answers = s.answers, writing[:0]
		s.mu.Unlock()
		if _, err := s.conn.Write(writing); err != nil {
			_ = s.conn.Close()
			return
		}
	}
}
