package cluster

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/snapshot"
	"github.com/haiku-queue/haiku/store"
)

// ErrDirHasData: the data directory holds a node's data, which is not to be replaced unless that is said.
var ErrDirHasData = errors.New("data directory has data")

// RestoreConfig says what to restore and where to.
type RestoreConfig struct {
	From           string // a saved snapshot
	DataDir        string
	Force          bool         // also over a directory with data, which is moved aside
	DispatchPaused bool         // claims get nothing until that is taken back
	Store          store.Config // Dir and Create are set by Restore
	// Reading is told of each pass over so many bytes, and gives the reader to use; nil for none.
	Reading func(what string, size int64, r io.Reader) io.Reader
}

// Restored is what Restore made.
type Restored struct {
	Snapshot          snapshot.Summary
	ClusterID, NodeID member.ID
	Aside             string // where the data that was there is now; "" if there was none
}

// Restore makes a data directory from a saved snapshot: that of the only node of a new cluster, with ids of its own, all
// tasks of the old one, and a log that goes on above its index. It is built beside the directory, in DIR.restoring,
// checked, made durable and put in its place in one step. Until then, whatever happens, the directory is as it was; what
// an interrupted restore leaves, the next one clears away.
//
// The error wraps ErrDirInUse for a directory that a process has open, ErrDirHasData for one with data, unless Force is
// set, and snapshot.ErrDamaged or snapshot.ErrForeign for a file that is not to be trusted.
func Restore(cfg RestoreConfig) (*Restored, error) {
	r := &restore{cfg: cfg}
	done, err := r.run()
	if err = errors.Join(err, r.release()); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return done, nil
}

// restore is one Restore under way.
type restore struct {
	cfg    RestoreConfig
	file   *os.File
	target place
	temp   *Dir // DIR.restoring, locked; nil before it is made
	moved  bool // temp is not DIR.restoring any more
}

func (r *restore) run() (*Restored, error) {
	sum, err := r.verify()
	if err != nil {
		return nil, err
	}
	if r.target, err = takePlace(r.cfg.DataDir, r.cfg.Force); err != nil {
		return nil, err
	}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	if err := r.build(sum); err != nil {
		return nil, err
	}
	done := &Restored{Snapshot: *sum, ClusterID: r.temp.ClusterID(), NodeID: r.temp.NodeID()}
	done.Aside, err = r.swap()
	return done, err
}

// release gives back what is held, and removes what was not put in place.
func (r *restore) release() (err error) {
	if r.temp != nil {
		if !r.moved {
			err = os.RemoveAll(r.temp.path)
		}
		err = errors.Join(err, r.temp.Close())
	}
	if r.target.lock != nil {
		err = errors.Join(err, r.target.lock.Close())
	}
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
	}
	return err
}

func (r *restore) reading(what string, size int64, from io.Reader) io.Reader {
	if r.cfg.Reading == nil {
		return from
	}
	return r.cfg.Reading(what, size, from)
}

// verify checks the whole file before anything is written.
func (r *restore) verify() (sum *snapshot.Summary, err error) {
	if r.file, err = os.Open(r.cfg.From); err != nil {
		return nil, err
	}
	info, err := r.file.Stat()
	if err != nil {
		return nil, err
	}
	if sum, err = snapshot.Verify(r.reading("checking", info.Size(), r.file)); err != nil {
		return nil, fmt.Errorf("%s: %w", r.cfg.From, err)
	}
	return sum, nil
}

// prepare makes the directory to build in, beside the one to replace so that it can be renamed, and clears it of what an
// interrupted restore left. Data that is worth something never has this name; see swap.
func (r *restore) prepare() error {
	path := r.target.path + ".restoring"
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	lock, err := lockDir(path)
	if err != nil {
		return err
	}
	r.temp = &Dir{path: path, lock: lock}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// build fills the directory and makes it durable.
func (r *restore) build(sum *snapshot.Summary) error {
	node := identity{Format: identityFormat, Restored: true}
	for _, id := range []*member.ID{&node.NodeID, &node.ClusterID} {
		if _, err := rand.Read(id[:]); err != nil {
			return fmt.Errorf("mint id: %w", err)
		}
	}
	cfg := r.cfg.Store
	cfg.Dir, cfg.Create = r.temp.storePath(defaultDBPath), true
	stream := r.reading("restoring", sum.StreamBytes, sum.Stream(r.file))
	st, err := store.Unpack(cfg, stream)
	if err != nil {
		return err
	}
	err = compare(st, sum)
	if err == nil {
		err = fsm.Refound(st, node.ClusterID, r.cfg.DispatchPaused)
	}
	if err = errors.Join(err, st.Close()); err != nil {
		return err
	}
	if err := syncTree(cfg.Dir); err != nil {
		return err
	}
	return errors.Join(syncUp(cfg.Dir, r.temp.path), r.temp.save(node))
}

// compare holds the database against what the snapshot says of it.
func compare(st *store.Store, sum *snapshot.Summary) error {
	hash, err := st.StateHash()
	if err != nil {
		return err
	}
	if hash != sum.StateHash {
		return fmt.Errorf("%w: state hash %x, announced was %x", snapshot.ErrDamaged, hash, sum.StateHash)
	}
	if got := st.Stats().Total; got != sum.Tasks {
		return fmt.Errorf("%w: tasks %+v, announced were %+v", snapshot.ErrDamaged, got, sum.Tasks)
	}
	return nil
}

// syncTree makes the names in a directory and in those below it durable.
func syncTree(path string) error {
	return filepath.WalkDir(path, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = syncDir(path)
		}
		return err
	})
}
