package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/linxGnu/grocksdb"
	"pgregory.net/rapid"

	"github.com/haiku-queue/haiku/internal/damage"
	"github.com/haiku-queue/haiku/task"
)

// history is what a store went through: batch i is made by seeds[i-1] alone from what the store holds, so that it can
// be written again by a store that has lost it; hashes[i] is the state after it.
type history struct {
	seeds  []uint64
	hashes [][32]byte
	after  string // what happened to the files
}

var crashPairs = []Pair{{"default", "email"}, {"default", "sms"}}

// write commits the batch at the next index and returns the state after it.
func (h *history) write(s *Store) (hash [32]byte, err error) {
	index := s.Applied().Index + 1
	b := s.Begin()
	defer b.Discard()
	if err := randomBatch(b, rand.New(rand.NewPCG(h.seeds[index-1], index)), int(index)); err != nil {
		return hash, err
	}
	if _, err := b.Commit(Applied{Index: index, Term: 1}, [32]byte{byte(index), byte(index >> 8)}); err != nil {
		return hash, err
	}
	return s.StateHash()
}

// goOn writes and records batches until there are so many.
func (h *history) goOn(t testing.TB, s *Store, until int) {
	t.Helper()
	if len(h.hashes) == 0 {
		h.hashes = append(h.hashes, mustHash(t, s))
	}
	for len(h.hashes) <= until {
		hash, err := h.write(s)
		if err != nil {
			t.Fatal(err)
		}
		h.hashes = append(h.hashes, hash)
	}
}

// resume opens what a crash or a damage has left. Either the store is refused or cannot be read, which is the error, or
// it is in a state that it once had, and comes to its last state when what it has lost is written again.
func (h *history) resume(t testing.TB, cfg Config) (index uint64, err error) {
	s, err := Open(cfg)
	if errors.Is(err, errObjects) {
		t.Fatalf("%s: %v", h.after, err)
	}
	if err != nil {
		return 0, err
	}
	defer func() {
		if err := s.Close(); errors.Is(err, errObjects) {
			t.Errorf("%s: %v", h.after, err)
		}
	}()
	index = s.Applied().Index
	for i := index; ; i++ {
		hash, err := s.StateHash()
		if err != nil {
			return index, err
		}
		if hash != h.hashes[i] {
			t.Fatalf("%s: opened at %d: the state at %d is another one", h.after, index, i)
		}
		if err := s.Check(); err != nil {
			t.Fatalf("%s: opened at %d, at %d: %v", h.after, index, i, err)
		}
		if i == uint64(len(h.hashes)-1) {
			return index, nil
		}
		if _, err := h.write(s); err != nil {
			return index, err
		}
	}
}

// randomBatch submits, claims, ends and deletes some tasks.
func randomBatch(b *Batch, r *rand.Rand, index int) error {
	b.SetTime(b.Time() + int64(r.IntN(50)))
	for n := range 1 + r.IntN(6) {
		switch r.IntN(5) {
		case 0, 1:
			b.Put(newTask(int(b.NextSeq()), func(s *task.Spec) {
				s.Type = crashPairs[r.IntN(2)].Type
				s.Payload = make([]byte, r.IntN(3)*700)
			}))
		case 2:
			id, _, ok, err := b.FirstReady(crashPairs)
			if err != nil {
				return err
			}
			if ok {
				lease := b.NextSeq()
				if err := changeTask(b, id, func(x *task.Task) { x.Status, x.LeaseID = task.InProgress, lease }); err != nil {
					return err
				}
			}
		case 3:
			ids, err := b.InProgress(task.ID{}, 1+r.IntN(3))
			if err != nil {
				return err
			}
			for _, id := range ids {
				if err := changeTask(b, id, func(x *task.Task) { x.Status = task.Completed }); err != nil {
					return err
				}
			}
		case 4:
			b.PutMeta(fmt.Sprintf("work/%d", r.IntN(3)), fmt.Appendf(nil, "%d %d", index, n))
		}
	}
	return nil
}

func changeTask(b *Batch, id task.ID, do func(*task.Task)) error {
	x, err := b.Task(id)
	if err != nil {
		return err
	}
	x = x.Clone()
	do(x)
	b.Put(x)
	return nil
}

// crashConfig is that of a store whose memtables are so small that there are files of all kinds soon.
func crashConfig(t testing.TB) Config {
	cfg := testConfig(t)
	cfg.MemtableBytes, cfg.WriteBufferBytes, cfg.RecordCacheBytes = 1<<20, 1<<20, 4<<10
	return cfg
}

