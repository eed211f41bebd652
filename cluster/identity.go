package cluster

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/haiku-queue/haiku/member"
)

// What can be wrong with a data directory. The text of each error that wraps one says what to do.
var (
	// ErrDirInUse: another process has the data directory open.
	ErrDirInUse = errors.New("data directory in use")
	// ErrDirDamaged: the data directory does not say which node it belongs to, or says it in a way that is not understood.
	ErrDirDamaged = errors.New("data directory damaged")
	// ErrOtherCluster: the data directory belongs to another cluster.
	ErrOtherCluster = errors.New("data directory belongs to another cluster")
)

// resetHint ends every refusal of a directory whose content cannot be trusted.
const resetHint = "`haikud reset` moves the directory aside, the node then joins anew under a new id"

// damaged is an error that names a file and says what is wrong with it and what to do.
func damaged(path, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %w; %s", ErrDirDamaged, path, fmt.Errorf(format, args...), resetHint)
}

const (
	identityName   = "node.json"
	identityTemp   = "node.json.tmp"
	lockName       = "LOCK"
	identityFormat = 1
	maxIdentity    = 4 << 10 // bytes of node.json
)

// Dir is a data directory that this process holds: no other process can open it until Close. Its methods may be called
// by one goroutine at a time.
type Dir struct {
	path string
	lock *os.File
	node identity
}

// identity is node.json. It is replaced whole, by rename, and only ever gains the cluster id and the three facts. A file
// that differs in a byte from what is written for it is damaged: read as a node that was never started, it would have
// the node's data cleared.
type identity struct {
	Format    int       `json:"format"`
	NodeID    member.ID `json:"node_id"`
	ClusterID member.ID `json:"cluster_id"`
	Founder   bool      `json:"founder"` // this node minted the cluster's id: the first start makes the first configuration
	Started   bool      `json:"started"` // database and log were made: if they are missing now, they were lost
	Left      bool      `json:"left"`    // the node left its cluster and may not come back under this id
	// Restored: the database came from a saved snapshot, as the beginning of the cluster whose id this is. The first start
	// keeps it and makes this node the only member.
	Restored bool   `json:"restored,omitempty"`
	Sum      string `json:"sum"` // CRC-32C of the file with an empty sum
}

// encode gives the whole file.
func (node identity) encode() ([]byte, error) {
	node.Sum = ""
	raw, err := json.MarshalIndent(node, "", "  ")
	if err != nil {
		return nil, err
	}
	node.Sum = fmt.Sprintf("%08x", crc32.Checksum(raw, castagnoli))
	if raw, err = json.MarshalIndent(node, "", "  "); err != nil {
		return nil, err
	}
	return append(raw, '\n'), nil
}

// OpenDir makes or opens a data directory and locks it. An empty directory gets a fresh node id, which is on disk
// before OpenDir returns. A directory that has content but no readable identity is refused with ErrDirDamaged: a node
// that forgot who it is must not vote again.
func OpenDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	lock, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path, lock: lock}
	if err := d.load(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d, nil
}

// NodeID is this node's id: random, kept in the directory, never reused.
func (d *Dir) NodeID() member.ID { return d.node.NodeID }

// ClusterID is the cluster that the directory belongs to; zero if it belongs to none yet.
func (d *Dir) ClusterID() member.ID { return d.node.ClusterID }

// Assign makes the directory one of the cluster's, durably. To do it again is a no-op; for another cluster it is
// refused with ErrOtherCluster.
func (d *Dir) Assign(cluster member.ID) error {
	switch {
	case cluster.IsZero():
		return errors.New("assign data directory: no cluster id")
	case d.node.ClusterID == cluster:
		return nil
	case !d.node.ClusterID.IsZero():
		return fmt.Errorf("%w: %s is of cluster %s, not %s; use an empty directory, or `haikud reset` to move this one aside",
			ErrOtherCluster, d.path, d.node.ClusterID, cluster)
	}
	next := d.node
	next.ClusterID = cluster
	return d.save(next)
}

// found makes the directory one of a new cluster, durably.
func (d *Dir) found(cluster member.ID) error {
	next := d.node
	next.ClusterID, next.Founder = cluster, true
	return d.save(next)
}

