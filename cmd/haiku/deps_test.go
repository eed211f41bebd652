package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPureGo: the command must be buildable and copyable anywhere, so it links neither RocksDB nor Raft, nor C at all.
func TestPureGo(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{len .CgoFiles}}", ".")
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 50 {
		t.Fatalf("go list names %d packages only", len(lines))
	}
	for _, line := range lines {
		path, cgo, _ := strings.Cut(line, " ")
		for _, banned := range []string{"grocksdb", "hashicorp/raft", "bbolt", "haiku/store", "haiku/fsm", "haiku/cluster", "runtime/cgo"} {
			if strings.Contains(path, banned) {
				t.Errorf("links %s", path)
			}
		}
		if cgo != "0" {
			t.Errorf("%s has C in it", path)
		}
	}
}
