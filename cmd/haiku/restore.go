package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"
)

// daemonName is the program that restores: this one links no database.
const daemonName = "haikud"

func (a *app) restoreCommand() *cobra.Command {
	var dir string
	var force, paused bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Make the data directory of a new cluster of one node from a snapshot, by haikud restore",
		Long: "Make the data directory of a new cluster of one node from a snapshot.\n\n" +
			"This runs `haikud restore`, found beside this program or in PATH, on this machine. No node may run on the directory.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir == "" {
				return &usageError{errors.New("--data-dir is missing: where to restore to")}
			}
			program, err := findDaemon()
			if err != nil {
				return err
			}
			line := []string{"restore", "--from", args[0], "--data-dir", dir}
			if force {
				line = append(line, "--force")
			}
			if paused {
				line = append(line, "--dispatch-paused")
			}
			run := exec.CommandContext(cmd.Context(), program, line...)
			run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
			run.Stdin, run.Stdout, run.Stderr = a.in, a.out, a.errOut
			var exit *exec.ExitError
			if err := run.Run(); errors.As(err, &exit) {
				return &saidError{exit.ExitCode()}
			} else if err != nil {
				return fmt.Errorf("run %s: %w", program, err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "data-dir", "", "data directory to make")
	cmd.Flags().BoolVar(&force, "force", false, "also over a directory that has data: it is moved aside, to DIR.reset-N")
	cmd.Flags().BoolVar(&paused, "dispatch-paused", false, "hand out no task until `haiku cluster resume`")
	return cmd
}

// findDaemon looks beside this program first, so that both are of one version.
func findDaemon() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), daemonName)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath(daemonName)
	if err != nil {
		return "", fmt.Errorf("%s is needed to restore, beside this program or in PATH: %w", daemonName, err)
	}
	return path, nil
}

// saidError is the end of another program that has told why itself.
type saidError struct{ code int }

func (e *saidError) Error() string { return fmt.Sprintf("%s ended with code %d", daemonName, e.code) }
