package web

import (
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/haiku-queue/haiku/task"
)

// Task is a task in its own JSON form.
type Task struct{ *task.Task }

// Schema describes that form.
func (Task) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[TaskFields](), true, "Task")
}

// TaskFields are the names in the JSON of a task. It is only described by it; TestTaskFields holds the two together.
type TaskFields struct {
	ID             task.ID       `json:"id" format:"uuid"`
	Type           string        `json:"task_type"`
	Payload        []byte        `json:"payload,omitempty" doc:"Base64; only if asked for"`
	Priority       task.Priority `json:"priority" maximum:"255" doc:"Higher is more urgent"`
	CreatedAt      time.Time     `json:"created_at"`
	ScheduledAt    time.Time     `json:"scheduled_at"`
	Status         string        `json:"status" enum:"pending,in_progress,completed,failed,dead_letter,cancelled"`
	MaxRetries     uint32        `json:"max_retries"`
	RetryCount     uint32        `json:"retry_count"`
	TimeoutSeconds uint64        `json:"timeout_seconds"`
	WorkerID       *string       `json:"worker_id"`
	LeaseExpiresAt *string       `json:"lease_expires_at" format:"date-time"`
	Result         *string       `json:"result" doc:"Base64; only if asked for"`
	Error          *string       `json:"error"`
	Dependencies   []task.ID     `json:"dependencies"`
	UpdatedAt      time.Time     `json:"updated_at"`

	Queue               string         `json:"queue"`
	Phase               string         `json:"phase" doc:"The status, with ready, scheduled and blocked in place of pending"`
	PayloadSize         uint32         `json:"payload_size"`
	ResultSize          uint32         `json:"result_size,omitempty"`
	Attempt             uint32         `json:"attempt"`
	CrashCount          uint32         `json:"crash_count"`
	MaxCrashes          uint32         `json:"max_crashes"`
	LeaseID             uint64         `json:"lease_id,omitempty"`
	LeaseSeconds        float64        `json:"lease_seconds,omitempty"`
	Session             string         `json:"session,omitempty"`
	StartedAt           *time.Time     `json:"started_at,omitempty"`
	Reason              string         `json:"reason,omitempty"`
	WaitingFor          uint32         `json:"waiting_for,omitempty"`
	OnDependencyFailure string         `json:"on_dependency_failure,omitempty" enum:"cancel,ignore,block"`
	Headers             []task.Header  `json:"headers,omitempty"`
	UniqueKey           string         `json:"unique_key,omitempty"`
	UniqueScope         string         `json:"unique_scope,omitempty"`
	UniqueUntil         *time.Time     `json:"unique_until,omitempty"`
	UniqueHeld          bool           `json:"unique_held,omitempty"`
	ReplacedBy          *task.ID       `json:"replaced_by,omitempty"`
	ExpiresAt           *time.Time     `json:"expires_at,omitempty"`
	RetentionSeconds    float64        `json:"retention_seconds,omitempty"`
	DeleteAt            *time.Time     `json:"delete_at,omitempty"`
	Backoff             *Backoff       `json:"backoff,omitempty"`
	Progress            *task.Progress `json:"progress,omitempty"`
	History             []task.Attempt `json:"history,omitempty"`
	CancelRequested     bool           `json:"cancel_requested,omitempty"`
}

// Backoff says how long a task waits before a retry; what is 0 is as by default.
type Backoff struct {
	InitialSeconds float64 `json:"initial_seconds,omitempty" minimum:"0"`
	FactorPercent  uint32  `json:"factor_percent,omitempty" doc:"Growth a retry: 200 doubles"`
	MaxSeconds     float64 `json:"max_seconds,omitempty" minimum:"0"`
	JitterPercent  uint32  `json:"jitter_percent,omitempty" maximum:"100"`
}

// tasksOf wraps tasks for an answer.
func tasksOf(list []*task.Task) []Task {
	out := make([]Task, len(list))
	for i, t := range list {
		out[i] = Task{t}
	}
	return out
}
