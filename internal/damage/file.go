package damage

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Kind is one way to spoil a file.
type Kind string

const (
	Flip     Kind = "flip a bit"
	Zero     Kind = "zero a page"
	Truncate Kind = "truncate anywhere"
	Cut      Kind = "cut the tail"
	Remove   Kind = "remove"
	Replace  Kind = "replace by another's"
)

// Kinds lists all of them.
var Kinds = [...]Kind{Flip, Zero, Truncate, Cut, Remove, Replace}

const (
	pageBytes = 4096
	tailBytes = 100 // at most cut by Cut
)

// File spoils the file at path at random places and says what it did. other is the file that Replace takes; without one
// it removes.
func File(r *rand.Rand, kind Kind, path, other string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	size := info.Size()
	if size == 0 && kind != Replace {
		kind = Remove
	}
	what := fmt.Sprintf("%s of %d bytes: %s", filepath.Base(path), size, kind)
	switch kind {
	case Flip:
		at, bit := r.Int64N(size), r.IntN(8)
		return fmt.Sprintf("%s, bit %d of byte %d", what, bit, at), change(path, at, 1, func(b []byte) { b[0] ^= 1 << bit })
	case Zero:
		at := r.Int64N((size + pageBytes - 1) / pageBytes)
		n := min(pageBytes, size-at*pageBytes)
		return fmt.Sprintf("%s %d", what, at), change(path, at*pageBytes, n, func(b []byte) { clear(b) })
	case Truncate:
		to := r.Int64N(size)
		return fmt.Sprintf("%s, at %d", what, to), os.Truncate(path, to)
	case Cut:
		n := 1 + r.Int64N(min(tailBytes, size))
		return fmt.Sprintf("%s, %d bytes", what, n), os.Truncate(path, size-n)
	case Replace:
		if other != "" {
			return what, copyFile(other, path)
		}
	}
	return what, os.Remove(path)
}

func change(path string, at, n int64, do func([]byte)) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	do(b)
	_, err = f.WriteAt(b, at)
	return err
}

// CopyDir copies a directory with everything in it, as far as it is still there when its turn comes.
func CopyDir(from, to string) error {
	return filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		if err := copyFile(path, filepath.Join(to, rel)); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
