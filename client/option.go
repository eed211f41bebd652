package client

import (
	"time"

	"github.com/haiku-queue/haiku/task"
)

// Option sets a field of the task that is submitted.
type Option func(*task.Spec)

// ID gives the task an id of the caller's, a UUID of version 7. Submitting the same id and content twice is one task.
func ID(id task.ID) Option { return func(s *task.Spec) { s.ID = id } }

// Queue names the task's queue; task.DefaultQueue by default.
func Queue(name string) Option { return func(s *task.Spec) { s.Queue = name } }

// Priority sets the task's priority, 0 to 255, higher is more urgent; task.DefaultPriority by default.
func Priority(p task.Priority) Option { return func(s *task.Spec) { s.Priority = &p } }

// Delay has the task wait from when the leader gets it.
func Delay(d time.Duration) Option { return func(s *task.Spec) { s.Delay = d } }

// At has the task wait until a moment.
func At(t time.Time) Option { return func(s *task.Spec) { s.ScheduledAt = t } }

// MaxRetries says how often the task is retried after a failure; task.DefaultRetries by default.
func MaxRetries(n uint32) Option { return func(s *task.Spec) { s.MaxRetries = &n } }

// MaxCrashes says how many workers may die of the task before it is a dead letter; task.DefaultCrashes by default.
func MaxCrashes(n uint32) Option { return func(s *task.Spec) { s.MaxCrashes = &n } }

// Timeout limits the run of one attempt, in whole seconds, rounded up.
func Timeout(d time.Duration) Option {
	return func(s *task.Spec) { s.TimeoutSeconds = uint64((max(d, 0) + time.Second - 1) / time.Second) }
}

// DependsOn has the task wait until others have completed. It may be given several times.
func DependsOn(ids ...task.ID) Option {
	return func(s *task.Spec) { s.Dependencies = append(s.Dependencies, ids...) }
}

// OnDependencyFailure says what becomes of the task when one that it depends on ends without success.
func OnDependencyFailure(p task.DependencyPolicy) Option {
	return func(s *task.Spec) { s.OnDependencyFailure = p }
}

// Header adds a name and value that travel with the task.
func Header(name, value string) Option {
	return func(s *task.Spec) { s.Headers = append(s.Headers, task.Header{Name: name, Value: value}) }
}

// UniqueKey sets the task's unique key.
func UniqueKey(key string) Option { return func(s *task.Spec) { s.UniqueKey = key } }

// ExpiresAt is the moment by which the task has to have been started.
func ExpiresAt(t time.Time) Option { return func(s *task.Spec) { s.ExpiresAt = t } }

// Retention says how long the task is kept after its end.
func Retention(d time.Duration) Option { return func(s *task.Spec) { s.Retention = d } }

// Backoff says how long the task waits before a retry.
func Backoff(b task.Backoff) Option { return func(s *task.Spec) { s.Backoff = b } }

// ReadOption changes a read.
type ReadOption func(*readOptions)

type readOptions struct{ payload, stale bool }

// WithPayload asks for payload and result, too.
func WithPayload() ReadOption { return func(o *readOptions) { o.payload = true } }

// Stale lets the node that gets the request answer from its own state, however old. It works without a leader.
func Stale() ReadOption { return func(o *readOptions) { o.stale = true } }

func readOptionsOf(opts []ReadOption) (o readOptions) {
	for _, set := range opts {
		set(&o)
	}
	return o
}
