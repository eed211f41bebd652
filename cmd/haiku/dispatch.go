package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.dispatchCommand("pause", "Hand out no task any more, in no queue; everything else goes on", true,
		"The cluster hands out no task until: haiku cluster resume")
}

func (a *app) resumeCommand() *cobra.Command {
	return a.dispatchCommand("resume", "Hand out tasks again", false, "The cluster hands out tasks.")
}

func (a *app) dispatchCommand(use, short string, paused bool, done string) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				if err := c.SetDispatch(ctx, paused); err != nil {
					return err
				}
				a.say("%s", done)
				return nil
			})
		},
	}
}
