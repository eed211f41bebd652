package store

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/linxGnu/grocksdb"

	"github.com/haiku-queue/haiku/task"
)

// rocksOptions reads the file in which RocksDB wrote down the options it runs with: section, then name.
func rocksOptions(t *testing.T, s *Store) map[string]map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.d.path, "OPTIONS-*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no OPTIONS file in %s: %v", s.d.path, err)
	}
	text, err := os.ReadFile(files[len(files)-1]) // the newest: they are numbered
	if err != nil {
		t.Fatal(err)
	}
	all, section := make(map[string]map[string]string), ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			all[section] = make(map[string]string)
		} else if name, value, ok := strings.Cut(line, "="); ok && section != "" {
			all[section][name] = value
		}
	}
	return all
}

// TestOptionsReachRocksDB holds what RocksDB says of itself against the configuration: the default, and another one.
func TestOptionsReachRocksDB(t *testing.T) {
	const day = 24 * 3600
	type options map[string]string
	other := testConfig(t)
	other.Compression, other.CompactionStyle = "zstd", "universal"
	other.MemtableBytes, other.MaxMemtables, other.Level0Trigger = 3<<20, 5, 7
	other.PeriodicCompaction, other.MaxOpenFiles = 90*time.Minute, 321
	other.MaxWALBytes, other.WriteBufferBytes, other.BlockCacheBytes = 33<<20, 21<<20, 13<<20
	usual := Default()
	usual.Dir, usual.Create = t.TempDir(), true
	never := testConfig(t)
	never.PeriodicCompaction = 0
	for name, test := range map[string]struct {
		cfg        Config
		db, family options
		cache      uint64
	}{
		"default": {cfg: usual, cache: 256 << 20,
			db: options{"max_open_files": "1024", "max_total_wal_size": strconv.Itoa(256 << 20), "db_write_buffer_size": strconv.Itoa(128 << 20)},
			family: options{"compression": "kLZ4Compression", "compaction_style": "kCompactionStyleLevel",
				"write_buffer_size": strconv.Itoa(32 << 20), "max_write_buffer_number": "2",
				"level0_file_num_compaction_trigger": "4", "periodic_compaction_seconds": strconv.Itoa(day)}},
		"other": {cfg: other, cache: 13 << 20,
			db: options{"max_open_files": "321", "max_total_wal_size": strconv.Itoa(33 << 20), "db_write_buffer_size": strconv.Itoa(21 << 20)},
			family: options{"compression": "kZSTD", "compaction_style": "kCompactionStyleUniversal",
				"write_buffer_size": strconv.Itoa(3 << 20), "max_write_buffer_number": "5",
				"level0_file_num_compaction_trigger": "7", "periodic_compaction_seconds": "5400"}},
		"never": {cfg: never, cache: 8 << 20,
			family: options{"periodic_compaction_seconds": "0", "write_buffer_size": strconv.Itoa(8 << 20)}},
	} {
		t.Run(name, func(t *testing.T) {
			s := mustOpen(t, test.cfg)
			all := rocksOptions(t, s)
			same := func(section string, want options) {
				for name, value := range want {
					if got := all[section][name]; got != value {
						t.Errorf("%s: %s is %q, want %q", section, name, got, value)
					}
				}
			}
			same("DBOptions", test.db)
			for f := range familyCount {
				same(fmt.Sprintf("CFOptions %q", f), test.family)
				capacity := s.d.db.GetPropertyCF("rocksdb.block-cache-capacity", s.d.handles[f])
				if capacity != strconv.FormatUint(test.cache, 10) {
					t.Errorf("%s: block cache of %s bytes, want %d", f, capacity, test.cache)
				}
			}
		})
	}
}

