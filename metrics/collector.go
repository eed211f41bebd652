package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
)

// collector makes the metrics of Haiku's own. Metrics.gathering guards it.
type collector struct {
	m       *Metrics
	version string
	descs   map[string]*prometheus.Desc
	kinds   map[string]prometheus.ValueType
	risen   map[string]*rising
}

func newCollector(m *Metrics, version string) *collector {
	c := &collector{
		m: m, version: version, descs: make(map[string]*prometheus.Desc), kinds: make(map[string]prometheus.ValueType),
		risen: make(map[string]*rising),
	}
	for _, d := range definitions {
		c.descs[d.name] = prometheus.NewDesc(d.name, d.help, d.labels, nil)
		c.kinds[d.name] = prometheus.GaugeValue
		if d.kind == counter {
			c.kinds[d.name] = prometheus.CounterValue
		}
	}
	return c
}

// Describe lists every metric.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range definitions {
		out <- c.descs[d.name]
	}
}

// Collect reads every metric. A part that cannot be read is left out, and said to be.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := &scrape{c: c, out: out, of: c.m.recording.Load()}
	s.value("haiku_build_info", 1, c.version)
	s.tasks()
	s.histograms()
	s.value("haiku_trace_spans_sent_total", float64(c.m.spansSent.Load()))
	s.value("haiku_trace_spans_dropped_total", float64(c.m.spansDropped.Load()))
	if s.of == nil {
		return
	}
	from := s.of.source
	s.depths(from)
	s.work(from.Counters())
	disk := from.Disk()
	s.value("haiku_disk_free_bytes", float64(disk.Free))
	s.value("haiku_disk_limit_bytes", float64(disk.Limit))
	s.value("haiku_submits_refused", truth(disk.Refuses))
	raft, err := from.RaftState()
	if s.value("haiku_collector_success", truth(err == nil), "raft"); err == nil {
		s.raft(&raft)
	}
	vitals, err := from.StoreVitals()
	if s.value("haiku_collector_success", truth(err == nil), "rocksdb"); err == nil {
		s.rocksdb(&vitals)
	}
}

// scrape is one collection.
type scrape struct {
	c   *collector
	out chan<- prometheus.Metric
	of  *Recording // nil while no node is open
}

func (s *scrape) value(name string, v float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(s.c.descs[name], s.c.kinds[name], v, labels...)
}

// rising is a counter of something that begins anew now and then. What it did between the last scrape and its end is not
// counted.
type rising struct {
	base, last float64
	of         *Recording
}

// rise shows a counter of the node or of its database, which begin anew when they are opened again.
func (s *scrape) rise(name string, v float64) {
	r := s.c.risen[name]
	if r == nil {
		r = &rising{}
		s.c.risen[name] = r
	}
	if v < r.last || r.of != s.of {
		r.base += r.last
	}
	r.last, r.of = v, s.of
	s.value(name, r.base+v)
}

func truth(v bool) float64 {
	if v {
		return 1
	}
	return 0
}

// tasks tells what happened to tasks, by queue.
func (s *scrape) tasks() {
	names := [eventCount]string{
		submitted: "submitted", claimed: "claimed", completed: "completed", failed: "failed", released: "released",
		dead: "dead", cancelled: "cancelled", deleted: "deleted",
	}
	s.c.m.queues.each(func(queue string, t *tallies) {
		for e, name := range names {
			s.value("haiku_tasks_"+name+"_total", float64(t[e].Load()), queue)
		}
	})
}

func (s *scrape) histograms() {
	m := s.c.m
	for name, h := range map[string]*histogram{
		"haiku_submit_duration_seconds": m.submit, "haiku_claim_wait_seconds": m.wait, "haiku_attempt_duration_seconds": m.run,
		"haiku_propose_duration_seconds": m.propose, "haiku_commit_duration_seconds": m.commit,
		"haiku_apply_duration_seconds": m.apply, "haiku_raft_log_sync_duration_seconds": m.synced,
	} {
		s.out <- h.metric(s.c.descs[name])
	}
	for operation, h := range m.snapshots {
		s.out <- h.metric(s.c.descs["haiku_snapshot_duration_seconds"], operation)
	}
}