// crashed copies a store that nobody writes to as its files are, without closing it, until they stand still.
func crashed(t testing.TB, cfg Config) Config {
	t.Helper()
	out := cfg
	out.Dir, out.Create = filepath.Join(t.TempDir(), "store"), false
	for before := ""; before != listing(t, cfg.Dir); {
		before = listing(t, cfg.Dir)
		if err := os.RemoveAll(out.Dir); err != nil {
			t.Fatal(err)
		}
		if err := damage.CopyDir(cfg.Dir, out.Dir); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestCrashAtAnyWrite: after a crash, with what was last written to the log lost from a random byte on, the store is in
// a state that it had, and the batches that it lost lead to the same states as without the crash. Memtables are flushed
// between batches by chance.
func TestCrashAtAnyWrite(t *testing.T) {
	checks(t, fmt.Sprint(damage.Rounds(8, 400)))
	rapid.Check(t, func(rt *rapid.T) {
		cfg := crashConfig(t)
		s, err := Open(cfg)
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		h := &history{seeds: rapid.SliceOfN(rapid.Uint64(), 10, 60).Draw(rt, "batches")}
		for range rapid.IntRange(1, 3).Draw(rt, "flushes") {
			h.goOn(t, s, rapid.IntRange(0, len(h.seeds)-1).Draw(rt, "flush after"))
			flushFamily(t, s, family(rapid.IntRange(0, int(familyCount)-1).Draw(rt, "family")))
		}
		h.goOn(t, s, len(h.seeds))
		lost := crashed(t, cfg)
		logs, err := filepath.Glob(filepath.Join(lost.Dir, "db-*", "*.log"))
		if err != nil || len(logs) == 0 {
			rt.Fatal(logs, err)
		}
		last := slices.Max(logs)
		info, err := os.Stat(last)
		if err != nil {
			rt.Fatal(err)
		}
		if err := os.Truncate(last, rapid.Int64Range(0, info.Size()).Draw(rt, "length of the log")); err != nil {
			rt.Fatal(err)
		}
		if _, err := h.resume(t, lost); err != nil {
			rt.Fatalf("a torn log was not repaired: %v", err)
		}
	})
}

func flushFamily(t testing.TB, s *Store, f family) {
	t.Helper()
	opts := grocksdb.NewDefaultFlushOptions()
	defer opts.Destroy()
	if err := s.d.db.FlushCF(s.d.handles[f], opts); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedFiles spoils one file of a store at random: it is refused or cannot be read, with an error that names a
// file, or it has the right content and nothing is lost that is not written again.
func TestDamagedFiles(t *testing.T) {
	r := damage.Rand(t)
	whole, h := damageable(t, r)
	other, _ := damageable(t, r)
	seen := make(map[string]int)
	for range damage.Rounds(30, 1500) {
		cfg := whole
		cfg.Dir = filepath.Join(t.TempDir(), "store")
		if err := damage.CopyDir(whole.Dir, cfg.Dir); err != nil {
			t.Fatal(err)
		}
		path := randomFile(t, r, cfg.Dir)
		from := ""
		if same, err := filepath.Glob(filepath.Join(other.Dir, "db-*", "*"+filepath.Ext(path))); err == nil && len(same) > 0 {
			from = same[r.IntN(len(same))]
		}
		what, err := damage.File(r, damage.Kinds[r.IntN(len(damage.Kinds))], path, from)
		if err != nil {
			t.Fatal(err)
		}
		h.after = what
		var told error
		cfg.OnFatal = func(err error) { told = err }
		index, err := h.resume(t, cfg)
		switch {
		case err == nil && index == uint64(len(h.seeds)):
			seen["as before"]++
		case err == nil:
			seen["repaired"]++
		case index != 0 && told == nil:
			t.Fatalf("%s: a failed read was told to nobody: %v", what, err)
		case !namesFile(err):
			t.Fatalf("%s: the error names no file: %v", what, err)
		default:
			seen["refused"]++
		}
	}
	t.Logf("%v", seen)
	if seen["refused"] == 0 {
		t.Error("no damage was ever noticed")
	}
}

// damageable makes a store with files of all kinds, as a crash leaves it, and its history.
func damageable(t *testing.T, r *rand.Rand) (Config, *history) {
	t.Helper()
	cfg := crashConfig(t)
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h := &history{}
	for range 300 {
		h.seeds = append(h.seeds, r.Uint64())
	}
	for i := 1; i < 10; i++ {
		h.goOn(t, s, i*30)
		flushFamily(t, s, family(r.IntN(int(familyCount))))
		flushFamily(t, s, famMeta)
	}
	h.goOn(t, s, len(h.seeds))
	return crashed(t, cfg), h
}

func randomFile(t *testing.T, r *rand.Rand, dir string) string {
	t.Helper()
	db, err := filepath.Glob(filepath.Join(dir, "db-*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	db = slices.DeleteFunc(db, func(path string) bool { return slices.Contains([]string{"LOG", "LOCK"}, filepath.Base(path)) })
	kinds := []string{"sst", "log", "MANIFEST", "CURRENT", "OPTIONS", "IDENTITY", currentFile}
	kind := kinds[r.IntN(len(kinds))]
	if kind == currentFile {
		return filepath.Join(dir, currentFile)
	}
	db = slices.DeleteFunc(db, func(path string) bool {
		return filepath.Ext(path) != "."+kind && !strings.HasPrefix(filepath.Base(path), kind)
	})
	if len(db) == 0 {
		t.Fatalf("no file %s", kind)
	}
	return db[r.IntN(len(db))]
}

var fileNamed = regexp.MustCompile(`/([0-9]+\.(sst|log|ldb)|MANIFEST-[0-9]+|CURRENT|` + currentFile + `|db-[0-9]+)\b`)

func namesFile(err error) bool { return fileNamed.MatchString(err.Error()) }
