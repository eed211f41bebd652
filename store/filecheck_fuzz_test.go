package store

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzFileCheck: no content of MANIFEST and of a log file makes the check panic or take more memory than they have.
func FuzzFileCheck(f *testing.F) {
	cfg := crashConfig(f)
	s, err := Open(cfg)
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	h := &history{seeds: []uint64{1, 2, 3}}
	h.goOn(f, s, len(h.seeds))
	var seeds [2][]byte
	for i, pattern := range []string{"MANIFEST-*", "*.log"} {
		names, err := filepath.Glob(filepath.Join(s.d.path, pattern))
		if err != nil || len(names) == 0 {
			f.Fatal(names, err)
		}
		if seeds[i], err = os.ReadFile(names[0]); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(seeds[0], seeds[1])
	f.Fuzz(func(t *testing.T, manifestFile, logFile []byte) {
		dir := t.TempDir()
		for name, content := range map[string][]byte{
			"CURRENT": []byte("MANIFEST-000005\n"), manifestName(5): manifestFile, logName(4): logFile,
		} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_ = checkFiles(dir)
		m := &manifest{number: 5, families: make(map[uint32]uint64)}
		_ = m.add(manifestFile) // without a checksum in the way
	})
}
