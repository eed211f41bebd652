//go:build !linux

package cluster

import (
	"errors"
	"fmt"
)

// exchange would swap two names in one step.
func exchange(a, b string) error {
	return fmt.Errorf("swap %s and %s: %w", a, b, errors.ErrUnsupported)
}
