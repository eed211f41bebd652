package cluster

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/hashicorp/raft-wal/types"
)

// walMeta keeps Raft's votes and raft-wal's list of segments in one small file, which is replaced whole:
//
//	| magic 8 | CRC-32C of what follows 4 | JSON of walFacts |      big-endian
//
// raft-wal's own keeper is a bbolt file without checksums: a page of it that is lost ends the process without a word,
// and a changed bit is another vote. To change the form, change the last byte of the magic.
//
// It is a types.MetaStore. Its methods may be called concurrently.
type walMeta struct {
	path string

	mu    sync.Mutex
	facts walFacts // as the file has them
}

type walFacts struct {
	Segments types.PersistentState
	Stable   map[string][]byte
}

const (
	walMetaName = "wal-meta"
	walMetaTemp = walMetaName + ".tmp"
	walMetaHead = 12
)

var walMetaMagic = [8]byte{'h', 'a', 'i', 'k', 'u', 'w', 'm', 1}

// openWALMeta reads the file in dir. Without one there are no votes and no segments, and nothing is written yet.
func openWALMeta(dir string) (*walMeta, error) {
	m := &walMeta{path: filepath.Join(dir, walMetaName)}
	raw, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	if m.facts, err = parseWALFacts(raw); err != nil {
		return nil, damaged(m.path, "%w", err)
	}
	return m, nil
}

func parseWALFacts(raw []byte) (facts walFacts, err error) {
	body, isMeta := bytes.CutPrefix(raw, walMetaMagic[:])
	switch {
	case !isMeta:
		return facts, errors.New("it does not begin as a list of segments")
	case len(raw) < walMetaHead || crc32.Checksum(body[4:], castagnoli) != binary.BigEndian.Uint32(body):
		return facts, errors.New("its checksum is wrong")
	}
	err = json.Unmarshal(body[4:], &facts)
	return facts, err
}

func (f *walFacts) encode() ([]byte, error) {
	body, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	raw := binary.BigEndian.AppendUint32(walMetaMagic[:len(walMetaMagic):len(walMetaMagic)], crc32.Checksum(body, castagnoli))
	return append(raw, body...), nil
}

// save replaces the file: after a crash there is the old one or the new one.
func (m *walMeta) save(facts walFacts) error {
	raw, err := facts.encode()
	if err == nil {
		temp := filepath.Join(filepath.Dir(m.path), walMetaTemp)
		if err = writeSynced(temp, raw); err == nil {
			err = os.Rename(temp, m.path)
		}
	}
	if err == nil {
		err = syncDir(filepath.Dir(m.path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", m.path, err)
	}
	m.facts = facts
	return nil
}

// Load returns the list of segments.
func (m *walMeta) Load(string) (types.PersistentState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return cloneSegments(m.facts.Segments), nil
}

// CommitState replaces the list of segments.
func (m *walMeta) CommitState(segments types.PersistentState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.save(walFacts{Segments: cloneSegments(segments), Stable: m.facts.Stable})
}

func cloneSegments(s types.PersistentState) types.PersistentState {
	s.Segments = slices.Clone(s.Segments)
	return s
}

// GetStable returns a value; nil if there is none.
func (m *walMeta) GetStable(key []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.facts.Stable[string(key)]), nil
}

// SetStable replaces a value; nil deletes it.
func (m *walMeta) SetStable(key, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	stable := maps.Clone(m.facts.Stable)
	if stable == nil {
		stable = make(map[string][]byte)
	}
	if stable[string(key)] = bytes.Clone(value); value == nil {
		delete(stable, string(key))
	}
	return m.save(walFacts{Segments: m.facts.Segments, Stable: stable})
}

// Close does nothing: no file is open.
func (m *walMeta) Close() error { return nil }
