package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/config"
	"github.com/haiku-queue/haiku/internal/buildinfo"
)

func (a *app) configCommand() *cobra.Command {
	sample := &cobra.Command{
		Use: "sample", Short: "Print a settings file for haikud: every key, its default and what it is for",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(a.out, config.Sample())
			return err
		},
	}
	validate := &cobra.Command{
		Use: "validate FILE", Short: "Check a settings file for haikud and name every problem", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := config.Load(nil, nil, args[0]); err != nil {
				return fileError(err)
			}
			a.say("%s is fine.", args[0])
			return nil
		},
	}
	return a.group("config", "Settings of haikud", sample, validate)
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, "haiku", buildinfo.Version())
			return err
		},
	}
}
