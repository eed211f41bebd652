package bench

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/localnodes"
	"github.com/haiku-queue/haiku/member"
)

// usage is what had been used at a moment.
type usage struct {
	own     time.Duration      // CPU of this process
	servers []localnodes.Usage // of the nodes that were started for this
	entries uint64             // of Raft's log, as applied by the leader
	leader  string             // its address
}

func (r *runner) usage(ctx context.Context) (usage, error) {
	var rusage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &rusage); err != nil {
		return usage{}, fmt.Errorf("own use: %w", err)
	}
	u := usage{own: time.Duration(rusage.Utime.Nano() + rusage.Stime.Nano())}
	if r.cfg.Local != nil {
		u.servers = r.cfg.Local.Usage()
	}
	status, err := leaderStatus(ctx, r.admin)
	u.entries, u.leader = status.AppliedIndex, status.LeaderAddress
	return u, err
}

// leaderStatus is the leader's view of the cluster.
func leaderStatus(ctx context.Context, c *client.Client) (member.Status, error) {
	status, err := c.Status(ctx)
	if err != nil || status.LeaderAddress == "" {
		return status, err
	}
	return c.StatusOf(ctx, status.LeaderAddress)
}

// charge puts the difference of two usages into the result.
func (r *runner) charge(before, after usage) {
	res := &r.result
	n := res.Tasks
	res.BenchCPUPerTask = perTask(float64((after.own - before.own).Microseconds()), n)
	res.Entries = after.entries - before.entries
	if res.Entries > 0 {
		res.TasksPerEntry = round(float64(n)/float64(res.Entries), 2)
	}
	var cpu, written float64
	for i, now := range after.servers {
		used := float64((now.CPU - before.servers[i].CPU).Microseconds())
		wrote := float64(now.Written - before.servers[i].Written)
		cpu, written = cpu+used, written+wrote
		res.Servers = append(res.Servers, Share{
			Name: now.Name, Leader: r.cfg.Local.Addresses()[i] == after.leader,
			CPUPerTask: perTask(used, n), WrittenPerTask: perTask(wrote, n), PeakMiB: round(float64(now.Peak)/(1<<20), 0),
		})
	}
	res.ServerCPUPerTask, res.WrittenPerTask = perTask(cpu, n), perTask(written, n)
}