// TestFormatsChangeOnExistingData opens one database with one compression and compaction style after the other: what
// was written with any of them is found, before and after all files are compacted.
func TestFormatsChangeOnExistingData(t *testing.T) {
	cfg := testConfig(t)
	names := map[string]string{
		"none": "kNoCompression", "snappy": "kSnappyCompression", "lz4": "kLZ4Compression", "zlib": "kZlibCompression",
		"zstd": "kZSTD",
	}
	payload := []byte(strings.Repeat("a text that can be compressed, ", 100))
	n := 0
	for _, compressed := range []string{"none", "snappy", "lz4", "zlib", "zstd", "lz4"} {
		for _, style := range []string{"level", "universal", "level"} {
			cfg.Compression, cfg.CompactionStyle = compressed, style
			s := mustOpen(t, cfg)
			if got := rocksOptions(t, s)[`CFOptions "blobs"`]["compression"]; got != names[compressed] {
				t.Fatalf("%s: RocksDB runs with %s", compressed, got)
			}
			for range 3 { // files in several levels
				var tasks []*task.Task
				for range 20 {
					n++
					tasks = append(tasks, newTask(n, func(x *task.Spec) { x.Payload = payload }))
				}
				submit(t, s, tasks...)
				flushAll(t, s)
			}
			mustHold := func(when string) {
				t.Helper()
				if got := s.Stats().Total.Ready; got != uint64(n) {
					t.Fatalf("%s, %s, %s: %d tasks, want %d", compressed, style, when, got, n)
				}
				for i := 1; i <= n; i++ {
					x, err := s.Task(testID(i), true)
					if err != nil || string(x.Payload) != string(payload) {
						t.Fatalf("%s, %s, %s: task %d: %v", compressed, style, when, i, err)
					}
				}
				mustCheck(t, s)
			}
			mustHold("before")
			for f := range familyCount {
				s.d.db.CompactRangeCF(s.d.handles[f], grocksdb.Range{})
			}
			mustHold("after")
			s.Close()
		}
	}
}

// TestMissingCompressionIsRefused: RocksDB refuses to open with a compression that it was built without, as it always is
// without this one on Linux, rather than to write another.
func TestMissingCompressionIsRefused(t *testing.T) {
	cfg := testConfig(t)
	cache := grocksdb.NewLRUCache(cfg.BlockCacheBytes)
	defer cache.Destroy()
	s, err := newSettings(&cfg, cache, openCreating, &objects{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.destroy()
	s.families[famBlobs].SetCompression(grocksdb.XpressCompression)
	db, _, err := grocksdb.OpenDbColumnFamilies(s.db, cfg.Dir, append(familyNames[:], "default"), s.families[:])
	if err == nil {
		db.Close()
		t.Fatal("it was opened")
	}
	if !strings.Contains(err.Error(), "Xpress is not linked") {
		t.Error(err)
	}
}

// flushAll writes every memtable to a file.
func flushAll(t testing.TB, s *Store) {
	t.Helper()
	opts := grocksdb.NewDefaultFlushOptions()
	defer opts.Destroy()
	for f := range familyCount {
		if err := s.d.db.FlushCF(s.d.handles[f], opts); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPeriodicCompaction: a file that nothing else asks to compact is written anew when it is old enough.
func TestPeriodicCompaction(t *testing.T) {
	cfg := testConfig(t)
	cfg.Level0Trigger, cfg.PeriodicCompaction = 20, time.Second // less than Validate allows
	s := newStore(cfg)
	var err error
	if s.d, err = s.openCurrent(); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	submit(t, s, newTask(1, func(x *task.Spec) { x.Payload = make([]byte, 5000) }))
	flushAll(t, s)
	old := tableFiles(t, s)
	gone := func() bool { return len(old) > 0 && !slices.ContainsFunc(old, exists) }
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for n := 2; !gone(); n++ { // RocksDB looks at the ages when it has written another file
		if n >= cfg.Level0Trigger {
			t.Fatalf("some are still as they were: %v", old)
		}
		submit(t, s, newTask(n, func(x *task.Spec) { x.Payload = make([]byte, 5000) }))
		flushAll(t, s)
		<-tick.C
	}
	mustCheck(t, s)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func tableFiles(t testing.TB, s *Store) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.d.path, "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}
