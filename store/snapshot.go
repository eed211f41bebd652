package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/linxGnu/grocksdb"
)

// Snapshot is the committed state of one moment. Release it. When the store closes or is restored it ends by itself.
type Snapshot struct {
	store   *Store
	d       *database
	err     error
	applied Applied
	seq     uint64
	counts  map[Pair]counts // as memory had them

	mu     sync.Mutex // held while the snapshot is read or dropped
	handle *grocksdb.Snapshot
}

// Snapshot takes hold of the committed state without copying anything. Its methods fail if the store is closed.
func (s *Store) Snapshot() *Snapshot {
	d, err := s.acquire()
	if err != nil {
		return &Snapshot{err: err}
	}
	defer d.users.Done()
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	snap := &Snapshot{store: s, d: d, handle: d.snapshot()}
	snap.applied, snap.seq, snap.counts = d.applied, d.seq, d.pairsCopy()
	d.snapshots[snap] = struct{}{}
	return snap
}

// Applied is how far Raft's log was committed when the snapshot was taken.
func (p *Snapshot) Applied() Applied { return p.applied }

// Release gives the snapshot back. A second call does nothing.
func (p *Snapshot) Release() {
	if p.err != nil {
		return
	}
	d, err := p.store.acquire()
	if err != nil {
		return // closing the database drops it
	}
	defer d.users.Done()
	if d != p.d {
		return // likewise
	}
	p.drop()
	d.mu.Lock()
	delete(d.snapshots, p)
	d.mu.Unlock()
}

func (p *Snapshot) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handle != nil {
		p.d.releaseSnapshot(p.handle)
		p.handle = nil
	}
}

// StateHash is the hash of the committed state; see (*Snapshot).StateHash.
func (s *Store) StateHash() ([32]byte, error) {
	snap := s.Snapshot()
	defer snap.Release()
	return snap.StateHash()
}

// StateHash is SHA-256 over every replicated key and value: for each family in the order of families.go
//
//	| name length 4 | name | then for each key | 01 | key length 4 | key | value length 4 | value | then | 00 |
//
// Keys of meta that begin with "local/" are left out. Nodes at the same index have the same hash.
func (p *Snapshot) StateHash() (sum [32]byte, err error) {
	err = p.use(func(d *database, at *grocksdb.Snapshot) (err error) {
		sum, err = d.stateHash(at)
		return err
	})
	return sum, err
}

// stateHash hashes the state of one moment, or with nil the present one.
func (d *database) stateHash(at *grocksdb.Snapshot) (sum [32]byte, err error) {
	h := sha256.New()
	var head [5]byte
	write := func(mark, b []byte) {
		h.Write(binary.BigEndian.AppendUint32(mark, uint32(len(b))))
		h.Write(b)
	}
	for f := range familyCount {
		write(head[:0], []byte(f.String()))
		err := d.each(f, nil, at, func(key, value []byte) error {
			if f == famMeta && bytes.HasPrefix(key, []byte(prefixLocal)) {
				return nil
			}
			write(append(head[:0], 1), key)
			write(head[:0], value)
			return nil
		})
		if err != nil {
			return sum, fmt.Errorf("state hash of %s: %w", f, err)
		}
		h.Write([]byte{0})
	}
	h.Sum(sum[:0])
	return sum, nil
}

// use calls fn with the database held open.
func (p *Snapshot) use(fn func(d *database, at *grocksdb.Snapshot) error) error {
	if p.err != nil {
		return p.err
	}
	d, err := p.store.acquire()
	if err != nil {
		return err
	}
	defer d.users.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	if d != p.d || p.handle == nil {
		return errClosed
	}
	return fn(d, p.handle)
}
