package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/haiku-queue/haiku/bench/raftecho"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "quick:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == raftecho.NodeCommand {
		return raftecho.RunNode(ctx, args[1:])
	}
	flags := flag.NewFlagSet("quick", flag.ContinueOnError)
	haikud := flags.String("haikud", "", "the haikud to measure")
	logStore := flags.String("log-store", "wal", "what keeps Raft's log on both sides: wal or boltdb")
	rounds := flags.Int("rounds", 3, "how often to do all of it")
	scale := flags.Float64("scale", 1, "factor for the number of tasks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("there is no argument %q", flags.Arg(0))
	case *haikud == "":
		return errors.New("-haikud is missing")
	case *logStore != "boltdb" && *logStore != "wal":
		return fmt.Errorf("-log-store is wal or boltdb, not %q", *logStore)
	case *rounds < 1 || *scale <= 0:
		return errors.New("-rounds and -scale have to be above 0")
	}
	return compare(ctx, *haikud, *logStore, *rounds, *scale)
}
