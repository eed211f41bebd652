package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/config"
	"github.com/haiku-queue/haiku/internal/buildinfo"
	"github.com/haiku-queue/haiku/internal/otlp"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/metrics"
	"github.com/haiku-queue/haiku/transport"
	"github.com/haiku-queue/haiku/web"
)

// historyName is the file in the data directory with the samples for charts.
const historyName = "history"

// handoverTimeout bounds the search for a new leader when this one goes down.
const handoverTimeout = 5 * time.Second

// adoption ends a life: the operator wants this node to join another cluster.
type adoption struct{ member.Adoption }

func (a *adoption) Error() string { return "joins the cluster at " + strings.Join(a.Addresses, ", ") }

// daemon is one life of the node, from the directory to the port.
type daemon struct {
	cfg        config.Config
	log        *slog.Logger
	dir        *cluster.Dir
	server     *transport.Server
	web        *web.Server    // nil if it serves no HTTP
	client     *client.Client // to other nodes, before this one knows that it is a member
	node       *cluster.Node
	meter      *metrics.Metrics     // of the process
	record     *metrics.Recording   // of the node; nil until it is open
	spans      *otlp.Exporter       // nil unless traces are configured
	adopt      chan member.Adoption // what the operator wants this node to join
	token      string               // of the cluster to join, if it was given
	firstToken string               // of the first admin, if it was given
	removed    chan error           // that others removed this node
	failed     bool                 // the storage did: nothing can be closed in an orderly way
}

// live runs the node until ctx ends (nil), it has left its cluster (nil), its storage fails, it has to be opened again
// (cluster.ErrRestart), it finds that it was removed (errRemoved), or it is to join another cluster (*adoption).
func live(ctx context.Context, cfg config.Config, log *slog.Logger, written *profiles, meter *metrics.Metrics) (err error) {
	d := &daemon{cfg: cfg, log: log, meter: meter, adopt: make(chan member.Adoption, 1), removed: make(chan error, 1)}
	defer func() {
		err = errors.Join(err, d.close())
		written.count(d.node)
	}()
	if err := d.open(ctx); err != nil {
		return err
	}
	announcing, cancel := context.WithCancel(ctx)
	var announcer sync.WaitGroup
	announcer.Go(func() { d.announce(announcing) })
	announcer.Go(func() { d.reportDisk(announcing) })
	defer announcer.Wait()
	defer cancel()
	select {
	case <-ctx.Done():
		log.Info("going down")
		return nil
	case err := <-d.node.Done():
		switch {
		case err == nil:
			log.Info("left the cluster, going down")
			return nil
		case errors.Is(err, cluster.ErrRestart):
			return err
		}
		d.failed = true
		return fmt.Errorf("storage failed: %w", err)
	case err := <-d.removed:
		return err
	case wish := <-d.adopt:
		return &adoption{wish}
	}
}

// open takes the directory, the port and the node, in this order, and serves. What it took is closed by close.
func (d *daemon) open(ctx context.Context) (err error) {
	gone, err := d.readTokens()
	if err != nil {
		return err
	}
	if d.dir, err = cluster.OpenDir(d.cfg.DataDir); err != nil {
		return err
	}
	if err := d.allowGone(gone); err != nil {
		return err
	}
	if err = d.openTraces(); err != nil {
		return err
	}
	if d.server, err = transport.Listen(d.transportConfig()); err != nil {
		return err
	}
	if err := d.listenHTTP(); err != nil {
		return err
	}
	if d.client, err = d.newClient(d.peers()...); err != nil {
		return err
	}
	if err := d.belong(ctx); err != nil {
		return err
	}
	if d.node, err = cluster.Open(d.clusterConfig()); err != nil {
		return err
	}
	d.record = d.meter.Record(d.node, filepath.Join(d.cfg.DataDir, historyName), d.log)
	d.warnInsecure("listen", d.cfg.Listen, d.cfg.Exposed())
	d.server.Serve(transport.Identity{
		NodeID: d.node.ID(), ClusterID: d.node.ClusterID(), NodeName: d.name(), Version: buildinfo.Version(),
		HeartbeatInterval: d.node.MinLease() / 3, MinLease: d.node.MinLease(), Advertise: d.cfg.AdvertiseAddress(),
	}, d.node, &admin{Node: d.node, daemon: d})
	d.log.Info("serving", "version", buildinfo.Version(), "listen", d.cfg.Listen, "advertise", d.cfg.AdvertiseAddress(),
		"node", d.node.ID(), "name", d.name(), "cluster", d.node.ClusterID(), "data", d.cfg.DataDir,
		"memory", d.cfg.Memory())
	return d.serveHTTP()
}

// close hands leadership on, lets clients finish, and lets go of everything in reverse order. After a storage error the
// end of the process does that: what hangs in the storage would hang this, too.
func (d *daemon) close() error {
	if d.failed {
		return nil
	}
	var problems []error
	if d.node != nil {
		d.handOver()
		if d.web != nil {
			d.web.Drain() // before the node's own clients, of which it is one
		}
		d.server.Drain()
		if err := d.record.Close(); err != nil {
			d.log.Warn("the history for charts is not kept", "error", err)
		}
		problems = append(problems, d.node.Close())
	}
	if d.web != nil {
		problems = append(problems, d.web.Close())
	}
	if d.client != nil {
		d.client.Close()
	}
	if d.server != nil {
		problems = append(problems, d.server.Close())
	}
	if d.spans != nil {
		d.spans.Close()
	}
	if d.dir != nil {
		problems = append(problems, d.dir.Close())
	}
	return errors.Join(problems...)
}

// handOver gives leadership to another node, so that clients that are sent away find a leader.
func (d *daemon) handOver() {
	ctx, cancel := context.WithTimeout(context.Background(), handoverTimeout)
	defer cancel()
	status, err := d.node.Status(ctx)
	if _, leads := d.node.Leader(); err != nil || !leads || len(status.Members) == 1 {
		return
	}
	if _, err := d.node.Transfer(ctx, member.ID{}); err != nil {
		d.log.Warn("leadership not handed on", "error", err)
	}
}

// name is what people see: the configured one, or the host's.
func (d *daemon) name() string {
	if d.cfg.NodeName != "" {
		return d.cfg.NodeName
	}
	if host, err := os.Hostname(); err == nil {
		return host
	}
	return d.cfg.AdvertiseAddress()
}

// peers are the addresses of others known from the settings; this node's own if there are none.
func (d *daemon) peers() []string {
	if len(d.cfg.Join) > 0 {
		return d.cfg.Join
	}
	return []string{d.cfg.AdvertiseAddress()}
}