// depths tells how many tasks there are, by queue and status. A queue that has counts is shown with zeros when it is
// empty.
func (s *scrape) depths(from Source) {
	var depths []store.Depth
	from.EachDepth(func(d store.Depth) { depths = append(depths, d) })
	byLabel := make(map[string]store.Depth)
	s.c.m.queues.each(func(name string, _ *tallies) { byLabel[name] = store.Depth{} })
	for _, d := range depths {
		label := s.c.m.queues.label(d.Counts.Queue)
		sum := byLabel[label]
		sum.Counts.Add(&d.Counts)
		if d.OldestReady != 0 && (sum.OldestReady == 0 || d.OldestReady < sum.OldestReady) {
			sum.OldestReady = d.OldestReady
		}
		byLabel[label] = sum
	}
	for label, d := range byLabel {
		for status, n := range map[string]uint64{
			"ready": d.Counts.Ready, "scheduled": d.Counts.Scheduled, "blocked": d.Counts.Blocked,
			"in_progress": d.Counts.InProgress, "completed": d.Counts.Completed, "failed": d.Counts.Failed,
			"dead_letter": d.Counts.DeadLetter, "cancelled": d.Counts.Cancelled,
		} {
			s.value("haiku_tasks", float64(n), label, status)
		}
		s.value("haiku_queue_oldest_ready_age_seconds", age(d.OldestReady), label)
	}
	s.value("haiku_queues", float64(len(depths)))
}

// work tells what the node did since it was opened.
func (s *scrape) work(n member.Counters) {
	for name, v := range map[string]uint64{
		"haiku_entries_applied_total": n.EntriesApplied, "haiku_commands_applied_total": n.CommandsApplied,
		"haiku_rocksdb_batches_total": n.Batches, "haiku_rocksdb_keys_put_total": n.KeysPut,
		"haiku_rocksdb_keys_deleted_total": n.KeysDelete, "haiku_rocksdb_written_bytes_total": n.BatchBytes,
		"haiku_raft_log_writes_total": n.LogWrites, "haiku_raft_log_written_bytes_total": n.LogBytes,
	} {
		s.rise(name, float64(v))
	}
}

func (s *scrape) raft(r *member.RaftState) {
	for name, v := range map[string]float64{
		"haiku_raft_is_leader": truth(r.Leads), "haiku_raft_has_leader": truth(r.HasLeader), "haiku_raft_term": float64(r.Term),
		"haiku_raft_last_log_index": float64(r.LastIndex), "haiku_raft_commit_index": float64(r.CommitIndex),
		"haiku_raft_applied_index": float64(r.AppliedIndex), "haiku_raft_last_contact_seconds": r.LastContact.Seconds(),
		"haiku_raft_members": float64(r.Members), "haiku_raft_voters": float64(r.Voters), "haiku_raft_log_bytes": float64(r.LogBytes),
	} {
		s.value(name, v)
	}
	s.rise("haiku_raft_leader_changes_total", float64(r.LeaderChanges))
	for _, p := range r.Peers {
		s.value("haiku_raft_peer_lag_entries", float64(p.Lag), p.Name, p.ID.String())
	}
}

func (s *scrape) rocksdb(v *store.Vitals) {
	for name, n := range map[string]float64{
		"haiku_rocksdb_block_cache_bytes": float64(v.BlockCache), "haiku_rocksdb_block_cache_capacity_bytes": float64(v.BlockCacheCapacity),
		"haiku_rocksdb_wal_bytes": float64(v.WAL), "haiku_rocksdb_write_stopped": truth(v.WriteStopped),
		"haiku_rocksdb_write_limit_bytes_per_second": float64(v.WriteRate),
		"haiku_rocksdb_compactions_running":          float64(v.Compactions), "haiku_rocksdb_flushes_running": float64(v.Flushes),
	} {
		s.value(name, n)
	}
	s.rise("haiku_rocksdb_stall_seconds_total", v.Stalled.Seconds())
	var files [store.Levels]uint64
	for _, f := range v.Families {
		for level, n := range f.Files {
			files[level] += n
		}
		for name, n := range map[string]float64{
			"memtable_bytes": float64(f.Memtables), "immutable_memtables": float64(f.Immutable),
			"table_reader_bytes": float64(f.TableReaders), "table_bytes": float64(f.Tables), "live_data_bytes": float64(f.LiveData),
			"pending_compaction_bytes": float64(f.PendingCompaction), "compaction_pending": truth(f.CompactionPending),
			"flush_pending": truth(f.FlushPending),
		} {
			s.value("haiku_rocksdb_"+name, n, f.Name)
		}
	}
	for level, n := range files {
		s.value("haiku_rocksdb_files", float64(n), fmt.Sprint(level))
	}
}
