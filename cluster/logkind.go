package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// LogKind says what keeps Raft's log and votes.
type LogKind string

const (
	LogBolt LogKind = "boltdb" // one bbolt file
	LogWAL  LogKind = "wal"    // a directory of segments, by raft-wal; experimental, as its authors say
)

// errOtherLog is for a directory whose log is not of the kind that is configured. A new log beside it would be one that
// forgot what the node acknowledged.
var errOtherLog = errors.New("raft's log is of another kind")

// logConfig is what a log store needs to open.
type logConfig struct {
	Dir        string // of the group
	Kind       LogKind
	CacheBytes int64 // of the newest entries, kept in memory; 0: logCacheBytes
	Watchdog   *watchdog
	Logger     *slog.Logger
	OnFatal    func(error)
	OnSynced   func(took time.Duration) // nil for nobody
}

// fileName is the name of the log's file or directory.
func (k LogKind) fileName() string {
	if k == LogWAL {
		return "wal"
	}
	return "raft.db"
}

// proof is the path of what exists if a log of this kind was ever made: that of raft-wal's votes and list of segments,
// for without it raft-wal deletes the segments and begins a new log.
func (k LogKind) proof(group string) string {
	if k == LogWAL {
		return filepath.Join(group, k.fileName(), walMetaName)
	}
	return filepath.Join(group, k.fileName())
}

// checkLog refuses a directory that was started before and lacks its log, or has one of another kind.
func checkLog(group string, kind LogKind) error {
	other := map[LogKind]LogKind{LogBolt: LogWAL, LogWAL: LogBolt}[kind]
	if path := filepath.Join(group, other.fileName()); exists(path) {
		if exists(filepath.Join(group, kind.fileName())) {
			return fmt.Errorf("%w: logs of both kinds, %s and %s; one of them is not this node's", ErrDirDamaged,
				filepath.Join(group, kind.fileName()), path)
		}
		return fmt.Errorf("%w: %s was written with raft.log_store: %s, and %s is set now; set %s again, or to change, "+
			"`haikud reset` moves the directory aside and the node joins anew", errOtherLog, path, other, kind, other)
	}
	if _, err := os.Stat(kind.proof(group)); err != nil {
		return fmt.Errorf("%w: a part is missing: %w; `haikud reset` moves the directory aside, the node then joins anew",
			ErrDirDamaged, err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}
