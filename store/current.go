package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// The store's directory:
//
//	CURRENT-DB     one line: the name of the directory that holds the database, a space, the CRC-32C of the name in hex
//	db-000001/     a RocksDB database; a restore makes the next number and switches CURRENT-DB
//	checkpoint-N/  a checkpoint that is being streamed
//
// CURRENT-DB is written only when its database is durable, so a directory that it does not name is left over from a
// creation or restore that did not finish, or from before one that did.
const (
	currentFile = "CURRENT-DB"
	firstDB     = "db-000001"
)

func isDBName(name string) bool {
	ok, _ := regexp.MatchString(`^db-[0-9]{6}$`, name)
	return ok
}

// nextDB names the directory after name.
func nextDB(name string) (string, error) {
	var n int
	if _, err := fmt.Sscanf(name, "db-%06d", &n); err != nil || n >= 999_999 {
		return "", fmt.Errorf("%w: no database name after %q", errCorrupt, name)
	}
	return fmt.Sprintf("db-%06d", n+1), nil
}

// readCurrent returns the name in CURRENT-DB. The error is os.ErrNotExist if there is no such file.
func readCurrent(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, currentFile))
	if err != nil {
		return "", err
	}
	name, _, _ := strings.Cut(string(b), " ")
	if !isDBName(name) || string(b) != currentLine(name) {
		return "", fmt.Errorf("%w: %s does not name a database", errFile, filepath.Join(dir, currentFile))
	}
	return name, nil
}

func currentLine(name string) string {
	return fmt.Sprintf("%s %08x\n", name, crc32.Checksum([]byte(name), castagnoli))
}

// writeCurrent switches CURRENT-DB to name, atomically and durably.
func writeCurrent(dir, name string) (err error) {
	path := filepath.Join(dir, currentFile)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(currentLine(name))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", currentFile, err)
	}
	if err := syncDir(dir); err != nil { // the database's own entry, before anything names it
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// removeOrphans deletes the databases in dir that CURRENT-DB does not name, and checkpoints.
func removeOrphans(dir, current string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if isDBName(e.Name()) && e.Name() != current || strings.HasPrefix(e.Name(), checkpointPrefix) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return fmt.Errorf("remove orphan: %w", err)
			}
		}
	}
	return nil
}
