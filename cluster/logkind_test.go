package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

var otherKind = map[LogKind]LogKind{LogBolt: LogWAL, LogWAL: LogBolt}

// TestExistingLog: a new log beside an existing one would be one that forgot what the node acknowledged.
func TestExistingLog(t *testing.T) { bothKinds(t, existingLogIsFound) }

func existingLogIsFound(t *testing.T, kind LogKind) {
	group := t.TempDir()
	if _, err := existingLog(group); !errors.Is(err, ErrDirDamaged) {
		t.Errorf("without a log: %v", err)
	}
	openLog(t, group, kind).Close()
	if got, err := existingLog(group); err != nil || got != kind {
		t.Fatalf("found %q, %v", got, err)
	}
	if err := os.Remove(kind.proof(group)); err != nil {
		t.Fatal(err)
	}
	if _, err := existingLog(group); !errors.Is(err, ErrDirDamaged) {
		t.Errorf("without %s: %v", kind.proof(group), err)
	}
	if err := os.RemoveAll(filepath.Join(group, kind.fileName())); err != nil {
		t.Fatal(err)
	}
	openLog(t, group, kind).Close()
	openLog(t, group, otherKind[kind]).Close()
	if _, err := existingLog(group); !errors.Is(err, ErrDirDamaged) {
		t.Errorf("with both: %v", err)
	}
}
