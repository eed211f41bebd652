package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

const boltLockTimeout = 5 * time.Second

// openBoltLog opens or makes the log in the file at path.
func openBoltLog(path string) (logFiles, logExtent, error) {
	extent, err := measureBolt(path)
	if err != nil {
		return nil, extent, err
	}
	bolt, err := raftboltdb.New(raftboltdb.Options{Path: path, BoltOptions: &bbolt.Options{
		Timeout: boltLockTimeout, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
	}})
	if err != nil {
		return nil, extent, err
	}
	return bolt, extent, nil
}

// measureBolt reads which entries a log file holds. It touches no data of large entries. Pages that make no sense bbolt
// answers with a panic.
func measureBolt(path string) (extent logExtent, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s: %v", ErrDirDamaged, path, p)
		}
	}()
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return extent, nil
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: boltLockTimeout, ReadOnly: true})
	if err != nil {
		return extent, err
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		logs := tx.Bucket([]byte("logs")) // raft-boltdb's name
		if logs == nil {
			return nil
		}
		return logs.ForEach(func(k, v []byte) error {
			if len(k) != 8 {
				return fmt.Errorf("a key of %d bytes", len(k))
			}
			index := binary.BigEndian.Uint64(k)
			if last := extent.last(); last != 0 && index != last+1 {
				return fmt.Errorf("%w: %d after %d", errLogGap, index, last)
			}
			extent.push(index, int64(len(v)))
			return nil
		})
	})
	return extent, err
}
