package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/config"
	"github.com/haiku-queue/haiku/internal/buildinfo"
	"github.com/haiku-queue/haiku/metrics"
)

const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

func main() { os.Exit(run(os.Args[1:])) }

// run carries out one command line and returns its exit code.
func run(args []string) int {
	if err := limitArenas(); err != nil {
		fmt.Fprintln(os.Stderr, "haikud:", err)
		return exitError
	}
	tuneGC()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	started := false
	root := rootCommand(&started)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintln(os.Stderr, "haikud:", line)
	}
	if !started {
		return exitUsage
	}
	return exitError
}

// rootCommand sets started once the command line is known to be well-formed.
func rootCommand(started *bool) *cobra.Command {
	var file, profileDir string
	var profileLocks bool
	root := &cobra.Command{
		Use: "haikud", Short: "Run one node of a Haiku cluster", Args: cobra.NoArgs, Version: buildinfo.Version(),
		Long: "Run one node of a Haiku cluster.\n\n" +
			"Without flags it is a broker of one node on 127.0.0.1:7420 with its data in ./haiku-data.\n" +
			"Every flag is also a key of the settings file and a HAIKU_ variable; `haiku config sample` shows all of them.",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { *started = true },
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), os.Environ(), file)
			if err != nil {
				return err
			}
			limitMemory(&cfg)
			written, err := startProfiles(profileDir, profileLocks)
			if err != nil {
				return err
			}
			return errors.Join(serve(cmd.Context(), cfg, written), written.stop())
		},
	}
	root.Flags().StringVar(&file, "config", os.Getenv("HAIKU_CONFIG"), "settings file (HAIKU_CONFIG)")
	root.Flags().StringVar(&profileDir, "profile-dir", "", "folder to write profiles of this process to when it ends")
	root.Flags().BoolVar(&profileLocks, "profile-locks", false, "with --profile-dir: profiles of waiting, too")
	config.AddFlags(root.Flags())
	hide(root.Flags(), "profile-dir", "profile-locks")
	root.AddCommand(recoverCommand(), resetCommand(), restoreCommand())
	return root
}

// hide keeps flags for those who work on Haiku out of the help.
func hide(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		flags.Lookup(name).Hidden = true
	}
}

func resetCommand() *cobra.Command {
	dir := config.Default().DataDir
	cmd := &cobra.Command{
		Use: "reset", Short: "Move a data directory aside, so that its node can join anew under a new id", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			aside, err := cluster.MoveAside(dir)
			if err != nil {
				return err
			}
			fmt.Printf("moved to %s; remove the old node with: haiku cluster remove NODE\n", aside)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", dir, "data directory of the node")
	return cmd
}

// serve runs the node, again when it has to be opened again, and anew in an empty directory when an operator has it
// join another cluster.
func serve(ctx context.Context, cfg config.Config, written *profiles) error {
	log, err := newLogger(cfg.Log)
	if err != nil {
		return err
	}
	measured := metrics.New(metrics.Config{Version: buildinfo.Version(), Queues: cfg.Metrics.Queues})
	for {
		var adopted *adoption
		err := live(ctx, cfg, log, written, measured)
		if errors.Is(err, cluster.ErrRestart) {
			continue
		}
		if !errors.As(err, &adopted) {
			return err
		}
		aside, err := cluster.MoveAside(cfg.DataDir)
		if err != nil {
			return err
		}
		log.Info("the data of the cluster that was given up is kept", "directory", aside)
		cfg.Bootstrap, cfg.Join = false, adopted.Addresses
		if adopted.Token != "" {
			cfg.Token, cfg.TokenFile = adopted.Token, ""
		}
	}
}
