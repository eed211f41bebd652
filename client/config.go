package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/haiku-queue/haiku/task"
)

// ErrClosed is what requests get that were under way when the Client was closed, or came later.
var ErrClosed = errors.New("client closed")

// Config says whom to connect to and how. Zero fields take the defaults named.
type Config struct {
	Addrs   []string       // HOST:PORT of some nodes, at least one; tried in this order
	Name    string         // shown to operators; at most task.MaxName bytes
	Token   string         // proof of who this is, haiku_ID_SECRET; needed if the cluster has tokens
	Session task.SessionID // of a worker; a fresh one by default
	TLS     *tls.Config    // nil for plain TCP

	// Stay keeps the connection at the address that answered, although another node leads; that node then passes every
	// request on. By default the client goes on to the leader.
	Stay bool
	// OnPush is told what Push lists, in order. It must not block.
	OnPush func(Push)
	Logger *slog.Logger // slog.Default() by default
	// TracerProvider makes the spans of submits; otel.GetTracerProvider() by default, asked each time. Without an SDK
	// there are none, and tasks keep the headers they have.
	TracerProvider trace.TracerProvider

	DialTimeout time.Duration // for connection and handshake with one address; 5 s by default
	RetryFor    time.Duration // how long a request is repeated; 30 s by default, negative for not at all
	ProbeAfter  time.Duration // silence of the node after which it is probed, and twice which ends the connection; 5 s
}

// Push is what happens without being asked for: what the node sends on its own, and the end of the connection.
type Push struct {
	Cancelled []task.ID // running tasks of the session that someone asked to cancel
	Drain     bool      // the node goes down; the next request goes to another one
	End       bool      // the session's worker is asked to claim nothing more and to end
	Ended     bool      // the connection that requests went to has ended; the next request makes a new one
}

const (
	defaultDialTimeout = 5 * time.Second
	defaultRetryFor    = 30 * time.Second
	defaultProbeAfter  = 5 * time.Second
)

// normal checks the configuration and fills in the defaults.
func (cfg Config) normal() (Config, error) {
	if len(cfg.Addrs) == 0 {
		return cfg, fmt.Errorf("%w: no address to connect to", task.ErrInvalid)
	}
	for _, a := range cfg.Addrs {
		if err := checkAddress(a); err != nil {
			return cfg, err
		}
	}
	if cfg.Name != "" {
		if err := task.ValidateName("client name", cfg.Name); err != nil {
			return cfg, err
		}
	}
	if len(cfg.Token) > task.MaxToken {
		return cfg, fmt.Errorf("%w: token has %d bytes, at most %d are allowed", task.ErrTooLarge, len(cfg.Token),
			task.MaxToken)
	}
	if cfg.Session.IsZero() {
		cfg.Session = task.NewSessionID()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.RetryFor == 0 {
		cfg.RetryFor = defaultRetryFor
	}
	if cfg.DialTimeout <= 0 {
		cfg.DialTimeout = defaultDialTimeout
	}
	if cfg.ProbeAfter <= 0 {
		cfg.ProbeAfter = defaultProbeAfter
	}
	return cfg, nil
}

func checkAddress(address string) error {
	if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
		return fmt.Errorf("%w: address %q is not HOST:PORT", task.ErrInvalid, address)
	}
	return nil
}
