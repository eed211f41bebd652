package plant

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/linxGnu/grocksdb"

	"github.com/haiku-queue/haiku/internal/pb/recordpb"
)

// FlipKey moves the first entry of a column family to a key in which one bit is flipped. dir is the node's data
// directory.
func FlipKey(dir, family string) error {
	return change(dir, family, "", func(batch *grocksdb.WriteBatch, handle *grocksdb.ColumnFamilyHandle, key, value []byte) error {
		flipped := bytes.Clone(key)
		flipped[len(flipped)-1] ^= 1 << 6
		batch.DeleteCF(handle, key)
		batch.PutCF(handle, flipped, value)
		return nil
	})
}

// LoseKey deletes the first key of a column family.
func LoseKey(dir, family string) error {
	return change(dir, family, "", func(batch *grocksdb.WriteBatch, handle *grocksdb.ColumnFamilyHandle, key, _ []byte) error {
		batch.DeleteCF(handle, key)
		return nil
	})
}

// RaiseCounter has the first counter count one completed task too many.
func RaiseCounter(dir string) error {
	return change(dir, "meta", "count/", func(batch *grocksdb.WriteBatch, handle *grocksdb.ColumnFamilyHandle, key, value []byte) error {
		var row recordpb.Counts
		if err := row.UnmarshalVT(value[1:]); err != nil {
			return err
		}
		row.Completed++
		body, err := row.MarshalVT()
		batch.PutCF(handle, key, append(value[:1:1], body...))
		return err
	})
}

// change has fn change the first entry of a family whose key begins with prefix.
func change(dir, family, prefix string, fn func(batch *grocksdb.WriteBatch, handle *grocksdb.ColumnFamilyHandle, key, value []byte) error) error {
	store := filepath.Join(dir, "groups", "0", "store")
	current, err := os.ReadFile(filepath.Join(store, "CURRENT-DB"))
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(string(current), " ")
	path := filepath.Join(store, name)
	opts := grocksdb.NewDefaultOptions()
	defer opts.Destroy()
	names, err := grocksdb.ListColumnFamilies(opts, path)
	if err != nil {
		return err
	}
	at := slices.Index(names, family)
	if at < 0 {
		return fmt.Errorf("no column family %s", family)
	}
	all := make([]*grocksdb.Options, len(names))
	for i := range all {
		all[i] = opts
	}
	db, handles, err := grocksdb.OpenDbColumnFamilies(opts, path, names, all)
	if err != nil {
		return err
	}
	defer db.Close()
	defer func() {
		for _, h := range handles {
			h.Destroy()
		}
	}()
	key, value, err := first(db, handles[at], prefix)
	if err != nil {
		return err
	}
	batch := grocksdb.NewWriteBatch()
	defer batch.Destroy()
	if err := fn(batch, handles[at], key, value); err != nil {
		return err
	}
	write := grocksdb.NewDefaultWriteOptions()
	defer write.Destroy()
	write.SetSync(true)
	return db.Write(write, batch)
}

func first(db *grocksdb.DB, handle *grocksdb.ColumnFamilyHandle, prefix string) (key, value []byte, err error) {
	read := grocksdb.NewDefaultReadOptions()
	defer read.Destroy()
	it := db.NewIteratorCF(read, handle)
	defer it.Close()
	it.Seek([]byte(prefix))
	if !it.ValidForPrefix([]byte(prefix)) {
		return nil, nil, errors.Join(fmt.Errorf("no key begins with %q", prefix), it.Err())
	}
	return bytes.Clone(it.Key().Data()), bytes.Clone(it.Value().Data()), nil
}
