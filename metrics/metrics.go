package metrics

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// Config says what to measure.
type Config struct {
	Version string // of the program
	Queues  int    // so many queues have series of their own
}

// Source is the node that is measured. *cluster.Node fits. None of it may wait for others.
type Source interface {
	RaftState() (member.RaftState, error)
	StoreVitals() (store.Vitals, error)
	EachDepth(fn func(store.Depth)) // of each queue that has tasks; fn does not block
	Counters() member.Counters
	Disk() member.Disk
}

// Metrics counts and times what a node does, for as long as the process runs.
type Metrics struct {
	registry *prometheus.Registry

	queues                                            *queues
	submit, wait, run, propose, commit, apply, synced *histogram
	snapshots                                         map[string]*histogram // by operation; never changed

	spansSent, spansDropped atomic.Uint64

	recording atomic.Pointer[Recording] // nil while no node is open

	gathering sync.Mutex // one scrape at a time
}

// New returns metrics of a process.
func New(cfg Config) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), queues: newQueues(cfg.Queues),
		submit: newHistogram(quickBounds), propose: newHistogram(quickBounds), commit: newHistogram(quickBounds),
		apply: newHistogram(quickBounds), synced: newHistogram(quickBounds),
		wait: newHistogram(longBounds), run: newHistogram(longBounds), snapshots: make(map[string]*histogram),
	}
	for _, operation := range [...]string{"cut", "send", "receive", "save"} {
		m.snapshots[operation] = newHistogram(snapshotBounds)
	}
	m.registry.MustRegister(newCollector(m, cfg.Version), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Changed counts changes of status that were applied.
func (m *Metrics) Changed(changes []task.Change) {
	var name string
	var t *tallies
	for i := range changes {
		c := &changes[i]
		if t == nil || c.Queue != name {
			name, t = c.Queue, m.queues.of(c.Queue)
		}
		if c.From == 0 {
			t[submitted].Add(1)
		}
		if c.From == task.InProgress {
			m.run.observe(c.Took)
		}
		switch c.To {
		case 0:
			t[deleted].Add(1)
		case task.Pending:
			if c.From == task.InProgress {
				t[released].Add(1)
			}
		case task.InProgress:
			t[claimed].Add(1)
			m.wait.observe(c.Took)
		case task.Completed:
			t[completed].Add(1)
		case task.Failed:
			t[failed].Add(1)
		case task.DeadLetter:
			t[dead].Add(1)
			if c.From == task.InProgress {
				t[failed].Add(1)
			}
		case task.Cancelled:
			t[cancelled].Add(1)
		}
	}
}

// Submitted notes how long a submit took that this node acknowledged.
func (m *Metrics) Submitted(took time.Duration) { m.submit.observe(took) }

// Proposed notes how long a command waited for its result.
func (m *Metrics) Proposed(took time.Duration) { m.propose.observe(took) }

// Committed notes how long an entry took to reach a majority.
func (m *Metrics) Committed(took time.Duration) { m.commit.observe(took) }

// Applied notes how long a run of the state machine took.
func (m *Metrics) Applied(took time.Duration) { m.apply.observe(took) }

// Synced notes how long a durable write to Raft's log took.
func (m *Metrics) Synced(took time.Duration) { m.synced.observe(took) }

// Snapshot notes how long an operation on a snapshot took; one of an unknown name is not noted.
func (m *Metrics) Snapshot(operation string, took time.Duration) {
	if h := m.snapshots[operation]; h != nil {
		h.observe(took)
	}
}

// Spans notes how many spans of traces a collector took, and how many were dropped.
func (m *Metrics) Spans(sent, dropped int) {
	m.spansSent.Add(uint64(sent))
	m.spansDropped.Add(uint64(dropped))
}

// Gather reads every metric; see prometheus.Gatherer.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	m.gathering.Lock()
	defer m.gathering.Unlock()
	return m.registry.Gather()
}

// Expose writes every metric in the form that an Accept header asks for.
func (m *Metrics) Expose(accept string) (contentType string, body []byte, err error) {
	families, err := m.Gather()
	if err != nil {
		return "", nil, fmt.Errorf("gather metrics: %w", err)
	}
	format := expfmt.NegotiateIncludingOpenMetrics(map[string][]string{"Accept": {accept}})
	var out bytes.Buffer
	encoder := expfmt.NewEncoder(&out, format)
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return "", nil, fmt.Errorf("encode metrics: %w", err)
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		if err := closer.Close(); err != nil {
			return "", nil, fmt.Errorf("encode metrics: %w", err)
		}
	}
	return string(format), out.Bytes(), nil
}
