package raftecho

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// Client sends commands over one connection, any number at once.
type Client struct {
	conn net.Conn

	mu      sync.Mutex
	lastID  uint32
	waiting map[uint32]chan error
	queue   []byte // to be written
	err     error
	wake    chan struct{}
	done    sync.WaitGroup
}

// Dial connects to the leader.
func Dial(address string) (*Client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &Client{conn: conn, waiting: make(map[uint32]chan error), wake: make(chan struct{}, 1)}
	c.done.Go(c.read)
	c.done.Go(c.write)
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() {
	c.fail(net.ErrClosed)
	c.done.Wait()
}

// Do sends a command and returns when it is applied.
func (c *Client) Do(command []byte) error {
	answer := make(chan error, 1)
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return c.err
	}
	c.lastID++
	c.waiting[c.lastID] = answer
	c.queue = binary.BigEndian.AppendUint32(c.queue, uint32(len(command)))
	c.queue = binary.BigEndian.AppendUint32(c.queue, c.lastID)
	c.queue = append(c.queue, command...)
	c.mu.Unlock()
	c.poke()
	return <-answer
}

func (c *Client) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write writes the requests that have gathered, all at once.
func (c *Client) write() {
	var writing []byte
	for range c.wake {
		c.mu.Lock()
		err := c.err
		writing, c.queue = c.queue, writing[:0]
		c.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := c.conn.Write(writing); err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *Client) read() {
	r := bufio.NewReaderSize(c.conn, bufferBytes)
	for {
		var id [4]byte
		if _, err := io.ReadFull(r, id[:]); err != nil {
			c.fail(fmt.Errorf("the leader is gone: %w", err))
			return
		}
		c.mu.Lock()
		answer := c.waiting[binary.BigEndian.Uint32(id[:])]
		delete(c.waiting, binary.BigEndian.Uint32(id[:]))
		c.mu.Unlock()
		if answer != nil {
			answer <- nil
		}
	}
}

// fail ends everything that waits.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
	for id, answer := range c.waiting {
		answer <- c.err
		delete(c.waiting, id)
	}
	_ = c.conn.Close()
	c.poke()
}
