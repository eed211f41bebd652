package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/cluster"
	"github.com/haiku-queue/haiku/config"
	"github.com/haiku-queue/haiku/internal/progress"
	"github.com/haiku-queue/haiku/store"
)

func restoreCommand() *cobra.Command {
	cfg := cluster.RestoreConfig{DataDir: config.Default().DataDir, Store: store.Default()}
	cmd := &cobra.Command{
		Use: "restore --from FILE", Short: "Make the data directory of a new cluster of one node from a saved snapshot",
		Long: "Make the data directory of a new cluster of one node from a snapshot that `haiku snapshot save` wrote.\n\n" +
			"The file is checked in full first, and the directory is replaced in one step at the end: if anything goes wrong, it\n" +
			"is as it was. Other nodes then join with empty directories.",
		Args: func(cmd *cobra.Command, args []string) error {
			if cfg.From == "" {
				return errors.New("--from is missing: the snapshot's file")
			}
			return cobra.NoArgs(cmd, args)
		},
		RunE: func(*cobra.Command, []string) error {
			bars := &bars{}
			cfg.Reading = bars.begin
			done, err := cluster.Restore(cfg)
			bars.end()
			if err != nil {
				return err
			}
			s := &done.Snapshot
			fmt.Printf("restored %s: cluster %s up to index %d, as the new cluster %s with node %s\n", cfg.From, s.ClusterID, s.Index,
				done.ClusterID, done.NodeID)
			if done.Aside != "" {
				fmt.Printf("what was there is in %s\n", done.Aside)
			}
			if cfg.DispatchPaused {
				fmt.Println("no task is handed out until: haiku cluster resume")
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.From, "from", "", "the snapshot's file")
	flags.StringVar(&cfg.DataDir, "data-dir", cfg.DataDir, "data directory to make")
	flags.BoolVar(&cfg.Force, "force", false, "also over a directory that has data: it is moved aside, to DIR.reset-N")
	flags.BoolVar(&cfg.DispatchPaused, "dispatch-paused", false, "hand out no task until `haiku cluster resume`")
	return cmd
}

// bars shows one pass after the other.
type bars struct{ now *progress.Bar }

func (b *bars) begin(what string, size int64, r io.Reader) io.Reader {
	b.end()
	b.now = progress.New(os.Stderr, what, size)
	return b.now.Reader(r)
}

func (b *bars) end() {
	b.now.Clear()
	b.now = nil
}
