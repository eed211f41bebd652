package web

import (
	"container/list"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

const (
	clientIdle = 2 * time.Minute // after which a client is closed
	clientName = "http"
)

// clients keeps one client a token for requests, and one for what waits, so that waiting never takes the places of the
// others. All lead to this node's own port.
type clients struct {
	address string
	log     *slog.Logger

	mu     sync.Mutex
	known  map[clientKey]*list.Element
	recent *list.List // of *pooled, the one used last in front
	closed bool
}

type clientKey struct {
	token string
	waits bool
}

// pooled is one client with those who use it.
type pooled struct {
	key    clientKey
	client *client.Client
	users  int
	last   time.Time
}

func newClients(address string, log *slog.Logger) *clients {
	return &clients{address: address, log: log, known: make(map[clientKey]*list.Element), recent: list.New()}
}

// config is that of a client with a token, which leads to this node.
func (c *clients) config(token string) client.Config {
	return client.Config{Addrs: []string{c.address}, Name: clientName, Token: token, Stay: true, RetryFor: retryFor, Logger: c.log}
}

// take returns the client of a token until release is called.
func (c *clients) take(key clientKey) (_ *client.Client, release func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, shutdown()
	}
	e := c.known[key]
	if e == nil {
		if len(c.known) >= maxClients && !c.evict() {
			return nil, nil, fmt.Errorf("%w: requests with %d tokens are in work", task.ErrBusy, maxClients)
		}
		made, err := client.New(c.config(key.token))
		if err != nil {
			return nil, nil, err
		}
		e = c.recent.PushFront(&pooled{key: key, client: made})
		c.known[key] = e
	}
	p := e.Value.(*pooled)
	p.users++
	p.last = time.Now()
	c.recent.MoveToFront(e)
	return p.client, sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		p.users--
		p.last = time.Now()
	}), nil
}

// evict closes the client that nobody has used for longest; mu is held.
func (c *clients) evict() bool {
	for e := c.recent.Back(); e != nil; e = e.Prev() {
		if e.Value.(*pooled).users == 0 {
			c.remove(e)
			return true
		}
	}
	return false
}

func (c *clients) remove(e *list.Element) {
	p := c.recent.Remove(e).(*pooled)
	delete(c.known, p.key)
	p.client.Close()
}

// tidy closes clients that nobody uses any more.
func (c *clients) tidy(ctx context.Context) {
	tick := time.NewTicker(clientIdle / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			c.mu.Lock()
			for e := c.recent.Back(); e != nil; {
				before := e.Prev()
				if p := e.Value.(*pooled); p.users == 0 && now.Sub(p.last) > clientIdle {
					c.remove(e)
				}
				e = before
			}
			c.mu.Unlock()
		}
	}
}

func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for e := c.recent.Front(); e != nil; e = c.recent.Front() {
		c.remove(e)
	}
}
