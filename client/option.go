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

// UniqueKey is Unique until the task has ended: a submit whose key another task holds gets that task.
func UniqueKey(key string) Option { return Unique(key, task.UniqueUntilDone) }

// Unique gives the task a key that at most one task of its queue and type holds, for as long as the scope says. The
// policy says what becomes of the submit if another task holds it; task.ConflictReturn by default. For a fixed time see
// UniqueFor.
func Unique(key string, scope task.UniqueScope, policy ...task.ConflictPolicy) Option {
	return func(s *task.Spec) {
		s.UniqueKey, s.UniqueScope, s.UniqueTTL = key, scope, 0
		for _, p := range policy {
			s.OnConflict = p
		}
	}
}

// UniqueFor is Unique for a time from the submit, whatever becomes of the task.
func UniqueFor(key string, ttl time.Duration, policy ...task.ConflictPolicy) Option {
	unique := Unique(key, task.UniqueTTL, policy...)
	return func(s *task.Spec) {
		unique(s)
		s.UniqueTTL = ttl
	}
}

// ExpiresAt is the moment by which the task has to have been started; else it becomes a dead letter.
func ExpiresAt(t time.Time) Option { return func(s *task.Spec) { s.ExpiresAt = t } }

// ExpiresIn is ExpiresAt as a time from when the leader gets the task, so that clocks need not agree.
func ExpiresIn(d time.Duration) Option { return func(s *task.Spec) { s.ExpiresIn = d } }

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
