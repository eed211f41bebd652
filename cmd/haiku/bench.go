package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/haiku-queue/haiku/internal/bench"
	"github.com/haiku-queue/haiku/internal/localnodes"
)

// benchmark holds the flags of bench.
type benchmark struct {
	config bench.Config
	nodes  localnodes.Config
}

func (a *app) benchCommand() *cobra.Command {
	group := a.group("bench", "Measure a cluster under load",
		a.benchmarkCommand(bench.Lifecycle, "Submit tasks and run them to their end at the same time", 50_000, 64, 0),
		a.benchmarkCommand(bench.Submit, "Only submit tasks", 50_000, 64, 0),
		a.benchmarkCommand(bench.Work, "Only run the tasks that are there, until none is left", 0, 64, 0),
		a.benchmarkCommand(bench.Latency, "Submit at a rate, and see how soon a worker has each task", 1000, 1, 100))
	group.Long = "Measure a cluster under load: the one at --addr, or with --local N one of N haikud processes that are started for\n" +
		"this on loopback ports, with their data in a temporary directory (TMPDIR), and removed afterwards. HAIKU_ variables\n" +
		"set what such nodes are to do differently.\n\n" +
		"Every task is checked: it has to come to a worker exactly once, to be acknowledged once, and none may be left;\n" +
		"with --local the states of all nodes have to be equal at the end. The exit code is 1 if anything is wrong."
	return group
}

// benchmarkCommand makes one subcommand of bench, with its defaults.
func (a *app) benchmarkCommand(work, short string, tasks, crew, rate int) *cobra.Command {
	b := &benchmark{}
	cmd := &cobra.Command{
		Use: work, Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			return errors.Join(noArgs(cmd, args), b.check(cmd, work))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.bench(cmd.Context(), work, b) },
	}
	flags, c := cmd.Flags(), &b.config
	flags.StringVar(&c.Queue, "queue", "bench", "queue of the tasks")
	flags.IntVar(&c.Types, "types", 1, "types that the tasks go round")
	flags.IntVar(&c.PayloadSize, "payload-size", 200, "bytes of each payload")
	flags.IntVar(&c.Batch, "batch", 1, "tasks of one submit")
	flags.IntVar(&c.ClaimMax, "claim-max", 1, "tasks of one claim, and of one report")
	flags.IntVar(&c.Producers, "producers", crew, "producers, each with one request at a time")
	flags.IntVar(&c.Workers, "workers", crew, "workers, each with one request at a time")
	flags.IntVar(&c.Connections, "connections", 0, "connections of the producers, and as many of the workers; one for each 16 if not set")
	flags.BoolVar(&c.ToLeader, "to-leader", false, "let connections go on to the leader instead of going round the addresses")
	flags.IntVar(&c.Warmup, "warmup", 1000, "tasks to do before the measured ones")
	flags.DurationVar(&c.Limit, "limit", 10*time.Minute, "longest time for a part of it")
	taskHelp := "tasks"
	if work == bench.Work {
		taskHelp = "tasks to enqueue first; 0 to run what is there"
	} else {
		flags.IntVar(&c.Rate, "rate", rate, "tasks a second; 0 for as many as possible")
	}
	flags.IntVar(&c.Tasks, "tasks", tasks, taskHelp)
	b.addLocalFlags(flags)
	return cmd
}

func (b *benchmark) addLocalFlags(flags *pflag.FlagSet) {
	flags.IntVar(&b.nodes.Count, "local", 0, "start so many nodes for this, and remove them afterwards")
	flags.StringVar(&b.nodes.Binary, "haikud", "", "the haikud to start with --local; the one beside haiku or in PATH if not set")
	flags.StringVar(&b.nodes.ProfileDir, "profile-dir", "", "with --local: folder for profiles of the nodes")
}

// check refuses flags that are out of range or do not go together.
func (b *benchmark) check(cmd *cobra.Command, work string) error {
	const mostNodes = 9
	problems := []error{b.config.Validate()}
	local := b.nodes.Count > 0
	switch {
	case b.nodes.Count < 0 || b.nodes.Count > mostNodes:
		problems = append(problems, fmt.Errorf("--local %d is not within 0 and %d", b.nodes.Count, mostNodes))
	case local && cmd.Flags().Changed("addr"):
		problems = append(problems, errors.New("--local and --addr exclude each other"))
	case !local && (b.nodes.Binary != "" || b.nodes.ProfileDir != ""):
		problems = append(problems, errors.New("--haikud and --profile-dir want --local"))
	case local && work == bench.Work && b.config.Tasks == 0:
		problems = append(problems, errors.New("bench work --local wants --tasks: a new cluster has none"))
	}
	return errors.Join(problems...)
}

// bench starts nodes if that is wanted, measures, and prints.
func (a *app) bench(ctx context.Context, work string, b *benchmark) (err error) {
	if a.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.timeout)
		defer cancel()
	}
	b.config.Addrs = a.addresses
	if b.config.Token, err = a.readToken(); err != nil {
		return err
	}
	if b.nodes.Count > 0 {
		nodes, err := localnodes.Start(ctx, b.nodes)
		if err != nil {
			return fmt.Errorf("start nodes: %w", err)
		}
		b.config.Local, b.config.Addrs = nodes, nodes.Addresses()
	}
	result, err := a.measure(ctx, work, b)
	if b.config.Local != nil {
		err = errors.Join(err, b.config.Local.Stop())
	}
	if err != nil {
		return err
	}
	if err := a.print(result, func(w io.Writer) { writeBench(w, result) }); err != nil {
		return err
	}
	if problems := result.Problems(); problems != nil {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}

// measure shows a line of progress if a person watches.
func (a *app) measure(ctx context.Context, work string, b *benchmark) (*bench.Result, error) {
	if file, ok := a.errOut.(*os.File); ok && isatty.IsTerminal(file.Fd()) {
		const clear = "\r\x1b[K"
		b.config.OnProgress = func(p bench.Progress) {
			fmt.Fprintf(file, clear+"%s: %d of %d tasks, %.0f/s", p.Part, p.Done, p.Total, p.PerSecond)
		}
		defer fmt.Fprint(file, clear)
	}
	return bench.Run(ctx, work, b.config)
}
