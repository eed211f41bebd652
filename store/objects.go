package store

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// objectKind is a kind of RocksDB's objects that live in C memory, which no garbage collector sees. What table options
// take over, filters above all, goes with them and is not counted.
type objectKind int

const (
	objCache objectKind = iota
	objOptions
	objTableOptions
	objDatabase
	objFamily
	objReadOptions
	objWriteOptions
	objValue
	objIterator
	objSnapshot
	objBatch
	objCheckpoint
	objectKinds
)

var objectNames = [objectKinds]string{
	"cache", "options", "table options", "database", "column family", "read options", "write options", "value", "iterator",
	"snapshot", "write batch", "checkpoint",
}

// errObjects says that a database was closed, or not opened, and not everything that it had made was freed: our bug.
var errObjects = errors.New("objects of RocksDB were not freed")

// objects counts what was made and not yet freed. Whoever makes an object counts it in the same function.
type objects struct{ live [objectKinds]atomic.Int64 }

// counted counts an object that was made just now.
func counted[T any](o *objects, kind objectKind, object T) T {
	o.add(kind, 1)
	return object
}

func (o *objects) add(kind objectKind, n int) { o.live[kind].Add(int64(n)) }

// free destroys an object and no longer counts it.
func (o *objects) free(kind objectKind, object interface{ Destroy() }) {
	object.Destroy()
	o.add(kind, -1)
}

// none returns an error unless everything was freed.
func (o *objects) none() error {
	var errs []error
	for kind := range objectKinds {
		if n := o.live[kind].Load(); n != 0 {
			errs = append(errs, fmt.Errorf("%w: %d of kind %s", errObjects, n, objectNames[kind]))
		}
	}
	return errors.Join(errs...)
}
