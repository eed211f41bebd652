package store

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/linxGnu/grocksdb"
)

// checkTables reads the first block of each table file. In this version of RocksDB an error there is lost when a scan
// or a compaction goes on to that file from another one of its level: the rest of the family seems to be missing, and a
// compaction makes it so (facebook/rocksdb#11782). To seek to a file's first key shows the error. Hence the database is
// opened once without compactions before it is opened for use. Its log is in table files after that, so the second time
// costs little.
func (s *Store) checkTables(path string) (err error) {
	e, err := s.openEngine(path, openUncompacted)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	opts := e.readOptions()
	defer e.objects.free(objReadOptions, opts)
	opts.SetTotalOrderSeek(true)
	opts.SetFillCache(false)
	files := e.db.GetLiveFilesMetaData()
	for f := range familyCount {
		if err := e.checkFamily(f, files, opts); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) checkFamily(f family, files []grocksdb.LiveFileMetadata, opts *grocksdb.ReadOptions) error {
	it := e.iterator(f, opts)
	defer e.closeIterator(it)
	for _, file := range files {
		if file.ColumnFamilyName != f.String() {
			continue
		}
		it.Seek(file.SmallestKey)
		if err := it.Err(); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(e.path, file.Name), err)
		}
	}
	return nil
}
