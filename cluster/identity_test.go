package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/member"
)

func openDir(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestDirKeepsItsIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "data")
	d := openDir(t, path)
	id := d.NodeID()
	if id.IsZero() || !d.ClusterID().IsZero() {
		t.Fatalf("fresh directory has node %s, cluster %s", id, d.ClusterID())
	}
	if st, err := os.Stat(d.Group()); err != nil || !st.IsDir() {
		t.Fatalf("group directory: %v", err)
	}
	if err := d.Assign(member.ID{1}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.Assign(member.ID{1}), d.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	again := openDir(t, path)
	if again.NodeID() != id || again.ClusterID() != (member.ID{1}) {
		t.Errorf("reopened as node %s, cluster %s", again.NodeID(), again.ClusterID())
	}
	if err := again.Assign(member.ID{2}); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("assigned to a second cluster: %v", err)
	}
	if other := openDir(t, t.TempDir()); other.NodeID() == id {
		t.Error("two directories got the same node id")
	}
}

func TestDirIsHeldByOneProcess(t *testing.T) {
	path := t.TempDir()
	d := openDir(t, path)
	if _, err := OpenDir(path); !errors.Is(err, ErrDirInUse) {
		t.Errorf("second OpenDir: %v", err)
	}
	if _, err := MoveAside(path); !errors.Is(err, ErrDirInUse) {
		t.Errorf("reset of an open directory: %v", err)
	}
	d.Close()
	openDir(t, path)
}

func TestDamagedDirIsRefused(t *testing.T) {
	for name, content := range map[string]string{
		"torn":           `{"format": 1, "node_i`,
		"empty":          ``,
		"no node id":     `{"format": 1, "cluster_id": "00000000000000000000000000000001"}`,
		"bad id":         `{"format": 1, "node_id": "xyz"}`,
		"later format":   `{"format": 2, "node_id": "00000000000000000000000000000001"}`,
		"far too large":  `{"format": 1, "node_id": "00000000000000000000000000000001"` + strings.Repeat(" ", maxIdentity) + `}`,
		"not a document": "\x00\x00\x00\x00",
	} {
		path := t.TempDir()
		if err := os.WriteFile(filepath.Join(path, identityName), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenDir(path); !errors.Is(err, ErrDirDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	path := t.TempDir()
	d := openDir(t, path)
	d.Close()
	if err := os.Remove(filepath.Join(path, identityName)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDir(path); !errors.Is(err, ErrDirDamaged) {
		t.Errorf("content without identity: %v", err)
	}
}

func TestFirstStartThatDidNotFinishIsRepeated(t *testing.T) {
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, identityTemp), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if d := openDir(t, path); d.NodeID().IsZero() {
		t.Error("no node id")
	}
}

func TestMoveAsideKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	for n, want := range []string{path + ".reset-1", path + ".reset-2"} {
		d := openDir(t, path)
		id := d.NodeID()
		d.Close()
		aside, err := MoveAside(path)
		if err != nil || aside != want {
			t.Fatalf("reset %d moved to %q: %v", n, aside, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory is still there: %v", err)
		}
		if moved := openDir(t, aside); moved.NodeID() != id {
			t.Error("the directory that was moved aside lost its identity")
		}
	}
	if _, err := MoveAside(path); err == nil {
		t.Error("reset of nothing succeeded")
	}
}
