package store

// Occupancy is what the limits of a pair, or of all pairs of a queue, are held against.
type Occupancy struct {
	Ready, Running int64
	Waiting, Bytes int64 // tasks that wait to be run, now or some day, and their payloads
}

func occupancyOf(c, more *counts) (u Occupancy) {
	u.Ready, u.Running = c[slotReady]+more[slotReady], c[slotInProgress]+more[slotInProgress]
	for s := range slotCount {
		if s.waits() {
			u.Waiting += c[s] + more[s]
		}
	}
	u.Bytes = c[waitingBytes] + more[waitingBytes]
	return u
}

// Occupancy returns that of a pair as the batch stands; of the whole queue if the type is empty.
func (b *Batch) Occupancy(p Pair) Occupancy {
	var u Occupancy
	switch {
	case b.err != nil:
	case p.Type == "":
		if q := b.d.pairs.queues[p.Queue]; q != nil {
			u = occupancyOf(&q.counts, &q.delta)
		}
	default:
		if s := b.d.pairs.byPair[p]; s != nil {
			u = occupancyOf(&s.counts, &s.delta)
		}
	}
	return u
}

// Freed lists the pairs of which fewer tasks run than are committed, in no order.
func (b *Batch) Freed() (out []Pair) {
	if b.err != nil {
		return nil
	}
	for _, p := range b.pairs {
		if p.delta[slotInProgress] < 0 {
			out = append(out, p.pair)
		}
	}
	return out
}

// Occupancy returns the committed one of a pair; of the whole queue if the type is empty. It reads memory.
func (s *Store) Occupancy(p Pair) (u Occupancy) {
	d, err := s.acquire()
	if err != nil {
		return u
	}
	defer d.users.Done()
	d.mu.RLock()
	defer d.mu.RUnlock()
	if p.Type == "" {
		if q := d.pairs.queues[p.Queue]; q != nil {
			u = occupancyOf(&q.counts, &counts{})
		}
	} else if st := d.pairs.byPair[p]; st != nil {
		u = occupancyOf(&st.counts, &counts{})
	}
	return u
}

// Ready lists the committed pairs of a queue that have ready tasks, by type; types narrows them, none means all. It
// reads memory.
func (s *Store) Ready(queue string, types []string) (out []Claimable) {
	d, err := s.acquire()
	if err != nil {
		return nil
	}
	defer d.users.Done()
	d.mu.RLock()
	defer d.mu.RUnlock()
	add := func(p *pairState) {
		if p != nil && p.counts[slotReady] > 0 {
			out = append(out, Claimable{p.pair, int(p.counts[slotReady])})
		}
	}
	for _, typ := range types {
		add(d.pairs.byPair[Pair{queue, typ}])
	}
	if q := d.pairs.queues[queue]; q != nil && len(types) == 0 {
		for _, p := range q.pairs {
			add(p)
		}
	}
	return out
}

// FirstScheduled returns since when, in microseconds, the first ready task of a pair waits; 0 if there is none or memory
// does not know it. It reads memory.
func (s *Store) FirstScheduled(p Pair) int64 {
	d, err := s.acquire()
	if err != nil {
		return 0
	}
	defer d.users.Done()
	d.mu.RLock()
	defer d.mu.RUnlock()
	if st := d.pairs.byPair[p]; st != nil {
		return st.first
	}
	return 0
}
