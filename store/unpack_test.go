package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/haiku-queue/haiku/snapshot"
	"github.com/haiku-queue/haiku/task"
)

func TestUnpackMakesAStoreOfItsOwn(t *testing.T) {
	from := filled(t, 100)
	c := mustCheckpoint(t, from)
	stream := mustRead(t, c)
	cfg := testConfig(t)
	cfg.Dir = filepath.Join(t.TempDir(), "a", "store")
	bad := bytes.Clone(stream)
	bad[len(bad)/2] ^= 1
	if _, err := Unpack(cfg, bytes.NewReader(bad)); !errors.Is(err, snapshot.ErrDamaged) {
		t.Errorf("a damaged stream: %v", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Dir, currentFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left a store: %v", err)
	}
	s, err := Unpack(cfg, bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	mustCheck(t, s)
	if mustHash(t, s) != mustHash(t, from) || !sameApplied(s.Applied(), from.Applied()) || s.Stats().Total != c.Tasks() {
		t.Error("another state")
	}
	submit(t, s, newTask(1000, nil))
	hash := mustHash(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Unpack(cfg, bytes.NewReader(stream)); !errors.Is(err, task.ErrConflict) {
		t.Errorf("over a store: %v", err)
	}
	cfg.Create = false
	if s = mustOpen(t, cfg); mustHash(t, s) != hash {
		t.Error("another state after it was opened again")
	}
}

func TestCheckpointHashIsThatOfItsMoment(t *testing.T) {
	s := filled(t, 50)
	want := mustHash(t, s)
	c := mustCheckpoint(t, s)
	submit(t, s, newTask(1000, nil))
	for range 2 {
		if got, err := c.StateHash(t.Context()); err != nil || got != want {
			t.Errorf("%x, %v, want %x", got, err, want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.StateHash(ended); err == nil {
		t.Error("hashed although its context had ended")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.StateHash(t.Context()); !errors.Is(err, task.ErrShutdown) {
		t.Errorf("after the store was closed: %v", err)
	}
}
