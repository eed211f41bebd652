package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

const (
	joinTimeout   = 8 * time.Second // for one of the join addresses to take a node in
	lookTimeout   = time.Second     // for a node that belongs to its cluster already
	joinPause     = 200 * time.Millisecond
	announcePause = time.Second
)

// belong makes sure that the directory belongs to the cluster that the settings name.
func (d *daemon) belong(ctx context.Context) error {
	own := d.dir.ClusterID()
	switch {
	case len(d.cfg.Join) == 0 && d.cfg.Bootstrap && !own.IsZero():
		d.log.Info("--bootstrap has no effect: the directory belongs to a cluster", "cluster", own)
		return nil
	case len(d.cfg.Join) == 0:
		return nil // cluster.Open founds one if the directory belongs to none
	case own.IsZero():
		return d.join(ctx)
	}
	return d.compare(ctx, own)
}

// join asks the cluster at the join addresses to take this node in, and keeps its id. Nodes that start together may have
// to wait for each other: it tries again until the join timeout.
func (d *daemon) join(ctx context.Context) error {
	end := time.Now().Add(joinTimeout)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	tick := time.NewTicker(joinPause)
	defer tick.Stop()
	var final error
	d.log.Info("asking to join a cluster", "at", d.cfg.Join, "for at most", joinTimeout)
	for {
		id, through, err := d.joinOnce(ctx)
		if err == nil {
			d.log.Info("joining a cluster", "cluster", id, "through", through)
			return d.dir.Assign(id)
		}
		if final == nil || time.Now().Before(end) { // a try that the time ends says nothing
			final = fmt.Errorf("join: no node at the join addresses takes this one in: %s", oneLine(err))
		}
		if refused(err) {
			return final
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return final
		}
	}
}

// refused reports whether a cluster answered that it does not want this node.
func refused(err error) bool {
	for _, answer := range []error{task.ErrHandshake, task.ErrConflict, task.ErrInvalid, task.ErrVersion,
		task.ErrUnauthenticated, task.ErrPermissionDenied} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return false
}

// joinOnce asks each of the join addresses.
func (d *daemon) joinOnce(ctx context.Context) (id member.ID, through string, err error) {
	self := member.Member{
		ID: d.dir.NodeID(), Name: d.name(), Address: d.cfg.AdvertiseAddress(), HTTPAddress: d.cfg.HTTPAdvertise(),
		MaxCommandVersion: fsm.MaxCommandVersion,
	}
	var problems []error
	for _, address := range d.cfg.Join {
		id, _, err := d.client.Join(ctx, address, member.Join{Member: self})
		if err == nil {
			return id, address, nil
		}
		problems = append(problems, fmt.Errorf("%s: %w", address, err))
	}
	return member.ID{}, "", errors.Join(problems...)
}

// compare holds the directory's cluster against that at the join addresses, if one of them answers: when all nodes
// start at once none does, and the directory knows enough.
func (d *daemon) compare(ctx context.Context, own member.ID) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	for _, address := range d.cfg.Join {
		status, err := d.client.StatusOf(ctx, address)
		if err != nil {
			continue
		}
		if status.ClusterID != own {
			return fmt.Errorf("%w: %s is of cluster %s, the one at %s is %s",
				cluster.ErrOtherCluster, d.cfg.DataDir, own, address, status.ClusterID)
		}
		break
	}
	d.log.Info("--join has no effect: the directory belongs to a cluster", "cluster", own)
	return nil
}

// announce tells the leader of this node until the leader says that it is a voter. A leader tells of itself. If none
// becomes known, announce goes to look for one.
func (d *daemon) announce(ctx context.Context) {
	look := search{daemon: d}
	tick := time.NewTicker(announcePause)
	defer tick.Stop()
	for {
		address, self := d.node.Leader()
		if self {
			return
		}
		if address == "" {
			var err error
			if address, err = look.again(ctx); err != nil {
				d.removed <- err
				return
			}
		}
		if address != "" {
			voter, err := d.announceTo(ctx, address)
			if voter {
				d.log.Info("the leader knows this node as a voter", "leader", address)
				return
			}
			if err != nil {
				d.log.Warn("not announced", "leader", address, "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (d *daemon) announceTo(ctx context.Context, leader string) (voter bool, err error) {
	return d.tell(ctx, leader, d.node.Announcement())
}

// tell sends the leader what this node says of itself.
func (d *daemon) tell(ctx context.Context, leader string, j member.Join) (voter bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	c, err := d.newClient(leader)
	if err != nil {
		return false, err
	}
	defer c.Close()
	_, voter, err = c.Join(ctx, leader, j)
	return voter, err
}

// reportDisk tells the leader while this node's disk is nearly full. A leader knows it of itself.
func (d *daemon) reportDisk(ctx context.Context) {
	tick := time.NewTicker(cluster.DiskReportEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		report, full := d.node.DiskReport()
		address, self := d.node.Leader()
		if !full || self || address == "" {
			continue
		}
		if _, err := d.tell(ctx, address, report); err != nil {
			d.log.Warn("the leader was not told that the disk is nearly full", "leader", address, "error", err)
		}
	}
}

// admin is the node's administration, with a look at the other cluster before this one is given up for it.
type admin struct {
	*cluster.Node
	daemon *daemon
}

// Adopt refuses to give up a cluster for one that does not answer, or does not take this node in.
func (a *admin) Adopt(ctx context.Context, wish member.Adoption) error {
	if err := a.CheckAdopt(wish.Addresses); err != nil {
		return err
	}
	looking, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	var problems []error
	for _, address := range wish.Addresses {
		id, err := a.daemon.mayJoin(looking, address, wish.Token)
		switch {
		case errors.Is(err, task.ErrUnauthenticated), errors.Is(err, task.ErrPermissionDenied):
			return fmt.Errorf("%w: the cluster at %s takes a node in for an admin of it only; send the token of one along "+
				"(haiku cluster join --join-token-file): %s", task.ErrPermissionDenied, address, oneLine(err))
		case err != nil:
			problems = append(problems, fmt.Errorf("%s: %w", address, err))
		case id == a.ClusterID():
			return fmt.Errorf("%w: this node belongs to the cluster at %s already", task.ErrConflict, address)
		default:
			return a.Node.Adopt(ctx, wish)
		}
	}
	return fmt.Errorf("%w: no node at the join addresses answers: %s", task.ErrNoLeader, oneLine(errors.Join(problems...)))
}

// mayJoin returns the cluster of the node at an address if the holder of a token, that of the settings if it is empty, may
// have a node join it: who may list tokens may.
func (d *daemon) mayJoin(ctx context.Context, address, token string) (id member.ID, err error) {
	c, err := client.New(client.Config{Addrs: []string{address}, Name: "haikud " + d.name(), Token: cmp.Or(token, d.token, d.firstToken)})
	if err != nil {
		return id, err
	}
	defer c.Close()
	status, err := c.StatusOf(ctx, address)
	if err != nil {
		return id, err
	}
	_, err = c.Tokens(ctx, true)
	return status.ClusterID, err
}

// oneLine is the error's text without line breaks.
func oneLine(err error) string {
	if err == nil {
		return ""
	}
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// onAdopt takes the operator's wish; a second one before the first is carried out is the same wish.
func (d *daemon) onAdopt(wish member.Adoption) {
	select {
	case d.adopt <- wish:
	default:
	}
}
