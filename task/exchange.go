package task

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ClaimRequest asks for tasks to run.
type ClaimRequest struct {
	Session  SessionID
	WorkerID string        // as shown to people
	Queues   []string      // DefaultQueue if empty
	Types    []string      // all types of those queues if empty
	Max      int           // 1 to MaxItems
	Wait     time.Duration // how long to wait for a first task; 0 answers at once
	Lease    time.Duration // DefaultLease if 0
}

// Validate checks the request and fills in its defaults. The error wraps ErrInvalid.
func (c *ClaimRequest) Validate() error {
	if len(c.Queues) == 0 {
		c.Queues = []string{DefaultQueue}
	}
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	switch {
	case c.Session.IsZero():
		return fmt.Errorf("%w: a claim needs a session id in the Hello", ErrInvalid)
	case c.Max < 1 || c.Max > MaxItems:
		return fmt.Errorf("%w: max %d is not within 1 and %d", ErrInvalid, c.Max, MaxItems)
	case len(c.Queues)*max(1, len(c.Types)) > MaxPairs:
		return fmt.Errorf("%w: %d queues times %d types are more than %d pairs", ErrInvalid, len(c.Queues), len(c.Types),
			MaxPairs)
	case c.Wait < 0 || c.Wait > MaxWait:
		return fmt.Errorf("%w: wait %s is not within 0 and %s", ErrInvalid, c.Wait, MaxWait)
	case c.Lease < 0 || c.Lease > MaxLease:
		return fmt.Errorf("%w: lease %s is above %s", ErrInvalid, c.Lease, MaxLease)
	}
	if err := ValidateName("worker_id", c.WorkerID); err != nil {
		return err
	}
	for _, q := range c.Queues {
		if err := ValidateName("queue", q); err != nil {
			return err
		}
	}
	for _, t := range c.Types {
		if err := ValidateName("type", t); err != nil {
			return err
		}
	}
	return nil
}

// Receipt is the broker's answer to one item of a request. Err is nil when it took effect, now or (Duplicate) earlier.
type Receipt struct {
	ID        ID
	Duplicate bool
	Existing  bool // ID is that of another task, which holds the unique key that was sent
	Err       error
}

// LeaseRef is one lease that a session says it holds.
type LeaseRef struct {
	ID       ID
	LeaseID  uint64
	Progress Progress
}

// Heartbeat renews leases: Leases lists all that the session holds.
type Heartbeat struct {
	Session SessionID
	Leases  []LeaseRef
}

// HeartbeatReply says what became of the listed leases. Those in neither list are renewed by their whole duration.
type HeartbeatReply struct {
	Lost      []ID // no longer held: stop the handler, its result will not count
	Cancelled []ID // still held, but someone asked to cancel the task
	Drain     bool // the worker should claim nothing more and end
}

// Query asks for tasks by id.
type Query struct {
	IDs         []ID
	WithPayload bool          // payload and result too
	Stale       bool          // answer from this node's state, however old
	Wait        time.Duration // with one id: until its status is terminal, at most this long
}

// Filter selects tasks for a list, and says in which order. Zero fields select all.
type Filter struct {
	Queue         string
	Type          string
	Status        Status // 0 for all that Order covers
	MinPriority   Priority
	MaxPriority   *Priority     // inclusive; 255 if nil
	ScheduledFrom time.Time     // ScheduledAt is not before it
	ScheduledTo   time.Time     // ScheduledAt is before it
	UpdatedBefore time.Time     // has not changed since
	Idle          time.Duration // the same as a time before the request, by the leader's clock
	ErrorContains string        // in the text of Task.Error
	DependsOn     ID            // among Task.Dependencies, if it is not zero; with OrderByID and OrderByNewest
	Order         Order
	Limit         int    // 1 to MaxItems; DefaultListLimit if 0
	Cursor        []byte // Page.Next of the page before, which had the same Order
	WithPayload   bool
	Stale         bool
	// QueuePrefixes: only of queues whose names begin with one of them, if there are any. It is not on the wire: the
	// broker says it for clients that may see no others.
	QueuePrefixes []string
}

// HasQueue reports whether tasks of a queue are selected.
func (f *Filter) HasQueue(queue string) bool {
	return (f.Queue == "" || f.Queue == queue) && (len(f.QueuePrefixes) == 0 ||
		slices.ContainsFunc(f.QueuePrefixes, func(prefix string) bool { return strings.HasPrefix(queue, prefix) }))
}

// Page is one part of a list. Next is nil on the last one. AppliedIndex is the state the page was read from.
type Page struct {
	Tasks        []*Task
	Next         []byte
	AppliedIndex uint64
}

// QueueCounts are the tasks of one (queue, type) pair. Pending is the sum of Ready, Scheduled and Blocked.
type QueueCounts struct {
	Queue      string `json:"queue"`
	Type       string `json:"type"`
	Pending    uint64 `json:"pending"`
	Ready      uint64 `json:"ready"`
	Scheduled  uint64 `json:"scheduled"`
	Blocked    uint64 `json:"blocked"`
	InProgress uint64 `json:"in_progress"`
	Completed  uint64 `json:"completed"`
	Failed     uint64 `json:"failed"`
	DeadLetter uint64 `json:"dead_letter"`
	Cancelled  uint64 `json:"cancelled"`
}

// Add adds o's counts to c; Queue and Type stay.
func (c *QueueCounts) Add(o *QueueCounts) {
	c.Pending += o.Pending
	c.Ready += o.Ready
	c.Scheduled += o.Scheduled
	c.Blocked += o.Blocked
	c.InProgress += o.InProgress
	c.Completed += o.Completed
	c.Failed += o.Failed
	c.DeadLetter += o.DeadLetter
	c.Cancelled += o.Cancelled
}

// StatsQuery asks for kept counts: of everything, of one queue, of one type, or of one pair.
type StatsQuery struct {
	Queue string // empty for all
	Type  string // empty for all
	Stale bool
}

// Stats are the kept counts of the pairs that a StatsQuery selects.
type Stats struct {
	Total        QueueCounts   `json:"total"` // of all of them together; Queue and Type as in the query
	Queues       []QueueCounts `json:"queues"`
	AppliedIndex uint64        `json:"applied_index"`
	// DispatchPaused: claims get nothing, whatever is ready.
	DispatchPaused bool `json:"dispatch_paused"`
}
