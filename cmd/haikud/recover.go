package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/config"
	"github.com/haiku-queue/haiku/internal/buildinfo"
	"github.com/haiku-queue/haiku/internal/progress"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// recovery is one run of `haikud recover`.
type recovery struct {
	file, dir, output string
	dryRun            bool
}

func recoverCommand() *cobra.Command {
	r := &recovery{}
	cmd := &cobra.Command{
		Use: "recover", Short: "Verify and repair the database of a stopped node",
		Long: "Verify and repair the database of a stopped node.\n\n" +
			"Every index entry is compared with the tasks' records and the other way round, and all counters are counted anew.\n" +
			"What is derived from records is repaired; a record never is. On a node that is all of its cluster, running tasks are\n" +
			"then put back to wait. A member of a larger cluster keeps them: there the leader ends the leases of lost workers.\n\n" +
			"Exit code 1 says that something stays wrong: with --dry-run anything that was found, else damage.",
		Args: func(cmd *cobra.Command, args []string) error {
			if r.output != "table" && r.output != "json" {
				return fmt.Errorf("-o %s: table or json", r.output)
			}
			return cobra.NoArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&r.dir, "data-dir", "", "data directory of the node; that of the settings if not given")
	flags.StringVar(&r.file, "config", os.Getenv("HAIKU_CONFIG"), "settings file (HAIKU_CONFIG)")
	flags.BoolVar(&r.dryRun, "dry-run", false, "only say what would be done")
	flags.StringVarP(&r.output, "output", "o", "table", "table or json")
	return cmd
}

func (r *recovery) run(ctx context.Context, out io.Writer) error {
	cfg, err := config.Load(nil, os.Environ(), r.file)
	if err != nil {
		return err
	}
	if r.dir != "" {
		cfg.DataDir = r.dir
	}
	limitMemory(&cfg)
	node := cluster.Default()
	tune(&node, &cfg)
	node.Version = buildinfo.Version()
	node.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	steps := &steps{out: os.Stderr}
	done, err := cluster.Recover(ctx, cluster.Recovery{Path: cfg.DataDir, DryRun: r.dryRun, Node: node, Progress: steps.tell})
	steps.end()
	if err != nil {
		return err
	}
	if err := r.print(out, &done); err != nil {
		return err
	}
	if done.Found.Damaged > 0 {
		return errors.New("there is damage that cannot be repaired here; `haikud reset` moves the directory aside: the node then " +
			"joins its cluster anew, or `haikud restore` makes a new one from a saved snapshot")
	}
	if !done.Found.Healthy() {
		return errors.New("there is something to repair; nothing was changed")
	}
	return nil
}

// recoveredForm is the outcome as scripts see it.
type recoveredForm struct {
	NodeID    member.ID `json:"node_id"`
	ClusterID member.ID `json:"cluster_id"`
	Members   int       `json:"members"`
	Solo      bool      `json:"solo"`
	Running   uint64    `json:"running"`
	Moved     uint64    `json:"moved"`
	task.Verification
	ElapsedSeconds float64 `json:"elapsed_seconds"`
}

func (r *recovery) print(out io.Writer, done *cluster.Recovered) error {
	if r.output == "json" {
		form := recoveredForm{
			done.NodeID, done.ClusterID, done.Members, done.Solo, done.Running, done.Moved, done.Found, done.Found.Elapsed.Seconds(),
		}
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(&form)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	f := &done.Found
	for _, row := range []struct {
		name  string
		value any
	}{
		{"node", done.NodeID}, {"cluster", fmt.Sprintf("%s, of %d", done.ClusterID, done.Members)},
		{"records read", f.Records}, {"index entries checked", f.Checked}, {"added", f.Added}, {"rewritten", f.Rewritten},
		{"removed", f.Removed}, {"counters corrected", f.Corrected}, {"damaged", f.Damaged}, {"verified in", f.Elapsed},
		{"running tasks", r.running(done)},
	} {
		fmt.Fprintf(w, "%s:\t%v\n", row.name, row.value)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, problem := range f.Problems {
		fmt.Fprintln(out, "-", problem)
	}
	if more := f.Wrong() + f.Damaged - uint64(len(f.Problems)); more > 0 {
		fmt.Fprintln(out, "- and", more, "more")
	}
	if r.dryRun {
		fmt.Fprintln(out, "This was a dry run: the database was opened to be read only, nothing of the log was applied.")
	}
	return nil
}

// running says what became of the running tasks, and why.
func (r *recovery) running(done *cluster.Recovered) string {
	switch {
	case done.Found.Damaged > 0:
		return "not touched, for there is damage"
	case !done.Solo:
		return fmt.Sprintf("%d, not touched: this is a member of a larger cluster, whose leader watches over them", done.Running)
	case r.dryRun:
		return fmt.Sprintf("%d would be put back", done.Running)
	}
	return fmt.Sprintf("%d put back", done.Moved)
}

// steps shows how far a recovery is: as a bar to a person, else as a line now and then.
type steps struct {
	out  io.Writer
	step string
	bar  *progress.Bar
	told uint64 // tenths
}

func (s *steps) tell(step string, done, total uint64) {
	if step != s.step {
		s.end()
		s.step, s.bar, s.told = step, progress.NewCount(s.out, step), 0
	}
	if s.bar != nil {
		s.bar.Set(int64(done), int64(total))
		return
	}
	if tenths := done * 10 / max(total, 1); tenths > s.told {
		s.told = tenths
		fmt.Fprintf(s.out, "%s: %d of %d\n", step, done, total)
	}
}

func (s *steps) end() {
	s.bar.Clear()
	s.bar = nil
}
