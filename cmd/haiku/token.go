package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/tokenfile"
	"github.com/haiku-queue/haiku/member"
)

var errTwoTokens = errors.New("--token and --token-file exclude each other")

// readToken returns the token that this command shows: that of the flags, or else of the environment; none if there is
// none.
func (a *app) readToken() (string, error) {
	switch fromEnv := os.Getenv("HAIKU_TOKEN"); {
	case a.token != "" && a.tokenFile != "":
		return "", &usageError{errTwoTokens}
	case a.token != "":
		return a.token, nil
	case a.tokenFile != "":
		return readTokenFile(a.tokenFile)
	case os.Getenv("HAIKU_TOKEN_FILE") != "":
		return readTokenFile(os.Getenv("HAIKU_TOKEN_FILE"))
	default:
		return fromEnv, nil
	}
}

func readTokenFile(path string) (string, error) {
	token, err := tokenfile.Read(path)
	if err != nil {
		return "", &usageError{err}
	}
	return token, nil
}

func (a *app) tokenCommand() *cobra.Command {
	return a.group("token", "Make, list and revoke the tokens by which the cluster knows who may do what",
		a.tokenCreateCommand(), a.tokenListCommand(), a.tokenRevokeCommand(), a.tokenWhoamiCommand(), a.tokenGenerateCommand())
}

// tokenForm is a new token as scripts see it.
type tokenForm struct {
	Text string `json:"token"`
	member.Token
}

func (a *app) tokenCreateCommand() *cobra.Command {
	var o client.TokenOrder
	var role string
	cmd := &cobra.Command{
		Use: "create --role ROLE", Short: "Make a token and print it, this once",
		Long: "Make a token and print it, this once: the cluster keeps only its hash.\n\n" +
			"  viewer     sees tasks, queues, schedules, workers and nodes\n" +
			"  worker     also submits, cancels and runs tasks\n" +
			"  operator   also retries and deletes tasks, and changes queues, schedules and settings\n" +
			"  admin      also changes members and tokens, and saves snapshots; always for all queues\n\n" +
			"The first token of a cluster has to be an admin's that does not expire. From then on nobody is served without one.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Role, err = member.RoleOf(role); err != nil {
				return &usageError{err}
			}
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				text, t, err := c.CreateToken(ctx, o)
				if err != nil {
					return err
				}
				return a.print(tokenForm{text, t}, func(w io.Writer) { row(w, text) })
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&role, "role", "", "viewer, worker, operator or admin")
	flags.StringSliceVar(&o.Queues, "queues", nil, "only for queues whose names begin with one of `P1,P2`")
	flags.DurationVar(&o.ExpiresIn, "expires", 0, "after this long, such as 720h; never if not set")
	flags.StringVar(&o.Name, "name", "", "shown in lists")
	return cmd
}

func (a *app) tokenListCommand() *cobra.Command {
	var stale bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the cluster's tokens, but for their secrets", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				list, err := c.Tokens(ctx, stale)
				if err != nil {
					return err
				}
				return a.printTokens(list)
			})
		},
	}
	cmd.Flags().BoolVar(&stale, "stale", false, "as the node knows them, without a leader")
	return cmd
}

func (a *app) printTokens(list []member.Token) error {
	if list == nil {
		list = []member.Token{}
	}
	return a.print(list, func(w io.Writer) {
		row(w, "ID", "NAME", "ROLE", "QUEUES", "CREATED", "EXPIRES", "STATE")
		for i := range list {
			t := &list[i]
			state := "valid"
			switch {
			case !t.RevokedAt.IsZero():
				state = "revoked " + t.RevokedAt.Format(time.RFC3339)
			case !t.IsValid(time.Now()):
				state = "expired"
			}
			expires := "never"
			if !t.ExpiresAt.IsZero() {
				expires = t.ExpiresAt.Format(time.RFC3339)
			}
			row(w, t.ID, either(shorten(t.Name, 40), "-"), t.Role, queuesText(t.Queues), t.CreatedAt.Format(time.RFC3339), expires, state)
		}
	})
}

func queuesText(prefixes []string) string {
	if len(prefixes) == 0 {
		return "all"
	}
	return shorten(strings.Join(prefixes, "*,")+"*", 60)
}

func (a *app) tokenRevokeCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "revoke ID", Short: "End a token, and the connections that use it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				t, err := c.RevokeToken(ctx, args[0], force)
				if err != nil {
					return err
				}
				return a.print(t, func(w io.Writer) { row(w, "revoked", t.ID) })
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "although it is the last valid one of an admin, and nobody could make another")
	return cmd
}

func (a *app) tokenWhoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Show what the token of this command may do", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd, requestTimeout, func(ctx context.Context, c *client.Client) error {
				access, err := c.Access(ctx)
				if err != nil {
					return err
				}
				return a.print(access, func(w io.Writer) {
					if !access.Authentication {
						row(w, "The cluster has no token: everybody may do everything.")
						return
					}
					row(w, "TOKEN", "NAME", "ROLE", "QUEUES")
					row(w, access.Token, either(access.Name, "-"), access.Role, queuesText(access.Queues))
				})
			})
		},
	}
}

func (a *app) tokenGenerateCommand() *cobra.Command {
	return &cobra.Command{
		Use: "generate", Short: "Print the text of a new token that no cluster knows yet, for --bootstrap-token-file", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, text := client.MakeToken()
			return a.print(map[string]string{"token": text}, func(w io.Writer) { row(w, text) })
		},
	}
}
