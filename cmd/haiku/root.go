package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/buildinfo"
)

const (
	defaultAddress = "127.0.0.1:7420"
	requestTimeout = 30 * time.Second // of a command that does not wait for anything
	noLimit        = 0
	retryFor       = 10 * time.Second // covers an election
	noRetry        = -1
)

// app is one run of the command line: where it reads and writes, and the flags that every command has.
type app struct {
	in      io.Reader
	out     io.Writer
	errOut  io.Writer
	started bool // the command line was well-formed and its command runs

	addresses []string
	token     string
	tokenFile string
	output    string
	timeout   time.Duration
	retryFor  time.Duration // how long a request is repeated that found no leader
}

func (a *app) rootCommand() *cobra.Command {
	root := a.group("haiku", "Submit, watch and run tasks; look after a Haiku cluster",
		a.taskCommand(), a.dlqCommand(), a.operationCommand(), a.statsCommand(), a.workerCommand(), a.clusterCommand(),
		a.snapshotCommand(), a.queueCommand(), a.cronCommand(), a.retentionCommand(), a.tokenCommand(), a.benchCommand(),
		a.configCommand(), a.versionCommand())
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	root.SilenceErrors, root.SilenceUsage, root.Version = true, true, buildinfo.Version()
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errOut)
	addExamples(root)
	root.PersistentPreRunE = a.start
	root.SetFlagErrorFunc(flagError)
	address := defaultAddress
	if fromEnv := os.Getenv("HAIKU_ADDR"); fromEnv != "" {
		address = fromEnv
	}
	flags := root.PersistentFlags()
	flags.StringSliceVar(&a.addresses, "addr", strings.Split(address, ","), "HOST:PORT of one or more nodes (HAIKU_ADDR)")
	flags.StringVar(&a.token, "token", "", "token of the cluster (HAIKU_TOKEN, which other users of this machine do not see)")
	flags.StringVar(&a.tokenFile, "token-file", "", "file with the token, mode 0600 (HAIKU_TOKEN_FILE)")
	flags.StringVarP(&a.output, "output", "o", formatTable, "table, json, jsonl or yaml")
	flags.DurationVar(&a.timeout, "timeout", 0, "longest time for the command; 30s unless it waits for something")
	return root
}

// start runs before every command, once its arguments and flags are known to be well-formed.
func (a *app) start(*cobra.Command, []string) error {
	if !slices.Contains(formats[:], a.output) {
		return fmt.Errorf("unknown output %q; allowed are %s", a.output, strings.Join(formats[:], ", "))
	}
	if a.timeout < 0 {
		return errors.New("--timeout is negative")
	}
	a.started = true
	return nil
}

// group makes a command that only holds others.
func (a *app) group(use, short string, commands ...*cobra.Command) *cobra.Command {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name()
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := cmd.CommandPath()
			return &usageError{fmt.Errorf("%s wants one of: %s (see %s --help)", path, strings.Join(names, ", "), path)}
		},
	}
	cmd.AddCommand(commands...)
	return cmd
}

// call is what a command does with a connected client.
type call func(ctx context.Context, c *client.Client) error

// do connects to one of the nodes of --addr, stays there, and makes the call within --timeout, or within limit if that
// is not set.
func (a *app) do(cmd *cobra.Command, limit time.Duration, f call) error {
	ctx := cmd.Context()
	if a.timeout > 0 {
		limit = a.timeout
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	token, err := a.readToken()
	if err != nil {
		return err
	}
	c, err := a.connect(token)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(ctx, c)
}

// connect makes a client that stays at one of the nodes of --addr.
func (a *app) connect(token string) (*client.Client, error) {
	return client.New(client.Config{
		Addrs: a.addresses, Name: "haiku " + buildinfo.Version(), RetryFor: a.retryFor, Stay: true, Token: token,
	})
}

// say writes a line for people.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.errOut, format+"\n", args...) }
