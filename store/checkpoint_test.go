package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/linxGnu/grocksdb"

	"github.com/haiku-queue/haiku/snapshot"
	"github.com/haiku-queue/haiku/task"
)

// filled is a store with tasks of several queues, payloads of all sizes and a configuration.
func filled(t testing.TB, tasks int) *Store {
	t.Helper()
	s := openTest(t)
	for i := 1; i <= tasks; i++ {
		submit(t, s, newTask(i, func(spec *task.Spec) {
			spec.Queue = fmt.Sprintf("q%d", i%3)
			spec.Payload = bytes.Repeat([]byte{byte(i), byte(i >> 8), 7}, i%5*1000)
		}))
	}
	if err := s.Witness(Applied{Index: s.Applied().Index + 2, Term: 3, Configuration: []byte("abc"), ConfigurationIndex: 2}); err != nil {
		t.Fatal(err)
	}
	return s
}

func mustCheckpoint(t testing.TB, s *Store) *Checkpoint {
	t.Helper()
	c, err := s.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Release)
	return c
}

func mustRead(t testing.TB, c *Checkpoint) []byte {
	t.Helper()
	r, err := c.Reader()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

// dirs names what is in the store's directory.
func dirs(t testing.TB, s *Store) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func sameApplied(a, b Applied) bool {
	return a.Index == b.Index && a.Term == b.Term && a.ConfigurationIndex == b.ConfigurationIndex && bytes.Equal(a.Configuration, b.Configuration)
}

func TestCheckpointRestoresTheSameState(t *testing.T) {
	from, to := filled(t, 300), filled(t, 20)
	foreign := writer{ids: &from.d.familyIDs}
	foreign.reset()
	foreign.putVersioned(famMeta, []byte("local/other"), []byte("the sender's own"))
	if err := foreign.writeTo(from.d.engine, from.d.write); err != nil {
		t.Fatal(err)
	}
	c := mustCheckpoint(t, from)
	stream := mustRead(t, c)
	if int64(len(stream)) != c.Size() {
		t.Errorf("announced %d bytes, gave %d", c.Size(), len(stream))
	}
	if a, err := snapshot.Check(bytes.NewReader(stream)); err != nil || a.Index != from.Applied().Index {
		t.Errorf("the stream says %+v (%v), the store %+v", a, err, from.Applied())
	}
	if err := to.Restore(bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		mustCheck(t, to)
		if mustHash(t, to) != mustHash(t, from) || to.d.logHash != from.d.logHash {
			t.Error("another state")
		}
		if !sameApplied(to.Applied(), from.Applied()) || to.Stats().Total != from.Stats().Total {
			t.Errorf("restored %+v %+v, want %+v %+v", to.Applied(), to.Stats().Total, from.Applied(), from.Stats().Total)
		}
		if v, err := to.d.meta("local/other"); err != nil || v != nil {
			t.Errorf("kept a value of the sender's own: %q, %v", v, err)
		}
		if got := dirs(t, to); strings.Join(got, " ") != "CURRENT-DB db-000002" {
			t.Errorf("the directory holds %q", got)
		}
		if err := to.Close(); err != nil {
			t.Fatal(err)
		}
		cfg := to.cfg
		cfg.Create = false
		to = mustOpen(t, cfg)
	}
	submit(t, to, newTask(1000, nil))
	mustCheck(t, to)
}

func TestCheckpointIsOfOneMoment(t *testing.T) {
	s := filled(t, 50)
	before, hash := s.Applied(), mustHash(t, s)
	c := mustCheckpoint(t, s)
	first := mustRead(t, c)
	r, err := c.Reader()
	if err != nil {
		t.Fatal(err)
	}
	half := make([]byte, len(first)/2)
	if _, err := io.ReadFull(r, half); err != nil {
		t.Fatal(err)
	}
	for i := 100; i < 200; i++ {
		submit(t, s, newTask(i, func(spec *task.Spec) { spec.Payload = make([]byte, 5000) }))
	}
	for _, h := range s.d.handles { // the files that the checkpoint links to go out of use
		s.d.db.CompactRangeCF(h, grocksdb.Range{})
	}
	c.Release() // the reader still has it
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(half, rest...), first) {
		t.Errorf("two readers got different streams: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got := dirs(t, s); strings.Join(got, " ") != "CURRENT-DB db-000001" {
		t.Errorf("after the last reader the directory holds %q", got)
	}
	if _, err := c.Reader(); err == nil {
		t.Error("a released checkpoint can be read")
	}
	to := openTest(t)
	if err := to.Restore(bytes.NewReader(first)); err != nil {
		t.Fatal(err)
	}
	if !sameApplied(to.Applied(), before) || mustHash(t, to) != hash {
		t.Error("not the state of the moment it was taken")
	}
}

func TestDamagedStreamChangesNothing(t *testing.T) {
	stream := mustRead(t, mustCheckpoint(t, filled(t, 40)))
	to := filled(t, 5)
	hash, applied := mustHash(t, to), to.Applied()
	try := func(what string, r io.Reader) {
		t.Helper()
		if err := to.Restore(r); err == nil {
			t.Fatalf("%s: restored", what)
		}
		if mustHash(t, to) != hash || !sameApplied(to.Applied(), applied) {
			t.Fatalf("%s: the old state changed", what)
		}
		if got := dirs(t, to); strings.Join(got, " ") != "CURRENT-DB db-000001" {
			t.Fatalf("%s: left %q", what, got)
		}
	}
	step := len(stream)/60 + 1
	for at := 0; at < len(stream); at += step {
		bad := bytes.Clone(stream)
		bad[at] ^= 0x10
		try(fmt.Sprintf("a flipped bit at %d of %d", at, len(stream)), bytes.NewReader(bad))
		if _, err := snapshot.Check(bytes.NewReader(bad)); !errors.Is(err, snapshot.ErrDamaged) {
			t.Errorf("a flipped bit at %d: checked as %v", at, err)
		}
		try(fmt.Sprintf("cut at %d of %d", at, len(stream)), bytes.NewReader(stream[:at]))
	}
	bad := bytes.Clone(stream)
	bad[len(bad)-1] ^= 1
	try("wrong final hash", bytes.NewReader(bad))
	try("too long", bytes.NewReader(append(bytes.Clone(stream), 0)))
	try("reader fails", io.MultiReader(bytes.NewReader(stream[:len(stream)-1]), failing{}))
	if err := to.Restore(bytes.NewReader(stream)); err != nil {
		t.Errorf("the undamaged one: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("torn off") }

// forge makes a stream with right sums out of any header and files.
func forge(h *snapshot.Header, files map[string][]byte) []byte {
	b := h.Encode()
	for _, f := range h.Files {
		for data := files[f.Name]; len(data) > 0; {
			n := min(len(data), snapshot.Chunk)
			b = snapshot.AppendCRC(append(b, data[:n]...), data[:n])
			data = data[n:]
		}
	}
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// parts takes a stream apart.
func parts(t *testing.T, stream []byte) (*snapshot.Header, map[string][]byte) {
	t.Helper()
	files := make(map[string][]byte)
	h, err := snapshot.Read(bytes.NewReader(stream), func(f snapshot.File) (io.WriteCloser, error) {
		return &part{files: files, name: f.Name}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, files
}

type part struct {
	bytes.Buffer
	files map[string][]byte
	name  string
}

func (p *part) Close() error {
	p.files[p.name] = p.Bytes()
	return nil
}

func TestForgedStreamIsRefused(t *testing.T) {
	stream := mustRead(t, mustCheckpoint(t, filled(t, 10)))
	parent := t.TempDir()
	cfg := testConfig(t)
	cfg.Dir = filepath.Join(parent, "store")
	to := mustOpen(t, cfg)
	h, files := parts(t, stream)
	if !bytes.Equal(forge(h, files), stream) {
		t.Fatal("a stream put together again is not the same")
	}
	for name, forgery := range map[string]func(h *snapshot.Header, files map[string][]byte){
		"path upwards": func(h *snapshot.Header, files map[string][]byte) { rename(h, files, "CURRENT", "../../evil") },
		"absolute path": func(h *snapshot.Header, files map[string][]byte) {
			rename(h, files, "CURRENT", filepath.Join(parent, "evil"))
		},
		"unknown name":     func(h *snapshot.Header, files map[string][]byte) { rename(h, files, "CURRENT", "OPTIONS-000001") },
		"the same twice":   func(h *snapshot.Header, files map[string][]byte) { h.Files = append(h.Files, h.Files[0]) },
		"no CURRENT":       func(h *snapshot.Header, files map[string][]byte) { drop(h, "CURRENT") },
		"pointer upwards":  func(h *snapshot.Header, files map[string][]byte) { point(h, files, "../../MANIFEST-000001\n") },
		"pointer to none":  func(h *snapshot.Header, files map[string][]byte) { point(h, files, "MANIFEST-999999\n") },
		"another index":    func(h *snapshot.Header, files map[string][]byte) { h.Index++ },
		"another term":     func(h *snapshot.Header, files map[string][]byte) { h.Term++ },
		"another log hash": func(h *snapshot.Header, files map[string][]byte) { h.LogHash[0]++ },
		"other counts":     func(h *snapshot.Header, files map[string][]byte) { h.Counts[slotReady]-- },
		"a file is gone":   func(h *snapshot.Header, files map[string][]byte) { dropTable(h) },
	} {
		h, files := parts(t, stream)
		forgery(h, files)
		if err := to.Restore(bytes.NewReader(forge(h, files))); err == nil {
			t.Errorf("%s: restored", name)
		}
		entries, err := os.ReadDir(parent)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%s: wrote outside of the store: %v, %v", name, entries, err)
		}
	}
	later := bytes.Clone(stream)
	binary.BigEndian.PutUint32(later[8:], 2)
	huge := bytes.Clone(stream)
	binary.BigEndian.PutUint32(huge[12:], 1<<31)
	for name, b := range map[string][]byte{"later version": later, "huge header": huge} {
		if err := to.Restore(bytes.NewReader(b)); !errors.Is(err, snapshot.ErrDamaged) && !errors.Is(err, snapshot.ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func rename(h *snapshot.Header, files map[string][]byte, from, to string) {
	for i := range h.Files {
		if h.Files[i].Name == from {
			h.Files[i].Name = to
			files[to] = files[from]
		}
	}
}

func drop(h *snapshot.Header, name string) {
	for i, f := range h.Files {
		if f.Name == name {
			h.Files = append(h.Files[:i:i], h.Files[i+1:]...)
			return
		}
	}
}

func dropTable(h *snapshot.Header) {
	for _, f := range h.Files {
		if strings.HasSuffix(f.Name, ".sst") {
			drop(h, f.Name)
			return
		}
	}
}

func point(h *snapshot.Header, files map[string][]byte, to string) {
	files["CURRENT"] = []byte(to)
	for i := range h.Files {
		if h.Files[i].Name == "CURRENT" {
			h.Files[i].Size = int64(len(to))
		}
	}
}

func TestOpenFinishesOrUndoesARestore(t *testing.T) {
	stream := mustRead(t, mustCheckpoint(t, filled(t, 30)))
	for name, c := range map[string]struct {
		crash func(s *Store) // leaves what a crash at that step would
		want  int            // tasks found afterwards
		dir   string
	}{
		"while files come": {func(s *Store) {
			mkdir(t, filepath.Join(s.cfg.Dir, "db-000002"))
			mkdir(t, filepath.Join(s.cfg.Dir, checkpointPrefix+"123"))
		}, 5, "db-000001"},
		"before the switch": {func(s *Store) { unpackOnly(t, s, stream) }, 5, "db-000001"},
		"after the switch": {func(s *Store) {
			unpackOnly(t, s, stream)
			if err := writeCurrent(s.cfg.Dir, "db-000002"); err != nil {
				t.Fatal(err)
			}
		}, 30, "db-000002"},
	} {
		s := filled(t, 5)
		c.crash(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		cfg := s.cfg
		cfg.Create = false
		s = mustOpen(t, cfg)
		mustCheck(t, s)
		if got := s.Stats().Total.Ready; got != uint64(c.want) {
			t.Errorf("%s: %d tasks, want %d", name, got, c.want)
		}
		if got := dirs(t, s); strings.Join(got, " ") != "CURRENT-DB "+c.dir {
			t.Errorf("%s: the directory holds %q", name, got)
		}
		if err := s.Restore(bytes.NewReader(stream)); err != nil {
			t.Errorf("%s: restore afterwards: %v", name, err)
		}
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "000001.sst"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func unpackOnly(t *testing.T, s *Store, stream []byte) {
	t.Helper()
	d, err := s.unpack(bytes.NewReader(stream), filepath.Join(s.cfg.Dir, "db-000002"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
}

func TestReadsGoOnDuringCheckpointAndRestore(t *testing.T) {
	s := filled(t, 100)
	first := mustCheckpoint(t, s)
	stream := mustRead(t, first)
	first.Release()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if x, err := s.Task(testID(7), true); err != nil || x == nil || len(x.Payload) != 6000 {
					t.Errorf("read %+v: %v", x, err)
					return
				}
				if n := s.Stats().Total.Ready; n != 100 {
					t.Errorf("%d tasks", n)
					return
				}
				s.HasReady(nil, nil)
			}
		})
	}
	for range 3 {
		if err := s.Restore(bytes.NewReader(stream)); err != nil {
			t.Error(err)
		}
		c, err := s.Checkpoint()
		if err != nil {
			t.Error(err)
			continue
		}
		c.Release()
	}
	close(stop)
	readers.Wait()
	if got := dirs(t, s); strings.Join(got, " ") != "CURRENT-DB db-000004" {
		t.Errorf("the directory holds %q", got)
	}
}
