package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/progress"
	"github.com/haiku-queue/haiku/snapshot"
)

// standard stands for standard output or input instead of a file.
const standard = "-"

func (a *app) snapshotCommand() *cobra.Command {
	return a.group("snapshot", "Save the state of a running cluster to a file, look at such a file, restore it",
		a.saveCommand(), a.inspectCommand(), a.restoreCommand())
}

// snapshotForm is a snapshot as scripts see it.
type snapshotForm struct {
	File string `json:"file"`
	snapshot.Info
	Bytes     int64  `json:"bytes"`
	StateHash string `json:"state_hash"`
	Hash      string `json:"hash"`
}

func formOf(file string, s *snapshot.Summary) snapshotForm {
	return snapshotForm{
		File: file, Info: s.Info, Bytes: s.Size, StateHash: hex.EncodeToString(s.StateHash[:]), Hash: hex.EncodeToString(s.Hash[:]),
	}
}

// all counts the tasks, whatever their status.
func (f *snapshotForm) all() uint64 {
	t := &f.Tasks
	return t.Pending + t.InProgress + t.Completed + t.Failed + t.DeadLetter + t.Cancelled
}

func (f *snapshotForm) line() string {
	return fmt.Sprintf("%s: cluster %s, index %d, term %d, %d tasks, %s, hash %s", f.File, f.ClusterID, f.Index, f.Term, f.all(),
		progress.Bytes(f.Bytes), f.Hash)
}

func (a *app) saveCommand() *cobra.Command {
	var stale bool
	cmd := &cobra.Command{
		Use: "save FILE", Short: "Write the state of the node at --addr to a file, while everything goes on", Args: cobra.ExactArgs(1),
		Long: "Write the state of the node at --addr to a file, while everything goes on.\n\n" +
			"It holds all that was acknowledged before the command began, whichever node it comes from. FILE is there only once\n" +
			"it is whole and on the disk; one of that name is replaced then. With - it goes to standard output.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd, noLimit, func(ctx context.Context, c *client.Client) error { return a.save(ctx, c, args[0], stale) })
		},
	}
	cmd.Flags().BoolVar(&stale, "stale", false, "what that node knows, without asking the leader: for a cluster that has none")
	return cmd
}

func (a *app) save(ctx context.Context, c *client.Client, file string, stale bool) error {
	from, err := c.OpenSnapshot(ctx, stale)
	if err != nil {
		return err
	}
	defer from.Close()
	if file == standard {
		form, err := a.receive(from, a.out, "standard output")
		if err == nil {
			a.say("%s", form.line())
		}
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part-*")
	if err != nil {
		return fileError(err)
	}
	form, err := a.receive(from, part, file)
	if err == nil {
		err = part.Sync()
	}
	if err = errors.Join(err, part.Close()); err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	if err := syncDir(filepath.Dir(file)); err != nil {
		return err
	}
	return a.print(form, func(w io.Writer) { row(w, form.line()) })
}

// receive writes a snapshot as it comes, and checks it meanwhile.
func (a *app) receive(from *client.Snapshot, to io.Writer, name string) (*snapshotForm, error) {
	bar := progress.New(a.errOut, "saving", from.Size())
	defer bar.Clear()
	s, err := snapshot.Verify(io.TeeReader(bar.Reader(from), to))
	if err != nil {
		return nil, fmt.Errorf("save snapshot of %s: %w", from.Address(), err)
	}
	form := formOf(name, s)
	return &form, nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (a *app) inspectCommand() *cobra.Command {
	return &cobra.Command{
		Use: "inspect FILE", Short: "Check a snapshot in full and show what is in it, without any node", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			from, size, err := a.openFile(args[0])
			if err != nil {
				return err
			}
			defer from.Close()
			bar := progress.New(a.errOut, "reading", size)
			s, err := snapshot.Verify(bar.Reader(from))
			bar.Clear()
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			form := formOf(args[0], s)
			return a.print(form, func(w io.Writer) { writeSnapshot(w, &form) })
		},
	}
}

// openFile opens a file, or standard input, and says how large it is; 0 if that is not known.
func (a *app) openFile(name string) (io.ReadCloser, int64, error) {
	if name == standard {
		return io.NopCloser(a.in), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, fileError(err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func writeSnapshot(w io.Writer, f *snapshotForm) {
	row(w, "cluster:", f.ClusterID)
	row(w, "taken:", f.TakenAt.Format(time.RFC3339Nano))
	row(w, "from node:", fmt.Sprintf("%s (%s)", f.NodeID, f.NodeName))
	row(w, "index:", f.Index)
	row(w, "term:", f.Term)
	for _, m := range f.Members {
		vote := "votes"
		if !m.Voter {
			vote = "has no vote"
		}
		row(w, "member:", fmt.Sprintf("%s (%s) at %s, %s", m.ID, m.Name, m.Address, vote))
	}
	t := &f.Tasks
	row(w, "tasks:", f.all())
	row(w, "pending:", fmt.Sprintf("%d (ready %d, scheduled %d, blocked %d)", t.Pending, t.Ready, t.Scheduled, t.Blocked))
	row(w, "in progress:", t.InProgress)
	row(w, "failed:", t.Failed)
	row(w, "completed:", t.Completed)
	row(w, "dead letters:", t.DeadLetter)
	row(w, "cancelled:", t.Cancelled)
	row(w, "state hash:", f.StateHash)
	row(w, "size:", fmt.Sprintf("%d bytes", f.Bytes))
	row(w, "hash:", f.Hash)
	row(w, "version:", f.Version)
}
