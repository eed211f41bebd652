package bench

import (
	"sync"
	"time"
)

const progressPause = 200 * time.Millisecond

// watch tells how far a part is until the function that it returns is called.
func (r *runner) watch(p *part) (stop func()) {
	if r.cfg.OnProgress == nil || p.tracker.want == 0 {
		return func() {}
	}
	quit := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		tick := time.NewTicker(progressPause)
		defer tick.Stop()
		for begin := time.Now(); ; {
			select {
			case <-tick.C:
			case <-quit:
				return
			}
			done := p.tracker.acked.Load()
			if p.work == nil {
				done = p.tracker.submitted.Load()
			}
			r.cfg.OnProgress(Progress{
				Part: p.name, Done: int(done), Total: int(p.tracker.want), PerSecond: perSecond(done, time.Since(begin)),
			})
		}
	})
	return func() {
		close(quit)
		telling.Wait()
	}
}
