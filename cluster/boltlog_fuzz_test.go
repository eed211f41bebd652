package cluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
)

// FuzzBoltCheck: no content of the log's file makes the check panic or run for ever, and what it passes can be opened
// and read.
func FuzzBoltCheck(f *testing.F) {
	path := filepath.Join(f.TempDir(), "raft.db")
	b, _, err := openBoltLog(path)
	if err != nil {
		f.Fatal(err)
	}
	if err := b.StoreLogs([]*raft.Log{{Index: 1, Term: 1, Data: []byte("a")}, {Index: 2, Term: 1}}); err != nil {
		f.Fatal(err)
	}
	if err := b.Close(); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[:8*os.Getpagesize()])
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "raft.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if len(content) == 0 {
			return
		}
		b, extent, err := openBoltLog(path)
		if err != nil {
			return
		}
		defer b.Close()
		for i := extent.oldest(); i <= extent.last() && i > 0; i++ {
			var l raft.Log
			_ = b.GetLog(i, &l)
		}
	})
}
