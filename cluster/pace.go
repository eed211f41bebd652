package cluster

import (
	"net"
	"sync"
	"time"
)

// pace caps the bytes a second of several streams together.
type pace struct {
	rate    int64 // bytes a second; 0 for no cap
	stopped chan struct{}
	once    sync.Once

	mu   sync.Mutex
	next time.Time // when what was sent so far has had its time
}

func newPace(rate int64) *pace { return &pace{rate: rate, stopped: make(chan struct{})} }

// wait returns when n more bytes may go out; with an error once stopped.
func (p *pace) wait(n int) error {
	select {
	case <-p.stopped:
		return net.ErrClosed
	default:
	}
	if p.rate <= 0 {
		return nil
	}
	until := p.reserve(n, time.Now())
	if until <= 0 {
		return nil
	}
	timer := time.NewTimer(until)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.stopped:
		return net.ErrClosed
	}
}

// reserve takes the time that n bytes need and says how long it is until its end.
func (p *pace) reserve(n int, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(n) * time.Second / time.Duration(p.rate))
	return p.next.Sub(now)
}

// stop ends every wait, now and later. It is idempotent.
func (p *pace) stop() { p.once.Do(func() { close(p.stopped) }) }
