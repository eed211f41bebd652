package web

import (
	"context"
	"io/fs"
	"log/slog"
	"time"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// Config says where and what to serve.
type Config struct {
	Addr     string   // HOST:PORT to listen on
	BasePath string   // path below which everything is served, without a slash at its end; empty for none
	Origins  []string // that may call the API from their pages; none by default
	Node     string   // HOST:PORT of this node's own client port
	Logger   *slog.Logger
	Limits   Limits
	// DedupWindow is for how long a task's id is known after it was made: what an Idempotency-Key relies on.
	DedupWindow time.Duration
}

// Limits bound what clients can take. Zero fields take DefaultLimits.
type Limits struct {
	Connections   int           // at once
	Requests      int           // in work at once, but for event streams and what waits for tasks
	Bodies        int64         // bytes of the bodies of all requests in work; room for one of the largest at least
	HeaderTimeout time.Duration // from the connection, or the request before, to the end of the headers
	BodyTimeout   time.Duration // for the whole body to arrive
	WriteTimeout  time.Duration // for a client to take the next part of an answer
	IdleTimeout   time.Duration // between two requests of a connection
	DrainTimeout  time.Duration // for requests in work when the node goes down
}

// DefaultLimits are the limits of a node without settings.
func DefaultLimits() Limits {
	return Limits{
		Connections: 1000, Requests: 256, Bodies: 128 << 20, HeaderTimeout: 10 * time.Second, BodyTimeout: time.Minute,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, DrainTimeout: 5 * time.Second,
	}
}

// The bounds that are not settings.
const (
	maxHeaderBytes = 64 << 10
	maxBody        = 1 << 20  // of a request that carries no payload
	maxLargeBody   = 16 << 20 // of one that does: a payload of 10 MiB in base64 and what goes with it
	maxClients     = 256      // tokens in use at once
	maxSessions    = 4096
	maxStreams     = 512
	requestTimeout = 20 * time.Second // of what waits for nothing
	readTimeout    = 2 * time.Second  // for a leader to answer a read, before this node answers it from its own state
	leaderTimeout  = 2 * time.Second  // without a known leader, after which nothing waits for one any more
	retryFor       = 10 * time.Second
	catchUpTimeout = 5 * time.Second // for this node to reach min_index
)

// Inspector tells what this node knows of itself. *cluster.Node fits.
type Inspector interface {
	// Leader returns the leader's advertised HOST:PORT, "" if unknown, and whether that is this node.
	Leader() (address string, self bool)
	// LeaderChanged returns a channel that is closed when what Leader returns changes next.
	LeaderChanged() <-chan struct{}
	// Status is this node's view of the cluster.
	Status(ctx context.Context) (member.Status, error)
	// AppliedIndex is how far this node's state is.
	AppliedIndex() uint64
	// AwaitApplied waits until this node's state is at least so far.
	AwaitApplied(ctx context.Context, index uint64) error
}

// Meter tells what a node counts and times.
type Meter interface {
	// Expose gives all metrics in the form that an Accept header asks for.
	Expose(accept string) (contentType string, body []byte, err error)
	// History gives the samples of the last span, an hour or a day: their distance, the time of the first, and the series
	// by their names, all of one length; NaN where there is no sample.
	History(span time.Duration) (step time.Duration, from time.Time, series map[string][]float64)
	// Rates are events a second over the last seconds: submitted, claimed, completed, failed, dead.
	Rates() map[string]float64
	// Latencies of the last minute in microseconds, by the names of the overview: submit_p50_us and so on.
	Latencies() map[string]float64
}

// Sources are what Serve serves from. Meter, Journal and Pages may be nil.
type Sources struct {
	Inspector Inspector
	Meter     Meter
	Journal   Journal
	Pages     fs.FS // files of the dashboard, index.html among them
	Version   string
}

// Journal remembers the last changes of tasks while somebody listens. *cluster.Node fits.
type Journal interface {
	// Changes returns those after a position, at most limit, and the position after them. An empty position is now; known
	// is false if the journal does not reach back to it. more is closed when there are further ones.
	Changes(after string, limit int) (list []task.JournalEntry, next string, known bool, more <-chan struct{})
	// Listen says that somebody wants changes, until stop is called.
	Listen() (stop func())
}

// Change is what became of a task.
type Change struct {
	ID     task.ID   `json:"id" format:"uuid"`
	Queue  string    `json:"queue"`
	Type   string    `json:"type"`
	Status string    `json:"status" doc:"Of the task from then on, or deleted"`
	At     time.Time `json:"at"`
}

func changeOf(e *task.JournalEntry) Change {
	c := Change{ID: e.ID, Queue: e.Queue, Type: e.Type, Status: "deleted", At: e.At}
	if e.To != 0 {
		c.Status = e.To.String()
	}
	return c
}
