package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError says what a flag allows, instead of how its value could not be read. What says so itself stays.
func flagError(_ *cobra.Command, err error) error {
	var wrong *pflag.InvalidValueError
	if !errors.As(err, &wrong) {
		return err
	}
	wants := ""
	switch wrong.GetFlag().Value.Type() {
	case "duration":
		wants = "a duration such as 90s, 15m or 36h"
	case "uint8":
		wants = "a whole number from 0 to 255"
	case "uint32":
		wants = "a whole number from 0 to 4294967295"
	case "int":
		wants = "a whole number"
	case "bool":
		wants = "true or false"
	default:
		return err
	}
	return fmt.Errorf("--%s %q is not %s", wrong.GetFlag().Name, wrong.GetValue(), wants)
}

// noArgs refuses arguments of a command that takes none.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q is too much: no argument is allowed", args[0])
	}
	return nil
}

// fileError is the error of a file that the command line names.
func fileError(err error) error { return &usageError{err} }
