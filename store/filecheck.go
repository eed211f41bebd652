package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What RocksDB does not notice by itself when it opens a database:
//
//   - MANIFEST loses its last edits at the end of one. A flush is forgotten whose log file is gone.
//   - A log file that is needed is missing while a later one is there, or has lost its end at the end of a write, or
//     has zeros where a write began. The later writes are applied without the earlier.
//
// Each leaves a database that opens and whose families contradict each other. checkFiles tells them by the sequence
// numbers, which every write continues, and by the numbers of the log files that MANIFEST names.
var errFile = fmt.Errorf("%w: damaged file", errCorrupt)

var logFileName = regexp.MustCompile(`^([0-9]{6,20})\.log$`)

// checkFiles checks CURRENT, MANIFEST and the log files of the database in dir, which nobody has open. What RocksDB
// reports itself, or repairs by leaving out all later writes, is left to it.
func checkFiles(dir string) error {
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	logs, err := logFiles(dir)
	if err != nil {
		return err
	}
	if !m.whole() {
		return fmt.Errorf("%w: %s ends early", errFile, filepath.Join(dir, manifestName(m.number)))
	}
	first := max(m.begin(), m.minLog)
	logs = slices.DeleteFunc(logs, func(n uint64) bool { return n < first })
	if len(logs) == 0 || logs[0] != first {
		return fmt.Errorf("%w: %s is missing", errFile, filepath.Join(dir, logName(first)))
	}
	return checkLogs(dir, logs)
}

// checkLogs makes sure that the writes in log files follow each other.
func checkLogs(dir string, logs []uint64) error {
	var next uint64 // the sequence number that is due; 0 before the first
	var hole string // a log file with zeros, or without writes, where RocksDB goes on behind
	stopped := false
	for _, n := range logs {
		path := filepath.Join(dir, logName(n))
		begin, empty := true, true
		whole, err := eachRecord(path, batchHeader, func(record []byte) error {
			if record == nil {
				hole = path
				return nil
			}
			seq, count := batchExtent(record)
			if count == 0 {
				return nil
			}
			empty = false
			if stopped && begin && seq != next {
				return errStop
			}
			if hole != "" {
				return fmt.Errorf("%w: %s lacks writes", errFile, hole)
			}
			if next != 0 && seq != next {
				return fmt.Errorf("%w: %s goes on with write %d, and %d is the next", errFile, path, seq, next)
			}
			begin, stopped, next = false, false, seq+count
			return nil
		})
		if errors.Is(err, errStop) {
			return nil // RocksDB stops here, too
		}
		if err != nil {
			return err
		}
		stopped = stopped || !whole
		if empty && whole {
			hole = path
		}
	}
	return nil
}

// logFiles lists the numbers of the log files in dir, in order.
func logFiles(dir string) (out []uint64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if m := logFileName.FindStringSubmatch(e.Name()); m != nil {
			n, err := strconv.ParseUint(m[1], 10, 64)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}

func logName(n uint64) string      { return fmt.Sprintf("%06d.log", n) }
func manifestName(n uint64) string { return fmt.Sprintf("MANIFEST-%06d", n) }

// readManifest reads the MANIFEST that CURRENT names.
func readManifest(dir string) (*manifest, error) {
	path := filepath.Join(dir, "CURRENT")
	to, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing", errFile, path)
	}
	if err != nil {
		return nil, err
	}
	number, ok := strings.CutPrefix(string(to), "MANIFEST-")
	number, end := strings.CutSuffix(number, "\n")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || !end || err != nil {
		return nil, fmt.Errorf("%w: %s names %q", errFile, path, to)
	}
	path = filepath.Join(dir, manifestName(n))
	m := &manifest{number: n, families: make(map[uint32]uint64)}
	_, err = eachRecord(path, maxEdit, m.add) // an edit that a crash cut off was never in force
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is missing", errFile, path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errFile, path, err)
	}
	return m, nil
}
