package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run carries out one command line and returns its exit code.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	a := &app{in: in, out: out, errOut: errOut, retryFor: retryFor}
	root := a.rootCommand()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !a.started {
		err = &usageError{fmt.Errorf("%w; %s", err, allowed(cmd))}
	}
	var said *saidError
	if errors.As(err, &said) {
		return said.code
	}
	fmt.Fprintf(errOut, "haiku: %s\n", oneLine(err))
	return exitCode(err)
}

// allowed says how a command is written.
func allowed(cmd *cobra.Command) string {
	if !cmd.HasSubCommands() {
		return "usage: " + cmd.UseLine()
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return "allowed are " + strings.Join(names, ", ")
}

// oneLine is the error's text without line breaks.
func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
