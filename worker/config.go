package worker

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/haiku-queue/haiku/task"
)

// Config says how a worker works. Zero fields take the defaults named.
type Config struct {
	Name        string        // shown to people, such as HOST/PID, which is the default
	Queues      []string      // claimed from; task.DefaultQueue by default
	Concurrency int           // handlers at once, 1 to task.MaxItems; 10 by default
	Lease       time.Duration // of each task, renewed while it runs; task.DefaultLease, or more if the cluster asks for it
	Wait        time.Duration // how long one claim waits for a task, at most task.MaxWait; 30 s by default

	// ShutdownTimeout is how long Run waits for running handlers once its context has ended; 30 s by default, negative for
	// not at all. Their contexts then end.
	ShutdownTimeout time.Duration
	// StopGrace is how long Run waits, after that, for them to return, and then for the last reports to be acknowledged;
	// 10 s by default. Handlers that still run are left behind, their tasks returned.
	StopGrace time.Duration

	Logger *slog.Logger // slog.Default() by default
	// TracerProvider makes a span for each attempt; otel.GetTracerProvider() by default, asked each time. Without an SDK
	// there are none.
	TracerProvider trace.TracerProvider
}

const (
	defaultConcurrency = 10
	defaultWait        = 30 * time.Second
	defaultShutdown    = 30 * time.Second
	defaultStopGrace   = 10 * time.Second
)

// normal checks the configuration and fills in the defaults.
func (cfg Config) normal() (Config, error) {
	if cfg.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "worker"
		}
		pid := fmt.Sprintf("/%d", os.Getpid())
		cfg.Name = task.ClipText(host, task.MaxName-len(pid)) + pid
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = defaultConcurrency
	}
	if cfg.Wait == 0 {
		cfg.Wait = defaultWait
	}
	if cfg.ShutdownTimeout == 0 {
		cfg.ShutdownTimeout = defaultShutdown
	}
	if cfg.StopGrace == 0 {
		cfg.StopGrace = defaultStopGrace
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Concurrency < 1 || cfg.Concurrency > task.MaxItems {
		return cfg, fmt.Errorf("%w: concurrency %d is not within 1 and %d", task.ErrInvalid, cfg.Concurrency, task.MaxItems)
	}
	claim := task.ClaimRequest{
		Session: task.SessionID{1}, WorkerID: cfg.Name, Queues: cfg.Queues, Max: cfg.Concurrency, Wait: cfg.Wait,
		Lease: cfg.Lease,
	}
	return cfg, claim.Validate()
}
