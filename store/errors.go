package store

import (
	"errors"
	"fmt"

	"github.com/haiku-queue/haiku/task"
)

var (
	errClosed       = fmt.Errorf("%w: the store is closed", task.ErrShutdown)
	errCorrupt      = errors.New("store is corrupt")
	errUnknownField = errors.New("a field of a later version")
	errMissing      = errors.New("no database")
	errBatchEnded   = errors.New("the batch was committed or discarded")
	errReserved     = errors.New("key of the store's own")
)
