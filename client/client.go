package client

import (
	"context"
	"slices"
	"sync"

	"github.com/haiku-queue/haiku/internal/trace"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// Client talks to a Haiku cluster.
type Client struct {
	cfg    Config
	ctx    context.Context // ends with Close; its cause is ErrClosed
	cancel context.CancelCauseFunc
	spans  *trace.Source
	wg     sync.WaitGroup // of every connection's goroutines and of dialling

	mu       sync.Mutex
	conn     *conn    // requests go here; nil if there is none
	dial     *dialing // the attempt under way, if any
	first    int      // place in Addrs where the next attempt begins
	hint     string   // address of the leader, as last told; tried first
	welcome  wire.Welcome
	watchers []*watcher
	closed   bool
}

// watcher is one who wants to know of pushes.
type watcher struct{ told func(Push) }

// New returns a Client. It connects on first need. The error wraps task.ErrInvalid.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.normal()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, spans: trace.NewSource(cfg.TracerProvider)}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	if cfg.OnPush != nil {
		c.watchers = append(c.watchers, &watcher{cfg.OnPush})
	}
	return c, nil
}

// Close ends the connection, every request under way and every goroutine of the client.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel(ErrClosed)
	c.wg.Wait()
}

// Session returns the session id that the client says in its Hello.
func (c *Client) Session() task.SessionID { return c.cfg.Session }

// Welcome returns what the node said of itself when the client last connected; zero before the first time.
func (c *Client) Welcome() wire.Welcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.welcome
}

// Watch has told called for every push until stop is called, and perhaps once more while it is. told must not block.
func (c *Client) Watch(told func(Push)) (stop func()) {
	w := &watcher{told}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watchers = append(c.watchers, w)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.watchers = slices.DeleteFunc(slices.Clone(c.watchers), func(o *watcher) bool { return o == w })
	}
}

// pushed takes what a node sent on its own. It runs in the connection's reading goroutine.
func (c *Client) pushed(from *conn, p Push) {
	if p.Drain {
		c.leave(from, "")
	}
	c.tell(p)
}

// connEnded is called once for every connection that was open.
func (c *Client) connEnded(n *conn) {
	c.mu.Lock()
	current := c.conn == n
	if current {
		c.conn = nil
		c.first = (c.first + 1) % len(c.cfg.Addrs) // a node may greet and then hang: the next one is another
	}
	c.mu.Unlock()
	if current {
		c.tell(Push{Ended: true})
	}
}

func (c *Client) tell(p Push) {
	c.mu.Lock()
	watchers := slices.Clone(c.watchers)
	c.mu.Unlock()
	for _, w := range watchers {
		w.told(p)
	}
}
