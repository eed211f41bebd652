package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLogOfAnotherKindIsRefused: a new log beside an existing one would be one that forgot what the node acknowledged.
func TestLogOfAnotherKindIsRefused(t *testing.T) { bothKinds(t, logOfAnotherKindIsRefused) }

func logOfAnotherKindIsRefused(t *testing.T, kind LogKind) {
	other := map[LogKind]LogKind{LogBolt: LogWAL, LogWAL: LogBolt}[kind]
	group := t.TempDir()
	openLog(t, group, kind).Close()
	if err := checkLog(group, kind); err != nil {
		t.Fatal(err)
	}
	err := checkLog(group, other)
	if !errors.Is(err, errOtherLog) {
		t.Fatalf("taken as %s: %v", other, err)
	}
	for _, part := range []string{kind.fileName(), "raft.log_store: " + string(kind), string(other) + " is set", "haikud reset"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	if err := os.Remove(kind.proof(group)); err != nil {
		t.Fatal(err)
	}
	if err := checkLog(group, kind); !errors.Is(err, ErrDirDamaged) {
		t.Errorf("without %s: %v", kind.proof(group), err)
	}
	if err := os.RemoveAll(filepath.Join(group, kind.fileName())); err != nil {
		t.Fatal(err)
	}
	openLog(t, group, kind).Close()
	openLog(t, group, other).Close()
	if err := checkLog(group, kind); !errors.Is(err, ErrDirDamaged) {
		t.Errorf("with both: %v", err)
	}
}
