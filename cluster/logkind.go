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
	LogWAL  LogKind = "wal"    // a directory of segments, by raft-wal
	LogBolt LogKind = "boltdb" // one bbolt file
)

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

// existingLog says of which kind the log is in the directory of a group that was started before, whatever is configured
// now, and refuses one that lacks a part of its log.
func existingLog(group string) (LogKind, error) {
	var found []LogKind
	for _, kind := range []LogKind{LogWAL, LogBolt} {
		if exists(filepath.Join(group, kind.fileName())) {
			found = append(found, kind)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%w: Raft's log is missing: %s has neither %s nor %s; %s", ErrDirDamaged, group, LogWAL.fileName(),
			LogBolt.fileName(), resetHint)
	case 2:
		return "", fmt.Errorf("%w: logs of both kinds, %s and %s, in %s; one of them is not this node's", ErrDirDamaged,
			LogWAL.fileName(), LogBolt.fileName(), group)
	}
	if _, err := os.Stat(found[0].proof(group)); err != nil {
		return "", fmt.Errorf("%w: a part is missing: %w; %s", ErrDirDamaged, err, resetHint)
	}
	return found[0], nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}
