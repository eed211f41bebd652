package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	env       Env
	setups    map[string]*string // by system
	works     string
	reps      int
	tasks     int
	producers int
	workers   int
	batch     int
	rate      int
	seconds   int
	limit     time.Duration
	dir       string
	out       string
	lock      string

	list     bool
	tableOf  string
	physical bool
	echoOn   string
}

func parse(args []string) (*options, error) {
	o := &options{setups: make(map[string]*string)}
	fs := flag.NewFlagSet("peers", flag.ContinueOnError)
	for _, s := range systems {
		o.setups[s.Name] = fs.String(s.Name, "", "`setups` of "+s.Name+" to measure, by comma, or all: "+setupNames(s))
	}
	fs.StringVar(&o.works, "work", strings.Join(works, ","), "kinds of `work`, by comma")
	fs.IntVar(&o.reps, "reps", 1, "how often to do all of it, one round after the other")
	fs.IntVar(&o.tasks, "n", 0, "tasks per run, 0 for each setup's own number")
	fs.IntVar(&o.producers, "producers", 64, "producers (batch has an eighth of them, latency one)")
	fs.IntVar(&o.workers, "workers", 64, "workers (latency has one)")
	fs.IntVar(&o.batch, "batch", 256, "tasks per submit call in batch work")
	fs.IntVar(&o.rate, "rate", 100, "tasks per second in latency work")
	fs.IntVar(&o.seconds, "seconds", 10, "duration of latency work")
	fs.DurationVar(&o.limit, "limit", 2*time.Minute, "a phase that takes longer fails")
	fs.StringVar(&o.dir, "dir", os.TempDir(), "where the servers' data goes while they run; must be a disk")
	fs.StringVar(&o.out, "out", "", "also append the JSON lines to this `file`")
	fs.StringVar(&o.lock, "lock", "", "hold flock(2) on this `file` during each run")
	fs.BoolVar(&o.list, "list", false, "list systems and setups")
	fs.StringVar(&o.tableOf, "table", "", "only print the tables of the JSON lines in this `file`")
	fs.BoolVar(&o.physical, "limits", false, "only measure this machine's disk and loopback")
	fs.StringVar(&o.echoOn, "echo", "", "be the echo server that -limits uses, on this `address`")
	fs.StringVar(&o.env.BinDir, "bin", "bin", "where build.sh put nats-server and etcd")
	fs.StringVar(&o.env.Haikud, "haikud", "../bin/haikud", "the haikud to measure")
	fs.IntVar(&o.env.Share, "share", 16, "producers or workers per connection, where the client can share one")
	err := fs.Parse(args)
	if err == nil && (fs.NArg() > 0 || o.env.Share < 1 || o.reps < 1 || o.producers < 1 || o.workers < 1 || o.batch < 1) {
		err = errors.New("there are arguments that are no flags, or a number is below 1")
	}
	return o, err
}

func run(args []string, stdout io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch {
	case o.list:
		listSystems(stdout)
		return nil
	case o.tableOf != "":
		results, err := readResults(o.tableOf)
		if err != nil {
			return err
		}
		return printTable(stdout, results)
	case o.echoOn != "":
		return echo(o.echoOn)
	case o.physical:
		unlock, err := lockFile(o.lock)
		if err != nil {
			return err
		}
		defer unlock()
		return physicalLimits(stdout, o.dir)
	}
	jobs, err := o.jobs()
	if err != nil {
		return err
	}
	return o.measureAll(ctx, jobs, stdout)
}

func setupNames(s System) string {
	var names []string
	for _, u := range s.Setups {
		names = append(names, u.Name)
	}
	return strings.Join(names, ",")
}

func listSystems(w io.Writer) {
	for _, s := range systems {
		fmt.Fprintf(w, "-%s: %s\n", s.Name, s.About)
		for _, u := range s.Setups {
			can := slices.DeleteFunc(slices.Clone(works), func(k string) bool { return u.Tasks[k] == 0 })
			fmt.Fprintf(w, "    %-16s %s [%s]\n", u.Name, u.About, strings.Join(can, ", "))
		}
	}
}
