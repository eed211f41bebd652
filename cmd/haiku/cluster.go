package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

func (a *app) clusterCommand() *cobra.Command {
	return a.group("cluster", "Show and change the nodes of a cluster",
		a.statusCommand(), a.membersCommand(), a.joinCommand(), a.leaveCommand(), a.removeCommand(), a.transferCommand(),
		a.pauseCommand(), a.resumeCommand(), a.doctorCommand())
}

func writeStatus(w io.Writer, s *member.Status) {
	leader := s.LeaderAddress
	if leader == "" {
		leader = "none"
	}
	row(w, "cluster:", s.ClusterID)
	row(w, "node:", fmt.Sprintf("%s (%s)", s.NodeID, s.NodeName))
	row(w, "state:", s.State)
	row(w, "leader:", leader)
	row(w, "term:", s.Term)
	row(w, "committed:", s.CommitIndex)
	row(w, "applied:", s.AppliedIndex)
	row(w, "members:", len(s.Members))
	if s.DispatchPaused {
		row(w, "dispatch:", "paused")
	}
	writeState(w, s.NodeState)
	row(w, "version:", s.Version)
	if s.LastMark != nil {
		row(w, "last mark:", fmt.Sprintf("state %s at index %d", s.LastMark.StateHash, s.LastMark.Index))
	}
}

// memberForm is a member as scripts see it.
type memberForm struct {
	ID          member.ID `json:"id"`
	Name        string    `json:"name"`
	Address     string    `json:"address"`
	HTTPAddress string    `json:"http_address"`
	Role        string    `json:"role"`
	Voter       bool      `json:"voter"`
}

func (a *app) membersCommand() *cobra.Command {
	return &cobra.Command{
		Use: "members", Short: "List the nodes of the cluster", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				status, err := c.Status(ctx)
				if err != nil {
					return err
				}
				forms := make([]memberForm, len(status.Members))
				for i, m := range status.Members {
					forms[i] = memberForm{m.ID, m.Name, m.Address, m.HTTPAddress, m.Role, m.Voter}
				}
				return a.print(forms, func(w io.Writer) {
					row(w, "ID", "NAME", "ADDRESS", "ROLE", "VOTER")
					for _, m := range forms {
						row(w, m.ID, m.Name, m.Address, m.Role, m.Voter)
					}
				})
			})
		},
	}
}

func (a *app) leaveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "leave", Short: "Make the node at --addr leave its cluster and go down", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				if err := c.Leave(ctx); err != nil {
					return err
				}
				a.say("The node has left its cluster and goes down.")
				return nil
			})
		},
	}
}

func (a *app) removeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove NODE", Short: "Take a node, given by id or name, out of the cluster: for nodes that are lost",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				m, err := findMember(ctx, c, args[0])
				if err != nil {
					return err
				}
				if err := c.Remove(ctx, m.ID); err != nil {
					return err
				}
				a.say("%s (%s) is no member any more.", m.ID, m.Name)
				return nil
			})
		},
	}
}

func (a *app) transferCommand() *cobra.Command {
	return &cobra.Command{
		Use: "transfer-leader [NODE]", Short: "Hand leadership to a node, given by id or name, or to any that is up to date",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				var to member.ID
				if len(args) == 1 {
					m, err := findMember(ctx, c, args[0])
					if err != nil {
						return err
					}
					to = m.ID
				}
				leader, err := c.Transfer(ctx, to)
				if err != nil {
					return err
				}
				return a.print(map[string]string{"leader_address": leader}, func(w io.Writer) { row(w, leader) })
			})
		},
	}
}

// findMember finds a member by its id, or by a name that only one has.
func findMember(ctx context.Context, c *client.Client, text string) (member.Member, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return member.Member{}, err
	}
	var found []member.Member
	for _, m := range status.Members {
		if m.ID.String() == text {
			return m, nil
		}
		if m.Name == text {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		return member.Member{}, fmt.Errorf("member %q: %w", text, task.ErrNotFound)
	case 1:
		return found[0], nil
	}
	return member.Member{}, fmt.Errorf("%w: %d members are called %q: use the id", task.ErrInvalid, len(found), text)
}
