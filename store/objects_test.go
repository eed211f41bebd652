package store

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/internal/damage"
	"github.com/haiku-queue/haiku/task"
)

// TestEverythingIsFreed takes a store through everything that makes objects in C memory, with snapshots and checkpoints
// that nobody gives back before Close: it counts none afterwards.
func TestEverythingIsFreed(t *testing.T) {
	s := newStoreOf(t, testConfig(t))
	for n := range 50 {
		liveOnce(t, s, n+1)
		submit(t, s, newTask(1000+n, func(x *task.Spec) { x.Payload = make([]byte, 5000) }))
	}
	c := mustCheckpoint(t, s)
	stream := mustRead(t, c)
	if _, err := c.StateHash(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept := s.Snapshot()
	if err := s.Restore(bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(bytes.NewReader(stream[:len(stream)-1])); err == nil || errors.Is(err, errObjects) {
		t.Fatalf("a stream that was cut short: %v", err)
	}
	late := s.Snapshot()
	if _, err := s.Verify(t.Context(), VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Witness(Applied{Index: 10_000, Term: 1}), s.Sync()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Usage(); err != nil {
		t.Fatal(err)
	}
	d := s.d
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := errors.Join(d.objects.none(), s.objects.none()); err != nil {
		t.Error(err)
	}
	kept.Release()
	late.Release()
	if err := errors.Join(d.objects.none(), s.objects.none()); err != nil {
		t.Error("after late releases: ", err)
	}
}

func newStoreOf(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFailedOpensFreeEverything opens what cannot be opened, for every reason that there is.
func TestFailedOpensFreeEverything(t *testing.T) {
	cfg := testConfig(t)
	s := newStoreOf(t, cfg)
	for n := range 20 {
		submit(t, s, newTask(n+1, nil))
	}
	flushAll(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(t *testing.T, db string){
		"no CURRENT":  func(t *testing.T, db string) { remove(t, filepath.Join(db, "CURRENT")) },
		"no MANIFEST": func(t *testing.T, db string) { remove(t, oneOf(t, db, "MANIFEST-*")) },
		"no tables":   func(t *testing.T, db string) { remove(t, oneOf(t, db, "*.sst")) },
		"a bad table": func(t *testing.T, db string) { overwrite(t, oneOf(t, db, "*.sst"), 4) },
		"no marker":   func(t *testing.T, db string) { remove(t, filepath.Join(filepath.Dir(db), currentFile)) },
		"in use": func(t *testing.T, db string) {
			other := cfg
			other.Dir = filepath.Dir(db)
			mustOpen(t, other)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bad := cfg
			bad.Dir, bad.Create = filepath.Join(t.TempDir(), "store"), true
			if err := damage.CopyDir(cfg.Dir, bad.Dir); err != nil {
				t.Fatal(err)
			}
			spoil(t, filepath.Join(bad.Dir, firstDB))
			s, err := Open(bad)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if errors.Is(err, errObjects) {
				t.Error(err)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func oneOf(t *testing.T, dir, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(paths) == 0 {
		t.Fatal(pattern, err)
	}
	return paths[0]
}

func overwrite(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 0xff
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestForgottenObjectsAreTold: Close says what was not freed.
func TestForgottenObjectsAreTold(t *testing.T) {
	s := newStoreOf(t, testConfig(t))
	forgotten := s.d.readOptions()
	err := s.Close()
	if !errors.Is(err, errObjects) || !strings.Contains(err.Error(), "1 of kind read options") {
		t.Errorf("Close: %v", err)
	}
	forgotten.Destroy()
}

var makesObject = regexp.MustCompile(`^(New(Default|Native|Write|LRU|Iterator|Snapshot|Checkpoint).*|Open.*|Get(Pinned)?(CF)?|MultiGet.*|WriteBatchFrom|GetOptionsFromString)$`)

// TestEveryObjectIsCounted: a function that has RocksDB make an object counts it.
func TestEveryObjectIsCounted(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			made, counted := objectCalls(fn)
			if found += made; made > counted {
				t.Errorf("%s: %s makes objects %d times and counts %d times", name, fn.Name.Name, made, counted)
			}
		}
	}
	if found < 12 {
		t.Errorf("%d places make objects: the test does not see them", found)
	}
}

// objectCalls tells how often a function has an object made, and how often it counts one.
func objectCalls(fn *ast.FuncDecl) (made, counted int) {
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch f := call.Fun.(type) {
		case *ast.Ident:
			if f.Name == "counted" {
				counted++
			}
		case *ast.SelectorExpr:
			inner, _ := f.X.(*ast.SelectorExpr)
			outer, _ := f.X.(*ast.Ident)
			ofRocks := outer != nil && outer.Name == "grocksdb" || inner != nil && inner.Sel.Name == "db"
			if ofRocks && makesObject.MatchString(f.Sel.Name) {
				made++
			}
			if f.Sel.Name == "add" && inner != nil && inner.Sel.Name == "objects" {
				counted++
			}
		}
		return true
	})
	return made, counted
}
