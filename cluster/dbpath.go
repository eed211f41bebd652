package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const defaultDBPath = "groups/0/" + storeName

// storePath is where the database of this node lies. A relative path is below the data directory and moves with it. An
// absolute one is of a disk that others may use, too: there the node has a directory named after its id, which no other
// node ever has, so that nothing of another node, or of this directory's past, can be taken for its own.
func (d *Dir) storePath(dbPath string) string {
	if filepath.IsAbs(dbPath) {
		return filepath.Join(dbPath, "haiku-"+d.NodeID().String())
	}
	return filepath.Join(d.path, dbPath)
}

// findStore returns the database's directory. In a data directory that was never started, what an earlier start left
// half done is removed first; in any other it has to be there.
func (d *Dir) findStore(dbPath string) (string, error) {
	path := d.storePath(dbPath)
	if filepath.IsAbs(dbPath) {
		if info, err := os.Stat(dbPath); err != nil {
			return "", fmt.Errorf("directory of the database: %w; it has to exist, so that a disk that is not mounted is noticed", err)
		} else if !info.IsDir() {
			return "", fmt.Errorf("directory of the database: %s is no directory", dbPath)
		}
	}
	if d.unstartedRestore() {
		if path != d.storePath(defaultDBPath) {
			return "", fmt.Errorf("a restored directory has its database in %s: start it the first time without the setting db_path", defaultDBPath)
		}
		return path, nil
	}
	if !d.Started() {
		if err := os.RemoveAll(path); err != nil {
			return "", fmt.Errorf("clear an unfinished start: %w", err)
		}
		return path, nil
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: the database is missing: %w; if it was moved, or the setting db_path changed, bring both together "+
			"again; if it is lost, `haikud reset` moves the data directory aside, the node then joins anew", ErrDirDamaged, err)
	}
	return path, nil
}

// syncUp makes the name of a file or directory durable, and those of the directories above it up to root. Of what lies
// elsewhere, it is the name alone.
func syncUp(path, root string) (err error) {
	for {
		path = filepath.Dir(path)
		err = errors.Join(err, syncDir(path))
		if rel, relErr := filepath.Rel(root, path); relErr != nil || rel == "." || !filepath.IsLocal(rel) {
			return err
		}
	}
}
