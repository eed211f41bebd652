package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// place is the data directory that a restore is to make or to replace, held so that no node starts on it.
type place struct {
	path  string // absolute
	there bool   // it exists
	empty bool   // it exists and holds nothing worth keeping
	lock  *os.File
}

// takePlace looks at the directory and locks it, if there is one. It is not changed.
func takePlace(path string, force bool) (p place, err error) {
	if p.path, err = filepath.Abs(path); err != nil {
		return p, err
	}
	entries, err := os.ReadDir(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.there, p.empty = true, true
	known := false
	for _, e := range entries {
		switch e.Name() {
		case lockName, identityTemp, "lost+found":
		case identityName, "groups":
			known, p.empty = true, false
		default:
			p.empty = false
		}
	}
	if !p.empty && !known {
		return p, fmt.Errorf("%w: %s has content but is no data directory of Haiku; choose another", ErrDirHasData, p.path)
	}
	if p.lock, err = lockDir(p.path); err != nil {
		return p, err
	}
	if !p.empty && !force {
		return p, fmt.Errorf("%w: %s holds %s; --force moves it aside, to %s.reset-N", ErrDirHasData, p.path, p.owner(), p.path)
	}
	return p, nil
}

// owner says whose data is in the directory.
func (p *place) owner() string {
	raw, err := os.ReadFile(filepath.Join(p.path, identityName))
	if err != nil {
		return "what a node left"
	}
	node, err := parseIdentity(raw)
	if err != nil || node.ClusterID.IsZero() {
		return "what a node left"
	}
	return fmt.Sprintf("node %s of cluster %s", node.NodeID, node.ClusterID)
}

// swap puts the directory that was built in its place. One that is there is exchanged with it in one step, under the name
// that the old one is to keep: so at every moment there is a directory in the place, old or new, and DIR.restoring is
// never anything but an unfinished one.
func (r *restore) swap() (aside string, err error) {
	p := &r.target
	parent := filepath.Dir(p.path)
	if !p.there {
		if err := os.Rename(r.temp.path, p.path); err != nil {
			return "", err
		}
		r.moved = true
		return "", syncDir(parent)
	}
	if aside, err = asideOf(p.path); err != nil {
		return "", err
	}
	if err := os.Rename(r.temp.path, aside); err != nil {
		return "", err
	}
	if err := exchange(aside, p.path); err != nil {
		r.temp.path = aside // release removes it
		if errors.Is(err, errors.ErrUnsupported) {
			err = fmt.Errorf("%w; `haikud reset` moves the old directory aside first, or remove it if it is empty", err)
		}
		return "", err
	}
	r.moved = true
	if p.empty {
		return "", errors.Join(syncDir(parent), os.RemoveAll(aside), syncDir(parent))
	}
	return aside, syncDir(parent)
}
