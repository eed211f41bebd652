package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/store"
	"github.com/haiku-queue/haiku/task"
)

// Recovery says what Recover is to do.
type Recovery struct {
	Path   string // the data directory
	DryRun bool   // change nothing
	Node   Config // as for Open; Dir, Raft, Advertise and Name come from the directory
	// Progress is told how far "verify" (keys) or "requeue" (tasks) is; total is an estimate. nil for nobody.
	Progress func(step string, done, total uint64)
}

// Recovered is what Recover found and did.
type Recovered struct {
	NodeID    member.ID
	ClusterID member.ID
	Members   int    // of the cluster, this node included
	Solo      bool   // this node is all of its cluster, so that its running tasks may be put back
	Running   uint64 // tasks in progress that were found
	Moved     uint64 // of them, back to pending
	Found     task.Verification
}

// Recover repairs a stopped node. It verifies the database, which concerns this node alone. If the node is all of its
// cluster and nothing is damaged it then opens it, without a port, until the log is applied, and puts the running tasks
// back to wait. In a larger cluster that would be for all of its nodes to decide, and needs no recovery: a leader arms
// the leases and ends those of workers that are gone.
func Recover(ctx context.Context, r Recovery) (out Recovered, err error) {
	if _, err := os.Stat(filepath.Join(r.Path, identityName)); errors.Is(err, fs.ErrNotExist) {
		return out, fmt.Errorf("%w: %s holds no node: there is no %s", task.ErrNotFound, r.Path, identityName)
	}
	dir, err := OpenDir(r.Path)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	out.NodeID, out.ClusterID = dir.NodeID(), dir.ClusterID()
	switch {
	case dir.Left():
		return out, fmt.Errorf("%w: there is nothing to recover", ErrLeft)
	case !dir.Started():
		return out, fmt.Errorf("%w: the node of %s was never started", task.ErrNotFound, r.Path)
	}
	if r.Node.LogStore, err = existingLog(dir.Group()); err != nil {
		return out, err
	}
	r.Node.Dir = dir
	if err := r.verify(ctx, &out); err != nil || !out.Solo || r.DryRun || out.Found.Damaged > 0 {
		return out, err
	}
	return out, r.requeue(ctx, &out)
}

// verify compares and repairs the database as it is, before anything of the log is applied to it: a wrong counter could
// keep the log from being applied.
func (r *Recovery) verify(ctx context.Context, out *Recovered) (err error) {
	cfg := r.Node.Store
	cfg.Create, cfg.Repair, cfg.ReadOnly = false, true, r.DryRun
	if cfg.Dir, err = r.Node.Dir.findStore(r.Node.DBPath); err != nil {
		return err
	}
	st, err := store.Open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	configuration, err := r.configuration(st.Applied())
	if err != nil {
		return err
	}
	self, known := findServer(configuration, out.NodeID)
	out.Members = len(configuration.Servers)
	out.Solo = known && out.Members == 1
	r.Node.Advertise = string(self.Address)
	start := time.Now()
	o := store.VerifyOptions{DryRun: r.DryRun, Progress: func(done, total uint64) { r.tell("verify", done, total) }}
	if out.Found, err = st.Verify(ctx, o); err != nil {
		return err
	}
	out.Found.Elapsed = time.Since(start)
	if out.Found.Damaged > 0 {
		return nil
	}
	if err := st.EachInProgress(func(*task.Task) error { out.Running++; return ctx.Err() }); err != nil {
		return err
	}
	members, err := fsm.Members(st)
	for i := range members {
		if members[i].ID == out.NodeID {
			r.Node.Name = members[i].Name
		}
	}
	return err
}

func (r *Recovery) tell(step string, done, total uint64) {
	if r.Progress != nil {
		r.Progress(step, done, total)
	}
}

// requeue runs the node until its running tasks wait again.
func (r *Recovery) requeue(ctx context.Context, out *Recovered) (err error) {
	r.Node.Raft = newDeaf(r.Node.Advertise)
	n, err := Open(r.Node)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	for {
		changed := n.LeaderChanged()
		if _, self := n.Leader(); self {
			break
		}
		select {
		case <-changed:
		case err := <-n.Done():
			return fmt.Errorf("open the node: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("wait until the log is applied: %w", ctx.Err())
		}
	}
	out.Running = n.store.Stats().Total.InProgress
	out.Moved, err = n.Requeue(ctx, func(done uint64) { r.tell("requeue", done, max(done, out.Running)) })
	return err
}

// configuration is the newest of Raft's that the node knows of: the database's, or one in the log behind it.
func (r *Recovery) configuration(applied store.Applied) (c raft.Configuration, err error) {
	group := r.Node.Dir.Group()
	defer func() {
		if p := recover(); p != nil { // so Raft answers bytes that make no sense
			err = fmt.Errorf("%w: %s: %v", ErrDirDamaged, group, p)
		}
	}()
	if len(applied.Configuration) > 0 {
		c = raft.DecodeConfiguration(applied.Configuration)
	}
	log, extent, err := openLogFiles(group, r.Node.LogStore, r.Node.Logger)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	if extent.last() == 0 {
		return c, nil
	}
	for i := max(extent.oldest(), applied.Index+1); i <= extent.last(); i++ {
		var l raft.Log
		if err := log.GetLog(i, &l); err != nil {
			return c, fmt.Errorf("read raft log: %w", err)
		}
		if l.Type == raft.LogConfiguration {
			c = raft.DecodeConfiguration(l.Data)
		}
	}
	return c, nil
}

// deaf is a listener to which nobody can connect.
type deaf struct {
	address advertised
	closed  chan struct{}
	once    sync.Once
}

func newDeaf(address string) *deaf {
	return &deaf{address: advertised(address), closed: make(chan struct{})}
}

func (d *deaf) Accept() (net.Conn, error) {
	<-d.closed
	return nil, net.ErrClosed
}

func (d *deaf) Addr() net.Addr { return d.address }

func (d *deaf) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}
