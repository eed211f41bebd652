package metrics

// kind is what kind of metric a name stands for.
type kind string

const (
	counter       kind = "counter"
	gauge         kind = "gauge"
	histogramKind kind = "histogram"
)

// definition is one metric of Haiku's own. docs/metrics.md is made from these.
type definition struct {
	name   string
	kind   kind
	labels []string
	help   string
}

const (
	applied = " Counted by this process as it applies the log, so every node counts the same: do not add up nodes. " +
		"What an installed snapshot brought is not counted."
	opened = " Counted by this process, through every opening of its node."
)

// definitions lists every metric but those of Go and of the process.
var definitions = [...]definition{
	{"haiku_build_info", gauge, []string{"version"}, "Always 1; the label says which version runs."},
	{"haiku_collector_success", gauge, []string{"collector"}, "Whether this part of the metrics could be read: 1 or 0. Those of a part that could not are missing."},

	{"haiku_tasks_submitted_total", counter, []string{"queue"}, "Tasks that were new." + applied},
	{"haiku_tasks_claimed_total", counter, []string{"queue"}, "Attempts that were handed to workers." + applied},
	{"haiku_tasks_completed_total", counter, []string{"queue"}, "Tasks that ended with success." + applied},
	{"haiku_tasks_failed_total", counter, []string{"queue"}, "Attempts that failed, whether or not another follows." + applied},
	{"haiku_tasks_released_total", counter, []string{"queue"}, "Attempts that ended without an outcome, so that the task waits again: lost leases, snoozes, workers that went down." + applied},
	{"haiku_tasks_dead_total", counter, []string{"queue"}, "Tasks that became dead letters." + applied},
	{"haiku_tasks_cancelled_total", counter, []string{"queue"}, "Tasks that were cancelled." + applied},
	{"haiku_tasks_deleted_total", counter, []string{"queue"}, "Tasks that were deleted, by their retention or on request." + applied},
	{"haiku_tasks", gauge, []string{"queue", "status"}, "Tasks by status, from the replicated counts. A pending one is ready, scheduled or blocked."},
	{"haiku_queues", gauge, nil, "Queues that have tasks."},
	{"haiku_queue_oldest_ready_age_seconds", gauge, []string{"queue"}, "How long ago the task that would be claimed first was due, of the type where that is longest; 0 if none is ready or memory does not know it."},

	{"haiku_submit_duration_seconds", histogramKind, nil, "From a submit's arrival at this node, while it leads, to its acknowledgement." + opened},
	{"haiku_claim_wait_seconds", histogramKind, nil, "How long tasks were ready before they were claimed, in replicated time." + applied},
	{"haiku_attempt_duration_seconds", histogramKind, nil, "How long attempts ran, whatever their outcome, in replicated time." + applied},
	{"haiku_propose_duration_seconds", histogramKind, nil, "From a command's way into this leader's queue to its result." + opened},
	{"haiku_commit_duration_seconds", histogramKind, nil, "From an entry's way into this leader's log until a majority had it." + opened},
	{"haiku_apply_duration_seconds", histogramKind, nil, "Runs of the state machine over committed entries, each with its write to RocksDB." + opened},
	{"haiku_raft_log_sync_duration_seconds", histogramKind, nil, "Durable writes to Raft's log, fsync included." + opened},
	{"haiku_snapshot_duration_seconds", histogramKind, []string{"operation"}, "Snapshots: cut (the database made durable, the log cut), send and receive (between nodes), save (to a file)." + opened},

	{"haiku_trace_spans_sent_total", counter, nil, "Spans that the collector of traces took." + opened},
	{"haiku_trace_spans_dropped_total", counter, nil, "Spans that were dropped: the collector of traces takes none, or too few." + opened},

	{"haiku_disk_free_bytes", gauge, nil, "Room on the file system of the data directory or the database, whichever has less."},
	{"haiku_disk_limit_bytes", gauge, nil, "Room below which submits are refused; 0 for never."},
	{"haiku_submits_refused", gauge, nil, "1 while this node would refuse submits if it led: its disk or a voter's is nearly full, or RocksDB takes no writes. Else 0."},

	{"haiku_raft_is_leader", gauge, nil, "1 while this node leads, else 0."},
	{"haiku_raft_has_leader", gauge, nil, "1 while this node knows who leads, else 0."},
	{"haiku_raft_term", gauge, nil, "Raft's term at this node."},
	{"haiku_raft_last_log_index", gauge, nil, "Index of the last entry in this node's log."},
	{"haiku_raft_commit_index", gauge, nil, "Index up to which this node knows the log to be committed."},
	{"haiku_raft_applied_index", gauge, nil, "Index of the last command that this node has applied. Entries of Raft's own may follow it, and a follower applies up to 200 ms later."},
	{"haiku_raft_peer_lag_entries", gauge, []string{"peer", "peer_id"}, "Entries that another member lacked when it last answered this leader. Only the leader has it."},
	{"haiku_raft_leader_changes_total", counter, nil, "Times that this node saw another node lead than before." + opened},
	{"haiku_raft_last_contact_seconds", gauge, nil, "Since this follower last heard from a leader; 0 on the leader."},
	{"haiku_raft_members", gauge, nil, "Members of the cluster."},
	{"haiku_raft_voters", gauge, nil, "Members that have a vote."},
	{"haiku_raft_log_bytes", gauge, nil, "Size of the entries in Raft's log."},
	{"haiku_raft_log_writes_total", counter, nil, "Writes to Raft's log, each of which is made durable." + opened},
	{"haiku_raft_log_written_bytes_total", counter, nil, "Data of the entries written to Raft's log." + opened},
	{"haiku_entries_applied_total", counter, nil, "Entries of commands that were applied." + opened},
	{"haiku_commands_applied_total", counter, nil, "Commands that were applied, those that were refused included." + opened},

	{"haiku_rocksdb_block_cache_bytes", gauge, nil, "Blocks, indexes and filters that RocksDB holds in memory."},
	{"haiku_rocksdb_block_cache_capacity_bytes", gauge, nil, "What its cache may hold."},
	{"haiku_rocksdb_wal_bytes", gauge, nil, "Files of RocksDB's own log."},
	{"haiku_rocksdb_stall_seconds_total", counter, nil, "Time for which RocksDB held up writes." + opened},
	{"haiku_rocksdb_write_stopped", gauge, nil, "1 while RocksDB takes no writes, else 0."},
	{"haiku_rocksdb_write_limit_bytes_per_second", gauge, nil, "Rate to which RocksDB slows writes down now; 0 if it does not."},
	{"haiku_rocksdb_compactions_running", gauge, nil, "Compactions that run."},
	{"haiku_rocksdb_flushes_running", gauge, nil, "Flushes of memtables that run."},
	{"haiku_rocksdb_files", gauge, []string{"level"}, "Table files by level, of all column families."},
	{"haiku_rocksdb_memtable_bytes", gauge, []string{"column_family"}, "Memtables, those being flushed included."},
	{"haiku_rocksdb_immutable_memtables", gauge, []string{"column_family"}, "Memtables that are full and not flushed yet."},
	{"haiku_rocksdb_table_reader_bytes", gauge, []string{"column_family"}, "Indexes and filters outside of the block cache."},
	{"haiku_rocksdb_table_bytes", gauge, []string{"column_family"}, "Table files."},
	{"haiku_rocksdb_live_data_bytes", gauge, []string{"column_family"}, "Estimate of the data that is not replaced or deleted."},
	{"haiku_rocksdb_pending_compaction_bytes", gauge, []string{"column_family"}, "Estimate of what compactions have to rewrite."},
	{"haiku_rocksdb_compaction_pending", gauge, []string{"column_family"}, "1 while a compaction waits, else 0."},
	{"haiku_rocksdb_flush_pending", gauge, []string{"column_family"}, "1 while a flush waits, else 0."},
	{"haiku_rocksdb_batches_total", counter, nil, "Atomic writes to RocksDB." + opened},
	{"haiku_rocksdb_keys_put_total", counter, nil, "Keys put in them." + opened},
	{"haiku_rocksdb_keys_deleted_total", counter, nil, "Keys deleted in them." + opened},
	{"haiku_rocksdb_written_bytes_total", counter, nil, "Size of those writes." + opened},
}
