package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// TestDatabaseElsewhere: the databases of three nodes lie on one disk, each in a directory of its own, and are found
// again; a node whose database is not where the setting says refuses to start, with all of the disk as it was.
func TestDatabaseElsewhere(t *testing.T) {
	disk := t.TempDir()
	foreign := filepath.Join(disk, "not-ours")
	if err := os.WriteFile(foreign, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := startCluster(t, 3, func(cfg *Config) { cfg.DBPath = disk })
	acked := c.submit(20)
	for _, n := range c.nodes {
		if _, err := os.Stat(filepath.Join(disk, "haiku-"+n.ID().String(), "CURRENT-DB")); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(n.path, defaultDBPath)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("there is something at the default place: %v", err)
		}
	}
	n := c.nodes[2]
	c.crash(n)
	refused := func(dbPath, word string) {
		t.Helper()
		dir := openDir(t, n.path)
		defer dir.Close()
		cfg := Default()
		cfg.Dir, cfg.DBPath = dir, dbPath
		node, err := Open(cfg)
		if err == nil {
			node.Close()
			t.Fatalf("%s: an empty database was opened", dbPath)
		}
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: the error does not say %q: %v", dbPath, word, err)
		}
	}
	refused(defaultDBPath, "db_path")
	refused(t.TempDir(), "db_path")
	refused(filepath.Join(disk, "gone"), "has to exist")
	refused(foreign, "no directory")
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
	c.start(n, nil)
	c.sameState()
	c.mustHave(acked)
}

// TestDatabaseBelow: a relative path is below the data directory, which can be moved as a whole.
func TestDatabaseBelow(t *testing.T) {
	c := startCluster(t, 1, func(cfg *Config) { cfg.DBPath = "fast/db" })
	acked := c.submit(3)
	n := c.nodes[0]
	c.crash(n)
	moved := n.path + "-moved"
	if err := os.Rename(n.path, moved); err != nil {
		t.Fatal(err)
	}
	n.path = moved
	if _, err := os.Stat(filepath.Join(moved, "fast", "db", "CURRENT-DB")); err != nil {
		t.Error(err)
	}
	c.start(n, nil)
	c.leader()
	c.mustHave(acked)
}

// TestUnusableOptionIsRefused: what the store refuses ends the start, with an error that names it.
func TestUnusableOptionIsRefused(t *testing.T) {
	cfg := Default()
	cfg.Dir, cfg.Bootstrap, cfg.Store.EnableWAL = openDir(t, t.TempDir()), true, false
	if _, err := Open(cfg); !errors.Is(err, task.ErrInvalid) || !strings.Contains(err.Error(), "enable_wal") {
		t.Error(err)
	}
}
