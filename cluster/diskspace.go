package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

const (
	diskLook       = 200 * time.Millisecond // between two looks at the disks: much can be written in a second
	diskRetryAfter = time.Second            // told with task.ErrDiskFull
	diskMargin     = 8                      // an eighth more than the limit has to be free to end the refusal
	stallRetry     = diskLook               // told with task.ErrBusy while the database stops writes

	// DiskReportEvery is how often a member says that its disk is nearly full; the leader believes it for three times
	// as long.
	DiskReportEvery = time.Second
)

// diskspace tells whether submits are to be refused: because a file system that this node writes to is nearly full,
// because a voter says so of its own, or because the database stops writes until it has caught up. Everything that lets
// tasks end is served as always.
type diskspace struct {
	dirs    []string
	below   uint64                                           // bytes; 0 for no limit
	free    func(dir string) (free, total uint64, err error) // statfs
	stopped func() bool                                      // the database stops writes
	log     *slog.Logger

	mu      sync.Mutex
	low     bool
	least   uint64 // bytes free when last looked, of the dir that has least
	total   uint64 // bytes of that one's file system
	stalled bool
	told    map[member.ID]time.Time // until when the word of another node counts
}

// watchDisks looks at the disks until the node ends.
func (n *Node) watchDisks(ctx context.Context) {
	tick := time.NewTicker(diskLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n.disks.look()
		}
	}
}

// look measures.
func (d *diskspace) look() {
	var least, total uint64
	for i, dir := range d.dirs {
		free, of, err := d.free(dir)
		if err != nil {
			d.log.Warn("free space is not known", "dir", dir, "error", err)
			return
		}
		if i == 0 || free < least {
			least, total = free, of
		}
	}
	stalled := d.stopped()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.least, d.total = least, total
	switch wasLow := d.low; {
	case !wasLow && least < d.below:
		d.low = true
		d.log.Warn("disk nearly full: submits are refused", "free", least, "limit", d.below)
	case wasLow && least >= d.below+d.below/diskMargin:
		d.low = false
		d.log.Info("disk has space again", "free", least)
	}
	if stalled && !d.stalled {
		d.log.Warn("the database stops writes until it has caught up: submits are refused")
	}
	d.stalled = stalled
}

// refusal says why no submit is taken now; nil if it is.
func (n *Node) refusal() error {
	d := n.disks
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.low:
		return &task.RetryLater{After: diskRetryAfter, Err: fmt.Errorf("%w: node %s has %d bytes free, the limit is %d",
			task.ErrDiskFull, n.cfg.Name, d.least, d.below)}
	case d.stalled:
		return &task.RetryLater{After: stallRetry, Err: fmt.Errorf("%w: the database has to catch up with writing", task.ErrBusy)}
	case len(d.told) == 0:
		return nil
	}
	configuration := n.configuration()
	for id, until := range d.told {
		server, known := findServer(configuration, id)
		if !known || server.Suffrage != raft.Voter || !time.Now().Before(until) {
			d.log.Info("no more word of a disk nearly full", "node", id)
			delete(d.told, id)
			continue
		}
		return &task.RetryLater{After: diskRetryAfter, Err: fmt.Errorf("%w: that of node %s, at %s", task.ErrDiskFull, id, server.Address)}
	}
	return nil
}

// DiskReport is what this node says to the leader every DiskReportEvery while its disk is nearly full; ok is false while
// it is not.
func (n *Node) DiskReport() (report member.Join, ok bool) {
	n.disks.mu.Lock()
	defer n.disks.mu.Unlock()
	report = n.Announcement()
	report.DiskFull = true
	return report, n.disks.low
}

// noteDisk takes a member's word that its disk is nearly full.
func (n *Node) noteDisk(j member.Join) (voter bool, err error) {
	server, known := findServer(n.configuration(), j.Member.ID)
	if !known {
		return false, fmt.Errorf("%w: node %s is not a member", task.ErrNotFound, j.Member.ID)
	}
	d := n.disks
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, again := d.told[j.Member.ID]; !again {
		d.log.Warn("the disk of another node is nearly full: submits are refused while it is a voter", "node", j.Member.ID)
	}
	d.told[j.Member.ID] = time.Now().Add(3 * DiskReportEvery)
	return server.Suffrage == raft.Voter, nil
}

// room is what a file system has left for this process, and how large it is.
func room(dir string) (free, total uint64, err error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	return fs.Bavail * uint64(fs.Bsize), fs.Blocks * uint64(fs.Bsize), nil
}
