package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
)

// parts run one after the other, each in a process of its own.
var parts = []struct {
	name string
	run  func(o *options) error
}{
	{"claims", measureClaims}, {"bytes", measureBytes}, {"cycle", measureCycle},
}

type options struct {
	scale   float64
	urgent  uint64
	dir     string // for databases; removed at the end
	profile string
}

// scaled is n, or less of it for a trial, but never less than least.
func (o *options) scaled(n, least int) int { return max(least, int(float64(n)*o.scale)) }

func main() {
	var o options
	only := flag.String("part", "", "run this part alone, in this process: claims, bytes or cycle")
	flag.Float64Var(&o.scale, "scale", 1, "share of the tasks of a full run, above 0 and at most 1")
	flag.Uint64Var(&o.urgent, "urgent", 0, "one task in so many has a higher priority; 0 for none")
	flag.StringVar(&o.profile, "profile", "", "with -part: write a CPU profile to this file")
	flag.Parse()
	if err := run(&o, *only); err != nil {
		fmt.Fprintln(os.Stderr, "storebench:", err)
		os.Exit(1)
	}
}

func run(o *options, only string) error {
	if o.scale <= 0 || o.scale > 1 {
		return fmt.Errorf("-scale %g is not above 0 and at most 1", o.scale)
	}
	if only == "" {
		for _, p := range parts {
			if err := runApart(o, p.name); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
		return nil
	}
	for _, p := range parts {
		if p.name == only {
			return measure(o, p.run)
		}
	}
	return fmt.Errorf("-part %q is not claims, bytes or cycle", only)
}

// runApart runs a part in a process of its own, with haikud's bound on the C library's memory arenas.
func runApart(o *options, name string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-part", name, "-scale", fmt.Sprint(o.scale), "-urgent", fmt.Sprint(o.urgent))
	cmd.Env = append(os.Environ(), "MALLOC_ARENA_MAX=2")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func measure(o *options, part func(*options) error) (err error) {
	runtime.LockOSThread()  // for threadTime
	debug.SetGCPercent(300) // as haikud does
	if o.dir, err = os.MkdirTemp("", "storebench"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	return part(o)
}

// printTable prints rows of cells; the first row is the head. All but the first column are numbers.
func printTable(title string, rows [][]string) {
	fmt.Printf("\n%s\n\n", title)
	for i, cells := range rows {
		fmt.Printf("| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Printf("| --- |%s\n", strings.Repeat(" ---: |", len(cells)-1))
		}
	}
}

// number writes thousands apart.
func number[T int | int64 | uint64](n T) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func note(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
