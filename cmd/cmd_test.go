// Package cmd_test runs the real binaries by the scripts in testdata.
package cmd_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/haiku-queue/haiku/internal/plant"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withBinaries(m.Run))
}

// withBinaries builds haikud and haiku once and puts them first into PATH.
func withBinaries(run func() int) int {
	dir, err := os.MkdirTemp("", "haiku-cmd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, name := range [...]string{"haikud", "haiku"} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), "./"+name)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n", name, err)
			return 1
		}
	}
	if err := os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return run()
}

// lookAtSources has the test depend on every Go file of the repository. The binaries are built by a command, of which
// the Go tool knows nothing: it would take the result of an older build from its cache. It notes what a test looks at,
// but not what TestMain does.
func lookAtSources(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != ".." && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".go" || entry.Name() == "go.mod" {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestScripts runs testdata/*.txt. Beside testscript's own commands they have:
//
//	code N COMMAND...            the command ends with exit code N
//	until PATTERN COMMAND...     the command is repeated until it succeeds and its output matches
//	capture NAME                 the variable NAME gets the output of the last command
//	damage FROM TO SIZE          TO gets the first SIZE bytes of FROM
//	signal NAME BACKGROUND       the background command number BACKGROUND (1 is the first) gets a signal
//	flip DIR FAMILY              the first index key of a column family gets one bit flipped; the node has to be stopped
//	miscount DIR                 a counter is raised by one; likewise
//
// and the variables ADDR1 to ADDR4, loopback addresses that nobody listens on.
func TestScripts(t *testing.T) {
	lookAtSources(t)
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			addresses, err := freeAddresses(4)
			for i, address := range addresses {
				env.Setenv(fmt.Sprintf("ADDR%d", i+1), address)
			}
			env.Setenv("HAIKU_RAFT_HEARTBEAT_TIMEOUT", "500ms")
			env.Setenv("HAIKU_RAFT_ELECTION_TIMEOUT", "500ms")
			env.Setenv("HAIKU_RAFT_LEADER_LEASE_TIMEOUT", "400ms")
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "until": until, "capture": capture, "signal": signal, "damage": damage,
			"flip": flip, "miscount": miscount,
		},
	})
}

func freeAddresses(count int) (addresses []string, err error) {
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // when all are chosen, so they differ
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for {
		err := ts.Exec(args[1], args[2:]...)
		out := ts.ReadFile("stdout")
		if err == nil && pattern.MatchString(out) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("waited in vain for %s; last: %v\n%s%s", args[0], err, out, ts.ReadFile("stderr"))
		}
	}
}

func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: capture NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: damage FROM TO SIZE")
	}
	size, err := strconv.Atoi(args[2])
	ts.Check(err)
	content := ts.ReadFile(args[0])
	if size >= len(content) {
		ts.Fatalf("%s has %d bytes only", args[0], len(content))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(content[:size]), 0o600))
}

func signal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal TERM|INT|STOP|CONT NUMBER")
	}
	number, err := strconv.Atoi(args[1])
	running := ts.BackgroundCmds()
	if err != nil || number < 1 || number > len(running) {
		ts.Fatalf("%d background commands run: %s", len(running), strings.Join(args, " "))
	}
	ts.Check(running[number-1].Process.Signal(signals[args[0]]))
}

func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip DIR FAMILY")
	}
	ts.Check(plant.FlipKey(ts.MkAbs(args[0]), args[1]))
}

func miscount(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: miscount DIR")
	}
	ts.Check(plant.RaiseCounter(ts.MkAbs(args[0])))
}
