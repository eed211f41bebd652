package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
)

func (a *app) workerListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the workers that are connected to the cluster", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				workers, err := c.Workers(ctx)
				if err != nil {
					return err
				}
				return a.printWorkers(workers)
			})
		},
	}
}

func (a *app) printWorkers(workers []member.Worker) error {
	if workers == nil {
		workers = []member.Worker{}
	}
	return a.print(workers, func(w io.Writer) {
		row(w, "WORKER", "SESSION", "CLIENT", "NODE", "LEASES", "QUEUES", "TYPES", "CONNECTED", "HEARTBEAT", "STATE")
		for i := range workers {
			k := &workers[i]
			name, node, queues, types, state := "-", "-", "-", "-", "working"
			if n := len(k.IDs); n > 0 {
				name = shorten(k.IDs[n-1], 40)
			}
			if !k.Node.IsZero() {
				node = k.Node.String()[:8]
			}
			if len(k.Queues) > 0 { // it has claimed from this leader
				queues, types = shorten(strings.Join(k.Queues, ","), 60), "all"
			}
			if len(k.Types) > 0 {
				types = shorten(strings.Join(k.Types, ","), 60)
			}
			if k.Draining {
				state = "draining"
			}
			row(w, name, k.Session, shorten(k.ClientName, 30), node, k.Leases, queues, types,
				ago(k.Connected), ago(k.LastHeartbeat), state)
		}
	})
}

// ago shows how long ago a moment was.
func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return max(0, time.Since(t)).Truncate(time.Second).String() + " ago"
}
