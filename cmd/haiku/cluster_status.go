package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/progress"
	"github.com/haiku-queue/haiku/member"
)

const nodePatience = 2 * time.Second // with a node that does not answer

// nodeForm is one node as scripts see it, as it tells itself if it can be reached.
type nodeForm struct {
	ID           member.ID     `json:"id"`
	Name         string        `json:"name"`
	Address      string        `json:"address"`
	Voter        bool          `json:"voter"`
	Reachable    bool          `json:"reachable"`
	Error        string        `json:"error,omitempty"` // why it cannot be reached
	State        string        `json:"state,omitempty"`
	Term         uint64        `json:"term,omitempty"`
	CommitIndex  uint64        `json:"commit_index,omitempty"`
	AppliedIndex uint64        `json:"applied_index,omitempty"`
	Lag          *uint64       `json:"lag,omitempty"` // missing while no leader tells it
	Version      string        `json:"version,omitempty"`
	NodeState    *member.State `json:"node_state,omitempty"`
}

// statusForm is the view of one node, and what every node says of itself.
type statusForm struct {
	member.Status
	Nodes []nodeForm `json:"nodes"`
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show how the node at --addr sees its cluster, and how every node is", Args: noArgs,
		Long: "Show how the node at --addr sees itself and its cluster, and how far every node is and how its disk and database are,\n" +
			"as it tells itself. A node that does not answer within 2 s is named with the reason. It needs no leader.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				status, err := c.Status(ctx)
				if err != nil {
					return err
				}
				form := statusForm{status, askNodes(ctx, c, &status)}
				return a.print(form, func(w io.Writer) {
					writeStatus(w, &status)
					row(w)
					writeNodes(w, form.Nodes)
				})
			})
		},
	}
}

// askNodes asks every other member for its status, all at once.
func askNodes(ctx context.Context, c *client.Client, own *member.Status) []nodeForm {
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	statuses, failed := make([]member.Status, len(own.Members)), make([]error, len(own.Members))
	var asked sync.WaitGroup
	for i, m := range own.Members {
		if m.ID == own.NodeID {
			statuses[i] = *own
			continue
		}
		asked.Go(func() { statuses[i], failed[i] = c.StatusOf(ctx, m.Address) })
	}
	asked.Wait()
	lags := member.Lags(statuses)
	nodes := make([]nodeForm, len(own.Members))
	for i, m := range own.Members {
		s := &statuses[i]
		n := nodeForm{ID: m.ID, Name: m.Name, Address: m.Address, Voter: m.Voter, Reachable: failed[i] == nil,
			State: s.State, Term: s.Term, CommitIndex: s.CommitIndex, AppliedIndex: s.AppliedIndex, Version: s.Version,
			NodeState: s.NodeState}
		if failed[i] != nil {
			n.Error = oneLine(failed[i])
		}
		if lag, ok := lags[m.ID]; ok {
			n.Lag = &lag
		}
		nodes[i] = n
	}
	return nodes
}

func writeNodes(w io.Writer, nodes []nodeForm) {
	row(w, "NODE", "STATE", "TERM", "COMMITTED", "APPLIED", "LAG", "LOG", "SNAPSHOT", "DISK", "DATA", "WRITES")
	for i := range nodes {
		n := &nodes[i]
		if !n.Reachable {
			continue
		}
		lag, log, snapshot, disk, data, writes := "-", "-", "-", "-", "-", "-"
		if n.Lag != nil {
			lag = fmt.Sprint(*n.Lag)
		}
		if s := n.NodeState; s != nil {
			log, disk = progress.Bytes(int64(s.LogBytes)), freeOf(&s.Disk)
			if s.Snapshot != nil {
				snapshot = fmt.Sprint(s.Snapshot.Index)
			}
			if s.Database != nil {
				data, writes = progress.Bytes(int64(s.Database.LiveData)), writesOf(s.Database)
			}
		}
		row(w, n.Name, n.State, n.Term, n.CommitIndex, n.AppliedIndex, lag, log, snapshot, disk, data, writes)
	}
	for i := range nodes {
		if n := &nodes[i]; !n.Reachable {
			fmt.Fprintf(w, "%s (%s) cannot be reached: %s\n", n.Name, n.Address, n.Error)
		}
	}
}

func freeOf(d *member.Disk) string {
	return fmt.Sprintf("%s of %s free", progress.Bytes(int64(d.Free)), progress.Bytes(int64(d.Total)))
}

func writesOf(d *member.Database) string {
	switch {
	case d.WriteStopped:
		return "wait"
	case d.WriteRate > 0:
		return fmt.Sprintf("are slowed to %s/s", progress.Bytes(int64(d.WriteRate)))
	}
	return "flow"
}

func writeState(w io.Writer, s *member.State) {
	if s == nil {
		return
	}
	row(w, "raft's log:", fmt.Sprintf("%s, index %d to %d", progress.Bytes(int64(s.LogBytes)), s.LogFirst, s.LogLast))
	if p := s.Snapshot; p != nil {
		from := "its own"
		if p.Received {
			from = progress.Bytes(int64(p.Bytes)) + " from the leader"
		}
		row(w, "last snapshot:", fmt.Sprintf("index %d at %s, %s", p.Index, p.At.Format(time.RFC3339), from))
	}
	takes := "submits are taken"
	if s.Disk.Refuses {
		takes = "submits are refused"
	}
	row(w, "disk:", fmt.Sprintf("%s, %s", freeOf(&s.Disk), takes))
	if d := s.Database; d != nil {
		row(w, "database:", fmt.Sprintf("%s in tables, %s in memtables, %s to compact, writes %s", progress.Bytes(int64(d.Tables)),
			progress.Bytes(int64(d.Memtables)), progress.Bytes(int64(d.PendingCompaction)), writesOf(d)))
		row(w, "", fmt.Sprintf("%s live, block cache %s of %s, own log %s, %d compactions run, held up for %s",
			progress.Bytes(int64(d.LiveData)), progress.Bytes(int64(d.BlockCache)), progress.Bytes(int64(d.BlockCacheCapacity)),
			progress.Bytes(int64(d.WAL)), d.Compactions, time.Duration(d.StalledUS)*time.Microsecond))
	}
}
