package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
)

func (a *app) joinCommand() *cobra.Command {
	var tokenFile string
	cmd := &cobra.Command{
		Use: "join ADDR[,ADDR...]", Short: "Make the node at --addr, alone and without tasks, join the cluster at ADDR",
		Long: "Make the node at --addr, alone and without tasks, join the cluster at ADDR, and wait until it is a voter.\n\n" +
			"A cluster with tokens takes a node in for an admin only: that one's token is read from --join-token-file, or else\n" +
			"is the token of this command. The node uses it to join, and does not keep it.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			wish := member.Adoption{Addresses: strings.Split(args[0], ",")}
			var err error
			if tokenFile != "" {
				wish.Token, err = readTokenFile(tokenFile)
			} else {
				wish.Token, err = a.readToken()
			}
			if err != nil {
				return err
			}
			return a.join(cmd, wish)
		},
	}
	cmd.Flags().StringVar(&tokenFile, "join-token-file", "", "file with an admin's token of the cluster at ADDR, mode 0600; the token of this command if not set")
	return cmd
}

// join has the node join, and waits for it. It asks the node as one of the other cluster from then on.
func (a *app) join(cmd *cobra.Command, wish member.Adoption) error {
	a.retryFor = noRetry // the node says at once when it cannot reach the others
	return a.do(cmd, 2*requestTimeout, func(ctx context.Context, c *client.Client) error {
		before, err := c.Status(ctx)
		if err != nil {
			return err
		}
		if err := c.Adopt(ctx, wish); err != nil {
			return err
		}
		a.say("The node gives up its own cluster and joins the one at %s.", strings.Join(wish.Addresses, ","))
		joined, err := a.connect(wish.Token)
		if err != nil {
			return err
		}
		defer joined.Close()
		return a.awaitVoter(ctx, joined, before.ClusterID)
	})
}

// awaitVoter waits until the node at --addr is a voter of another cluster than the one it was in.
func (a *app) awaitVoter(ctx context.Context, c *client.Client, old member.ID) error {
	const pause = 200 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		// The node restarts meanwhile, so errors say nothing until the time is up.
		status, err := c.Status(ctx)
		if err == nil && status.ClusterID != old {
			for _, m := range status.Members {
				if m.ID == status.NodeID && m.Voter {
					return a.print(status, func(w io.Writer) { writeStatus(w, &status) })
				}
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the node to become a voter: %w", ctx.Err())
		}
	}
}
