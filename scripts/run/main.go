package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/localnodes"
)

const (
	nodeCount   = 3
	minimum     = 2000 // files
	concurrency = 2    // commands at once of each of the three workers
	timeLimit   = 15 * time.Minute
	command     = `read -r file; sha256sum "$file"`
)

func main() {
	bin := flag.String("bin", "bin", "folder of haikud and haiku")
	limit := flag.Int("files", 0, "most files to take; 0 for all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, *bin, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// run does the job on a fresh cluster, whose data and logs stay only if something went wrong, and not
// if it was interrupted.
func run(ctx context.Context, bin string, limit int) (err error) {
	files, err := sourceFiles(ctx)
	if err != nil {
		return err
	}
	if len(files) < minimum {
		return fmt.Errorf("the source tree of Go has %d files, at least %d are needed", len(files), minimum)
	}
	if limit > 0 {
		files = files[:min(limit, len(files))]
	}
	n, err := localnodes.Start(ctx, localnodes.Config{Binary: filepath.Join(bin, "haikud"), Count: nodeCount})
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && ctx.Err() == nil {
			n.Keep()
			err = fmt.Errorf("%w\ndata and logs are in %s", err, n.Dir())
		}
		err = errors.Join(err, n.Stop())
	}()
	say("three nodes are up at %s", strings.Join(n.Addresses(), ","))
	if err := work(ctx, n, filepath.Join(bin, "haiku"), files); err != nil {
		return err
	}
	if isatty.IsTerminal(os.Stdout.Fd()) && isatty.IsTerminal(os.Stdin.Fd()) {
		leaveRunning(ctx, n)
	}
	return nil
}

// work has workers at all nodes do one task a file, and checks what they did.
func work(ctx context.Context, n *localnodes.Nodes, haiku string, files []string) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeLimit, fmt.Errorf("the job took longer than %s", timeLimit))
	defer cancel()
	sums, err := expectedSums(ctx, files)
	if err != nil {
		return err
	}
	leader, err := n.Leader(ctx)
	if err != nil {
		return err
	}
	follower := (leader + 1) % nodeCount
	through, err := client.New(client.Config{
		Addrs: n.Addresses()[follower : follower+1], Name: "make-run", RetryFor: time.Minute, Stay: true,
	})
	if err != nil {
		return err
	}
	defer through.Close()
	workers, err := startWorkers(n, haiku)
	defer func() { err = errors.Join(err, stopWorkers(workers)) }()
	if err != nil {
		return err
	}
	say("submitting %d tasks through %s, a follower; %d workers run sha256sum", len(files), n.Name(follower), len(workers))
	j := newJob(n, through, files, say)
	if err := j.run(ctx); err != nil {
		return err
	}
	found, err := j.verify(ctx, sums)
	if err != nil {
		return err
	}
	if !j.report(os.Stdout, found) {
		return errors.New("not everything is as it should be")
	}
	return nil
}

// startWorkers starts one worker for each node. It knows the others too, for when its own is gone.
func startWorkers(n *localnodes.Nodes, haiku string) ([]*localnodes.Process, error) {
	var workers []*localnodes.Process
	addresses := n.Addresses()
	for i := range addresses {
		own := strings.Join(slices.Concat(addresses[i:], addresses[:i]), ",")
		w, err := localnodes.StartProcess(n.Dir(), fmt.Sprintf("worker%d", i+1), haiku, "worker", "run", "--addr", own,
			"--stay", "--type", taskType, "--name", "at-"+n.Name(i), "--concurrency", fmt.Sprint(concurrency), "--exec", command)
		if err != nil {
			return workers, err
		}
		workers = append(workers, w)
	}
	return workers, nil
}

func stopWorkers(workers []*localnodes.Process) error {
	var problems []error
	for _, w := range workers {
		problems = append(problems, w.Stop())
	}
	return errors.Join(problems...)
}

// leaveRunning says how to use the cluster and waits for Ctrl-C.
func leaveRunning(ctx context.Context, n *localnodes.Nodes) {
	say(`
The cluster stays up until Ctrl-C. In another terminal:
  export HAIKU_ADDR=%s
  bin/haiku cluster members
  bin/haiku task list --limit 5
  bin/haiku worker run --type hello --exec 'tr a-z A-Z' &
  bin/haiku task submit hello --payload world --wait`, strings.Join(n.Addresses(), ","))
	<-ctx.Done()
	say("\nstopping")
}
