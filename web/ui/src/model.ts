// What the REST API sends. Integers that a double cannot hold come as text (json.ts).
import type { Whole } from "./format";

export interface Session {
  role: string;
  queues: string[];
  authentication: boolean;
}

export interface Counts {
  queue?: string;
  type?: string;
  pending: number;
  ready: number;
  scheduled: number;
  blocked: number;
  in_progress: number;
  completed: number;
  failed: number;
  dead_letter: number;
  cancelled: number;
}

export interface QueueState {
  queue: string;
  task_type?: string;
  paused: boolean;
  reason?: string;
  concurrency?: number;
  rate?: string;
  burst?: number;
  depth?: Whole;
  bytes?: Whole;
  aging?: string;
  counts: Counts;
  waiting_bytes: number;
  next_since?: string;
}

export interface Overview {
  at: string;
  cluster_id: string;
  node: string;
  leader: string;
  stale: boolean;
  applied_index: Whole;
  missing: string[];
  counts: Counts;
  rates: Record<string, number>;
  latency: Record<string, number>;
  oldest_ready_age_s: number;
  queues: QueueState[];
  dispatch_paused: boolean;
}

export interface History {
  step_s: number;
  from: number;
  series: Record<string, (number | null)[]>;
}

export type Status = "pending" | "in_progress" | "completed" | "failed" | "dead_letter" | "cancelled";

export interface Attempt {
  attempt: number;
  worker_id: string;
  started_at: string;
  ended_at: string;
  outcome: string;
  error?: string;
}

export interface Task {
  id: string;
  task_type: string;
  priority: number;
  created_at: string;
  scheduled_at: string;
  status: Status;
  max_retries: number;
  retry_count: number;
  timeout_seconds: Whole;
  worker_id: string | null;
  lease_expires_at: string | null;
  error: string | null;
  dependencies: string[];
  updated_at: string;
  queue: string;
  phase: string;
  payload_size: number;
  result_size?: number;
  attempt: number;
  crash_count: number;
  max_crashes: number;
  lease_id?: Whole;
  lease_seconds?: number;
  session?: string;
  started_at?: string;
  reason?: string;
  waiting_for?: number;
  on_dependency_failure?: string;
  headers?: { name: string; value: string }[];
  unique_key?: string;
  unique_scope?: string;
  unique_until?: string;
  unique_held?: boolean;
  replaced_by?: string;
  expires_at?: string;
  retention_seconds?: number;
  delete_at?: string;
  backoff?: { initial_seconds?: number; factor_percent?: number; max_seconds?: number; jitter_percent?: number };
  progress?: { percent: number; message?: string };
  history?: Attempt[];
  cancel_requested?: boolean;
}

export interface TaskChange {
  id: string;
  queue: string;
  type: string;
  status: string;
  at: string;
}

export interface DeadGroup {
  reason: string;
  error: string;
  type: string;
  queue: string;
  count: number;
  sample_id: string;
  sample_error: string;
  last_at: string;
}

export interface DeadGroups {
  groups: DeadGroup[];
  examined: number;
  complete: boolean;
}

export interface Operation {
  id: string;
  action: string;
  selection: {
    queue?: string;
    task_type?: string;
    statuses: string[];
    min_priority?: number;
    max_priority?: number;
    updated_before?: string;
    error_contains?: string;
  };
  rate?: number;
  state: "dry_run" | "running" | "done" | "cancelled";
  examined: number;
  changed: number;
  failed: number;
  error?: string;
  started_at?: string;
  ended_at?: string;
}

export interface Schedule {
  name: string;
  expression: string;
  time_zone: string;
  catch_up: string;
  overlap: string;
  start?: string;
  end?: string;
  paused: boolean;
  pause_reason?: string;
  next_fire: string | null;
  last_fire: string | null;
  last_task: string | null;
  last_error?: string;
  fired: number;
  skipped: number;
  created_at: string;
  updated_at: string;
  task: { task_type: string; queue?: string; priority?: number; max_retries?: number; timeout_seconds?: number };
}

export interface Worker {
  session: string;
  worker_ids: string[];
  client_name: string;
  node: string;
  queues: string[];
  types: string[];
  leases: number;
  connected_since: string;
  last_heartbeat: string;
  draining: boolean;
}

export interface Retention {
  task_type: string;
  completed?: string;
  dead_letter?: string;
  cancelled?: string;
}

export interface Token {
  id: string;
  name: string;
  role: string;
  queues: string[] | null;
  created_at: string;
  expires_at?: string;
  revoked_at?: string;
}

export interface ClusterNode {
  id: string;
  name: string;
  address: string;
  http_address: string;
  role: string;
  voter: boolean;
  reachable: boolean;
  term?: Whole;
  commit_index?: Whole;
  applied_index?: Whole;
  version?: string;
  error?: string;
  lag?: Whole;
  node_state?: NodeState;
}

export interface NodeState {
  log_bytes: number;
  log_first: Whole;
  log_last: Whole;
  snapshot?: { index: Whole; at: string; received: boolean; bytes: number };
  disk: { free_bytes: number; total_bytes: number; limit_bytes: number; refuses: boolean };
  database?: {
    memtable_bytes: number;
    block_cache_bytes: number;
    block_cache_capacity_bytes: number;
    table_bytes: number;
    live_data_bytes: number;
    pending_compaction_bytes: number;
    wal_bytes: number;
    files: number[];
    compactions: number;
    flushes: number;
    stalled_us: number;
    write_stopped: boolean;
    write_rate_bytes: number;
  };
}

export interface Cluster {
  cluster_id: string;
  node: string;
  leader: string;
  term: Whole;
  stale: boolean;
  applied_index: Whole;
  missing: string[];
  dispatch_paused: boolean;
  nodes: ClusterNode[];
  leader_changes: { at: string; term: Whole; leader: string }[];
}

export interface Patient {
  id: string;
  name: string;
  role: string;
  finished: boolean;
  done: number;
  total: number;
  healthy: boolean;
  state_hash: string;
  records: number;
  checked: number;
  findings: { problem: string; advice: string }[];
  problems: string[];
}

export interface Examination {
  index: Whole;
  finished: boolean;
  healthy: boolean;
  nodes: Patient[];
}
