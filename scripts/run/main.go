package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/haiku-queue/haiku/client"
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

// run does the job in a fresh directory, which stays only if something went wrong.
func run(ctx context.Context, bin string, limit int) (err error) {
	bin, err = filepath.Abs(bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "haiku-run-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\ndata and logs are in %s", err, dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	files, err := sourceFiles(ctx)
	if err != nil {
		return err
	}
	if len(files) < minimum {
		return fmt.Errorf("Go's source tree has %d files, at least %d are needed", len(files), minimum)
	}
	if limit > 0 {
		files = files[:min(limit, len(files))]
	}
	n, err := newNodes(dir, filepath.Join(bin, "haikud"), nodeCount)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	if err := n.startAll(ctx); err != nil {
		return err
	}
	say("three nodes are up at %s", n.addresses())
	if err := work(ctx, n, filepath.Join(bin, "haiku"), files); err != nil {
		return err
	}
	if isatty.IsTerminal(os.Stdout.Fd()) && isatty.IsTerminal(os.Stdin.Fd()) {
		leaveRunning(ctx, n)
	}
	return nil
}

// work has workers at all nodes do one task a file, and checks what they did.
func work(ctx context.Context, n *nodes, haiku string, files []string) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeLimit, fmt.Errorf("the job took longer than %s", timeLimit))
	defer cancel()
	sums, err := expectedSums(ctx, files)
	if err != nil {
		return err
	}
	_, follower, err := n.leader(ctx)
	if err != nil {
		return err
	}
	through, err := client.New(client.Config{Addrs: []string{follower.address}, Name: "make-run", RetryFor: time.Minute, Stay: true})
	if err != nil {
		return err
	}
	defer through.Close()
	workers, err := startWorkers(n, haiku)
	defer func() { err = errors.Join(err, stopWorkers(workers)) }()
	if err != nil {
		return err
	}
	say("submitting %d tasks through %s, a follower; %d workers run sha256sum", len(files), follower.name, len(workers))
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
func startWorkers(n *nodes, haiku string) ([]*process, error) {
	var workers []*process
	for i, one := range n.list {
		w, err := start(n.dir, fmt.Sprintf("worker%d", i+1), haiku, "worker", "run", "--addr", n.addressesFrom(i),
			"--stay", "--type", taskType, "--name", "at-"+one.name, "--concurrency", fmt.Sprint(concurrency), "--exec", command)
		if err != nil {
			return workers, err
		}
		workers = append(workers, w)
	}
	return workers, nil
}

func stopWorkers(workers []*process) error {
	var problems []error
	for _, w := range workers {
		problems = append(problems, w.stop())
	}
	return errors.Join(problems...)
}

// leaveRunning says how to use the cluster and waits for Ctrl-C.
func leaveRunning(ctx context.Context, n *nodes) {
	say(`
The cluster stays up until Ctrl-C. In another terminal:
  export HAIKU_ADDR=%s
  bin/haiku cluster members
  bin/haiku task list --limit 5
  bin/haiku worker run --type hello --exec 'tr a-z A-Z' &
  bin/haiku task submit hello --payload world --wait`, n.addresses())
	<-ctx.Done()
	say("\nstopping")
}
