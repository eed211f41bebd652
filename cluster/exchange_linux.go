package cluster

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// exchange swaps two names of one file system in one step.
func exchange(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = errors.ErrUnsupported // by the file system, or the kernel
	}
	if err != nil {
		return fmt.Errorf("swap %s and %s: %w", a, b, err)
	}
	return nil
}
