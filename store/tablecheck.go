package store

import (
	"fmt"
	"path/filepath"

	"github.com/linxGnu/grocksdb"
)

// checkTables reads the first block of each table file. In this version of RocksDB an error there is lost when a scan
// or a compaction goes on to that file from another one of its level: the rest of the family seems to be missing, and a
// compaction makes it so (facebook/rocksdb#11782). To seek to a file's first key shows the error. Nothing is compacted
// before all files have passed.
func (d *database) checkTables() error {
	opts := grocksdb.NewDefaultReadOptions()
	defer opts.Destroy()
	opts.SetTotalOrderSeek(true)
	opts.SetFillCache(false)
	files := d.db.GetLiveFilesMetaData()
	for f := range familyCount {
		if err := d.checkFamily(f, files, opts); err != nil {
			return err
		}
	}
	for f := range familyCount {
		if err := d.db.SetOptionsCF(d.handles[f], []string{"disable_auto_compactions"}, []string{"false"}); err != nil {
			return fmt.Errorf("let %s be compacted: %w", f, err)
		}
	}
	return nil
}

func (d *database) checkFamily(f family, files []grocksdb.LiveFileMetadata, opts *grocksdb.ReadOptions) error {
	it := d.db.NewIteratorCF(opts, d.handles[f])
	defer it.Close()
	for _, file := range files {
		if file.ColumnFamilyName != f.String() {
			continue
		}
		it.Seek(file.SmallestKey)
		if err := it.Err(); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(d.path, file.Name), err)
		}
	}
	return nil
}
