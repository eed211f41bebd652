package bench

import (
	"errors"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/internal/localnodes"
	"github.com/haiku-queue/haiku/task"
)

// The kinds of work.
const (
	Lifecycle = "lifecycle" // producers and workers at the same time
	Submit    = "submit"    // producers alone
	Work      = "work"      // workers alone, until the queue is empty
	Latency   = "latency"   // as lifecycle, at a rate
)

const (
	perConnection = 16  // producers or workers that share a connection, unless told otherwise
	maxClients    = 1e5 // producers or workers
	maxTasks      = 1e8
)

// Config is one benchmark.
type Config struct {
	Addrs []string          // of the cluster
	Token string            // if the cluster asks for one
	Local *localnodes.Nodes // the same cluster, if it was started for this; its use and states are looked at, too

	Queue       string
	Producers   int
	Workers     int
	Tasks       int           // of Work: enqueued first; 0 to drain what is there
	PayloadSize int           // bytes
	Batch       int           // tasks of one submit
	ClaimMax    int           // tasks of one claim
	Types       int           // the tasks go round so many types
	Warmup      int           // tasks before the measured part
	Connections int           // of the producers, and as many of the workers; 0 for one per 16 of them
	Rate        int           // tasks a second of all producers together; 0 for as many as they can
	ToLeader    bool          // the connections go on to the leader, instead of going round the addresses
	Limit       time.Duration // a part that takes longer fails

	OnProgress func(Progress) // called now and then; may be nil
}

// Progress is how far a part of the benchmark is.
type Progress struct {
	Part        string
	Done, Total int
	PerSecond   float64 // since the part began
}

// Validate names every problem.
func (c *Config) Validate() error {
	var problems []error
	within := func(flag string, value, least, most int) {
		if value < least || value > most {
			problems = append(problems, fmt.Errorf("--%s %d is not within %d and %d", flag, value, least, most))
		}
	}
	within("producers", c.Producers, 1, maxClients)
	within("workers", c.Workers, 1, maxClients)
	within("tasks", c.Tasks, 0, maxTasks)
	within("warmup", c.Warmup, 0, maxTasks)
	within("payload-size", c.PayloadSize, headerSize, task.MaxPayload)
	within("batch", c.Batch, 1, task.MaxItems)
	within("claim-max", c.ClaimMax, 1, task.MaxItems)
	within("types", c.Types, 1, task.MaxPairs)
	within("connections", c.Connections, 0, maxClients)
	within("rate", c.Rate, 0, 1e6)
	if c.Limit <= 0 {
		problems = append(problems, errors.New("--limit is not above 0"))
	}
	return errors.Join(append(problems, task.ValidateName("queue", c.Queue))...)
}

// types names the types of the measured tasks.
func (c *Config) types() []string {
	if c.Types == 1 {
		return []string{"bench"}
	}
	names := make([]string, c.Types)
	for i := range names {
		names[i] = fmt.Sprintf("bench-%d", i+1)
	}
	return names
}

// warmupType keeps the tasks of the warm-up apart.
const warmupType = "bench-warmup"
