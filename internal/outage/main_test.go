package outage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Paths of the binaries under test.
var haikud, haiku string

func TestMain(m *testing.M) { os.Exit(withBinaries(m.Run)) }

// withBinaries builds haikud and haiku once for all tests.
func withBinaries(run func() int) int {
	dir, err := os.MkdirTemp("", "haiku-outage-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	haikud, haiku = filepath.Join(dir, "haikud"), filepath.Join(dir, "haiku")
	for path, source := range map[string]string{haikud: "../../cmd/haikud", haiku: "../../cmd/haiku"} {
		build := exec.Command("go", "build", "-o", path, source)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n", source, err)
			return 1
		}
	}
	return run()
}
