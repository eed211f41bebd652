package worker

import (
	"context"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// leastInterval keeps heartbeats apart, whatever lease and node say.
const leastInterval = 50 * time.Millisecond

// beat sends heartbeats until the run ends. It goes on while no lease is held: the broker sees by it that a claim's
// answer was lost, and says by it that the worker should drain.
func (r *run) beat() {
	defer r.loops.Done()
	failures := 0
	for {
		interval := r.interval()
		timer := time.NewTimer(interval)
		select {
		case <-timer.C:
		case <-r.toBeat:
			timer.Stop()
		case <-r.work.Done():
			timer.Stop()
			return
		}
		refs, unsure := r.list()
		sent := time.Now()
		ctx, cancel := context.WithTimeout(r.work, max(interval, time.Second))
		reply, err := r.w.c.Heartbeat(ctx, refs)
		cancel()
		if err == nil {
			failures = 0
			r.heard(refs, reply, sent, unsure)
			continue
		}
		if r.work.Err() != nil {
			return
		}
		failures++
		r.w.cfg.Logger.Warn("heartbeat", "error", err)
		if isFatal(err) {
			r.end(err)
		}
		pause(r.work, failures)
		poke(r.toBeat)
	}
}

// interval is the rhythm for the shortest lease held, or for the next one.
func (r *run) interval() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	lease := r.request(1).Lease
	for _, l := range r.leases {
		lease = min(lease, l.task.LeaseDuration)
	}
	r.rhythm = r.rhythmOf(lease)
	return r.rhythm
}

// rhythmOf is a third of a lease, or less if the node wishes, which is not known before the first connection.
func (r *run) rhythmOf(lease time.Duration) time.Duration {
	rhythm := lease / 3
	if wish := r.w.c.Welcome().HeartbeatInterval; wish > 0 {
		rhythm = min(rhythm, wish)
	}
	return max(rhythm, leastInterval)
}

// list returns all leases that are ours as far as is known. unsure says whether the heartbeat with them answers for a
// claim whose outcome is unknown.
func (r *run) list() (refs []task.LeaseRef, unsure bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.leases {
		if !l.lost {
			refs = append(refs, task.LeaseRef{ID: l.task.ID, LeaseID: l.task.LeaseID, Progress: l.progress})
		}
	}
	return refs, r.unsure
}

// heard takes the answer to a heartbeat that was sent at a moment.
func (r *run) heard(refs []task.LeaseRef, reply task.HeartbeatReply, sent time.Time, unsure bool) {
	if reply.Drain {
		r.end(nil)
	}
	lost := make(map[task.ID]bool, len(reply.Lost))
	for _, id := range reply.Lost {
		lost[id] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ref := range refs {
		l := r.leases[ref.LeaseID]
		switch {
		case l == nil: // acknowledged meanwhile
		case lost[ref.ID]:
			l.lose()
		default:
			l.confirm(sent)
		}
	}
	r.cancelled(reply.Cancelled)
	if unsure && r.unsure {
		r.unsure = false
		poke(r.toClaim)
	}
}
