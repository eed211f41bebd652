package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "account:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("account", flag.ContinueOnError)
	haikud := flags.String("haikud", "", "the haikud to measure")
	scale := flags.Float64("scale", 1, "factor for the number of tasks")
	pictures := flags.String("pictures", "", "folder to write the profiles to, as pictures")
	document := flags.String("write", "", "document whose part between the marks is replaced by the tables")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("there is no argument %q", flags.Arg(0))
	case *haikud == "":
		return errors.New("-haikud is missing")
	case *scale <= 0:
		return errors.New("-scale has to be above 0")
	}
	if *document != "" { // better now than after minutes
		if err := replace(*document, nil); err != nil {
			return err
		}
	}
	var all []*measured
	for _, l := range loads {
		fmt.Fprintf(os.Stderr, "%s: %s\n", l.name, l.words)
		m, err := measure(ctx, *haikud, l, *scale)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		all = append(all, m)
		syscall.Sync()
	}
	var tables strings.Builder
	if err := report(&tables, all); err != nil {
		return err
	}
	fmt.Print(tables.String())
	if *pictures != "" {
		if err := draw(*pictures, all); err != nil {
			return err
		}
	}
	if *document == "" {
		return nil
	}
	text := tables.String()
	return replace(*document, &text)
}

// draw writes the pictures of a folder: the CPU of both sides and the leader's allocations, where a load is large enough
// for that.
func draw(dir string, all []*measured) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, m := range all {
		if m.cfg.Rate > 0 {
			continue
		}
		for _, one := range []struct {
			name, kind string
			side       *side
		}{{"leader", "cpu", m.leader}, {"follower", "cpu", m.follower}, {"leader", "alloc_space", m.leader}} {
			p, what := one.side.cpu, "CPU"
			if one.kind != "cpu" {
				p, what = one.side.allocs, "allocated bytes"
			}
			value, err := valueOf(p, one.kind)
			if err != nil {
				return err
			}
			file := fmt.Sprintf("%s-%s-%s.svg", m.name, one.name, strings.ReplaceAll(one.kind, "_space", ""))
			text := picture(fmt.Sprintf("%s, %s: %s", m.name, one.name, what), p, value)
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// The marks of a document around what is replaced.
const (
	beginMark = "<!-- account: written by make bench-account -->\n"
	endMark   = "<!-- account: end -->\n"
)

// replace puts a text between the marks of a document; without one it only looks for them.
func replace(path string, text *string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(old), beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return fmt.Errorf("%s lacks the lines %q and %q", path, strings.TrimSpace(beginMark), strings.TrimSpace(endMark))
	}
	if text == nil {
		return nil
	}
	return os.WriteFile(path, []byte(before+beginMark+"\n"+*text+"\n"+endMark+after), 0o644)
}
