package store

import (
	"testing"

	"github.com/haiku-queue/haiku/task"
)

// TestWrittenAgreesWithRocksDB: RocksDB numbers each key that it writes.
func TestWrittenAgreesWithRocksDB(t *testing.T) {
	s := openTest(t)
	before, number := s.Written(), s.d.db.GetLatestSequenceNumber()
	x := newTask(1, func(s *task.Spec) { s.Payload = make([]byte, 500) })
	submit(t, s, x, newTask(2, nil))
	after := s.Written()
	if after.Batches != before.Batches+1 || after.Puts < before.Puts+4 || after.Deletes != before.Deletes {
		t.Fatalf("%+v after %+v", after, before)
	}
	if after.Bytes < before.Bytes+uint64(len(x.Payload)) {
		t.Fatalf("%+v after %+v and a payload of %d bytes", after, before, len(x.Payload))
	}
	submit(t, s, completed(x, []byte("done")))
	ended := s.Written()
	if ended.Batches != after.Batches+1 || ended.Deletes == after.Deletes {
		t.Fatalf("%+v after %+v", ended, after)
	}
	keys := ended.Puts - before.Puts + ended.Deletes - before.Deletes
	if n := s.d.db.GetLatestSequenceNumber() - number; n != keys {
		t.Fatalf("%d keys counted, RocksDB has written %d", keys, n)
	}
	s.Begin().Discard()
	if s.Written() != ended {
		t.Fatal("a discarded batch was counted")
	}
}
