package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/config"
	"github.com/haiku-queue/haiku/task"
)

func (a *app) queueLimitCommand() *cobra.Command {
	var typ, concurrency, rate, depth, bytes string
	var burst uint32
	cmd := &cobra.Command{
		Use: "limit QUEUE", Short: "Limit a queue, or a type in it: tasks at once, tasks a second, tasks and bytes that wait",
		Long: "Limit a queue, or a type in it. What is not given stays as it is; none or 0 removes a limit.\n" +
			"Over --depth or --bytes a submit is refused as queue_full; all else goes on.",
		Args: cobra.ExactArgs(1),
	}
	flags := cmd.Flags()
	flags.StringVar(&typ, "type", "", "only this type")
	flags.StringVar(&concurrency, "concurrency", "", "`TASKS` that run at once in the whole cluster")
	flags.StringVar(&rate, "rate", "", "tasks that are handed out: `N/s`, N/m, N/h or N/DURATION")
	flags.Uint32Var(&burst, "burst", 0, "with --rate: tasks at once after a rest; N if not given")
	flags.StringVar(&depth, "depth", "", "`TASKS` that wait")
	flags.StringVar(&bytes, "bytes", "", "payload of the tasks that wait: `SIZE`, such as 64MiB")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		change := task.QueueChange{Queue: args[0], Type: typ}
		var problem error
		number := func(flag, text, what string, parse func(string) (uint64, error), most uint64) *uint64 {
			if !flags.Changed(flag) || problem != nil {
				return nil
			}
			n, err := parseLimit(text, what, parse, most)
			if err != nil {
				problem = &usageError{fmt.Errorf("--%s: %w", flag, err)}
			}
			return &n
		}
		if n := number("concurrency", concurrency, "a number", parseTasks, task.MaxConcurrency); n != nil {
			small := uint32(*n)
			change.Concurrency = &small
		}
		change.Depth = number("depth", depth, "a number", parseTasks, task.MaxDepth)
		change.Bytes = number("bytes", bytes, "a size such as 64MiB", parseBytes, task.MaxQueueBytes)
		if problem != nil {
			return problem
		}
		if flags.Changed("rate") {
			r, err := parseRate(rate, burst, flags.Changed("burst"))
			if err != nil {
				return &usageError{err}
			}
			change.Rate = &r
		} else if flags.Changed("burst") {
			return &usageError{fmt.Errorf("--burst: give --rate too")}
		}
		if change.Concurrency == nil && change.Depth == nil && change.Bytes == nil && change.Rate == nil {
			return &usageError{errors.New("give at least one of --concurrency, --rate, --depth and --bytes")}
		}
		return a.changeQueue(cmd, change)
	}
	return cmd
}

func (a *app) queueAgingCommand() *cobra.Command {
	return &cobra.Command{
		Use: "aging QUEUE DURATION|off", Short: "Let tasks of a queue gain one priority for each DURATION that they wait, or go by priority alone",
		Long: "Let tasks of a queue gain one priority for each DURATION that they wait, so that none waits for ever; off: the\n" +
			"higher priority always goes first. A task keeps the order that its queue had when it was submitted.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var d time.Duration
			if args[1] != "off" {
				var err error
				if d, err = time.ParseDuration(args[1]); err != nil || d <= 0 {
					return &usageError{fmt.Errorf("%q is neither a duration such as 30s or 10m nor off", args[1])}
				}
			}
			return a.changeQueue(cmd, task.QueueChange{Queue: args[0], Aging: &d})
		},
	}
}

// parseLimit reads a limit; none is 0.
func parseLimit(text, what string, parse func(string) (uint64, error), most uint64) (uint64, error) {
	if text == "none" {
		return 0, nil
	}
	n, err := parse(text)
	if err != nil || n > most {
		return 0, fmt.Errorf("%q is neither none nor %s up to %d", text, what, most)
	}
	return n, nil
}

func parseTasks(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }

func parseBytes(text string) (uint64, error) {
	n, err := config.ParseSize(text)
	return uint64(n), err
}

// parseRate reads N/s, N/m, N/h or N/DURATION; none and 0 are no limit.
func parseRate(text string, burst uint32, withBurst bool) (r task.Rate, err error) {
	if text == "none" || text == "0" {
		if withBurst {
			return r, fmt.Errorf("--burst is for a --rate other than none only")
		}
		return r, nil
	}
	count, per, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(count, 10, 32)
	if err == nil {
		if per == "s" || per == "m" || per == "h" || per == "ms" {
			per = "1" + per
		}
		r.Per, err = time.ParseDuration(per)
	}
	if err != nil || n == 0 {
		return r, fmt.Errorf("--rate: %q is neither none nor a rate such as 100/s, 5000/h or 3/10s", text)
	}
	r.Count, r.Burst = uint32(n), uint32(n)
	if withBurst {
		r.Burst = burst
	}
	return r, nil
}

// settings says in one line what is set.
func (f *queueForm) settings() string {
	var parts []string
	add := func(set bool, format string, args ...any) {
		if set {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(f.Paused && f.Reason == "", "paused")
	add(f.Paused && f.Reason != "", "paused (%s)", f.Reason)
	add(f.Concurrency > 0, "concurrency %d", f.Concurrency)
	add(f.Rate != "", "rate %s burst %d", f.Rate, f.Burst)
	add(f.Depth > 0, "depth %d", f.Depth)
	add(f.Bytes > 0, "bytes %d", f.Bytes)
	add(f.Aging != "", "aging %s", f.Aging)
	return strings.Join(parts, ", ")
}