// Started reports whether the node's database and log were made in this directory.
func (d *Dir) Started() bool { return d.node.Started }

// Left reports whether the node left its cluster.
func (d *Dir) Left() bool { return d.node.Left }

// setStarted notes durably that database and log exist.
func (d *Dir) setStarted() error {
	next := d.node
	next.Started = true
	return d.save(next)
}

// setLeft notes durably that the node left its cluster.
func (d *Dir) setLeft() error {
	next := d.node
	next.Left = true
	return d.save(next)
}

// Group is the directory of the one Raft group, made by OpenDir.
func (d *Dir) Group() string { return filepath.Join(d.path, "groups", "0") }

// Close lets go of the directory. It is idempotent.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	lock := d.lock
	d.lock = nil
	return lock.Close()
}

// MoveAside renames a data directory to DIR.reset-N, with the first N that is free, and returns the new name. It
// refuses with ErrDirInUse while a process has it open.
func MoveAside(path string) (string, error) {
	path = filepath.Clean(path)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("reset: %w", err)
	}
	lock, err := lockDir(path)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	aside, err := asideOf(path)
	if err == nil {
		err = os.Rename(path, aside)
	}
	if err != nil {
		return "", fmt.Errorf("reset: %w", err)
	}
	return aside, syncDir(filepath.Dir(path))
}

// asideOf is the first name of the form DIR.reset-N that is free.
func asideOf(path string) (string, error) {
	for n := 1; ; n++ {
		aside := path + ".reset-" + strconv.Itoa(n)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			return aside, nil
		} else if err != nil {
			return "", err
		}
	}
}

// lockDir takes the directory's lock without waiting. The kernel drops it with the process, however that ends.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w: another haikud runs on %s", ErrDirInUse, path)
	}
	return nil, fmt.Errorf("lock data directory %s: %w", path, err)
}

func (d *Dir) load() error {
	raw, err := os.ReadFile(filepath.Join(d.path, identityName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := d.mint(); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDirDamaged, err)
	default:
		if d.node, err = parseIdentity(raw); err != nil {
			return damaged(filepath.Join(d.path, identityName), "%w", err)
		}
	}
	if err := os.MkdirAll(d.Group(), 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return errors.Join(syncDir(filepath.Dir(d.Group())), syncDir(d.path))
}

// mint gives a directory without identity a fresh one, if it has no other content either.
func (d *Dir) mint() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	for _, e := range entries {
		switch e.Name() {
		case lockName, identityTemp, "lost+found": // the temporary file is of a first start that did not finish
		default:
			return fmt.Errorf("%w: %s has content but no %s; %s", ErrDirDamaged, d.path, identityName, resetHint)
		}
	}
	node := identity{Format: identityFormat}
	if _, err := rand.Read(node.NodeID[:]); err != nil {
		return fmt.Errorf("mint node id: %w", err)
	}
	return d.save(node)
}

func parseIdentity(raw []byte) (node identity, err error) {
	if len(raw) > maxIdentity {
		return identity{}, fmt.Errorf("%d bytes are too many", len(raw))
	}
	if err := json.Unmarshal(raw, &node); err != nil {
		return identity{}, err
	}
	if node.Format != identityFormat {
		return identity{}, fmt.Errorf("format %d is not one that this version knows", node.Format)
	}
	if node.NodeID.IsZero() {
		return identity{}, errors.New("no node id")
	}
	if want, err := node.encode(); err != nil || !bytes.Equal(raw, want) {
		return identity{}, errors.Join(errors.New("its checksum or its form is wrong"), err)
	}
	return node, nil
}

// save replaces node.json: after a crash there is the old one or the new one.
func (d *Dir) save(node identity) error {
	raw, err := node.encode()
	if err != nil {
		return err
	}
	temp := filepath.Join(d.path, identityTemp)
	if err := writeSynced(temp, raw); err != nil {
		return fmt.Errorf("write node identity: %w", err)
	}
	if err := os.Rename(temp, filepath.Join(d.path, identityName)); err != nil {
		return fmt.Errorf("write node identity: %w", err)
	}
	if err := syncDir(d.path); err != nil {
		return fmt.Errorf("write node identity: %w", err)
	}
	d.node = node
	return nil
}

func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
