package main

import (
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestExamples: each command shows an example, and each example is a command line that is well-formed.
func TestExamples(t *testing.T) {
	newRoot := func() *cobra.Command {
		return (&app{in: strings.NewReader(""), out: io.Discard, errOut: io.Discard}).rootCommand()
	}
	shown := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			walk(c)
		}
		if cmd.HasSubCommands() {
			return
		}
		if cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
			return
		}
		for line := range strings.Lines(cmd.Example) {
			shown++
			words, root := split(t, line), newRoot()
			found, rest, err := root.Find(words[1:])
			if err != nil || found.CommandPath() != cmd.CommandPath() {
				t.Errorf("%q is shown by %s: %v", line, cmd.CommandPath(), err)
				continue
			}
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%q: %v", line, err)
			} else if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
	walk(newRoot())
	if shown != len(examples) {
		t.Errorf("%d of %d examples are shown", shown, len(examples))
	}
}

// split has a shell find the words of a line up to a pipe or a redirection.
func split(t *testing.T, line string) []string {
	t.Helper()
	line, _, _ = strings.Cut(strings.TrimSpace(line), " | ")
	line, _, _ = strings.Cut(line, " > ")
	out, err := exec.Command(shell, "-c", `printf '%s\n' `+line).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}
