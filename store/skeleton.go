package store

import (
	"errors"

	"github.com/haiku-queue/haiku/task"
)

var errTodo = errors.New("not yet")

type Store struct{}
type Batch struct{}
type Snapshot struct{}

type Config struct {
	Dir    string
	Create bool
}

func Default() Config             { return Config{} }
func (c *Config) Validate() error { return nil }

type Applied struct {
	Index, Term        uint64
	Configuration      []byte
	ConfigurationIndex uint64
}

type Pair struct{ Queue, Type string }

type Claimable struct {
	Pair  Pair
	Count int
}

type KV struct {
	Key   string
	Value []byte
}

type ScheduleKind uint8

const (
	DueKind   ScheduleKind = 1
	RetryKind ScheduleKind = 2
)

func Open(cfg Config) (*Store, error)    { return nil, errTodo }
func (s *Store) Close() error            { return nil }
func (s *Store) Applied() Applied        { return Applied{} }
func (s *Store) Witness(a Applied) error { return nil }
func (s *Store) Sync() error             { return nil }
func (s *Store) Begin() *Batch           { return nil }

func (b *Batch) Task(id task.ID) (*task.Task, error) { return nil, errTodo }
func (b *Batch) Put(t *task.Task)                    {}
func (b *Batch) Status(id task.ID) (st task.Status, hash [16]byte, ok bool, err error) {
	return 0, hash, false, errTodo
}
func (b *Batch) NextSeq() uint64                { return 0 }
func (b *Batch) Time() int64                    { return 0 }
func (b *Batch) SetTime(us int64)               {}
func (b *Batch) Savepoint() int                 { return 0 }
func (b *Batch) Rollback(sp int)                {}
func (b *Batch) ReadyPairs(queue string) []Pair { return nil }
func (b *Batch) FirstReady(pairs []Pair) (id task.ID, size uint32, ok bool, err error) {
	return id, 0, false, errTodo
}
func (b *Batch) Due(kind ScheduleKind, until int64, limit int) ([]task.ID, error) {
	return nil, errTodo
}
func (b *Batch) Dependents(parent task.ID, after task.ID, limit int) ([]task.ID, error) {
	return nil, errTodo
}
func (b *Batch) Meta(key string) ([]byte, error)                          { return nil, errTodo }
func (b *Batch) PutMeta(key string, value []byte)                         {}
func (b *Batch) DeleteMeta(key string)                                    {}
func (b *Batch) ScanMeta(prefix string, limit int) ([]KV, error)          { return nil, errTodo }
func (b *Batch) LogHash() [32]byte                                        { return [32]byte{} }
func (b *Batch) Commit(a Applied, logHash [32]byte) ([]Claimable, error)  { return nil, errTodo }
func (b *Batch) Discard()                                                 {}
func (s *Store) Task(id task.ID, withPayload bool) (*task.Task, error)    { return nil, errTodo }
func (s *Store) Fill(t *task.Task) error                                  { return errTodo }
func (s *Store) List(f task.Filter) (task.Page, error)                    { return task.Page{}, errTodo }
func (s *Store) Stats() task.Stats                                        { return task.Stats{} }
func (s *Store) HasReady(queues, types []string) bool                     { return false }
func (s *Store) NextDue(kind ScheduleKind) (us int64, ok bool, err error) { return 0, false, errTodo }
func (s *Store) EachInProgress(fn func(*task.Task) error) error           { return errTodo }
func (s *Store) Meta(key string) ([]byte, error)                          { return nil, errTodo }
func (s *Store) ScanMeta(prefix string) ([]KV, error)                     { return nil, errTodo }
func (s *Store) Snapshot() *Snapshot                                      { return nil }
func (s *Store) StateHash() ([32]byte, error)                             { return [32]byte{}, errTodo }
func (s *Store) Check() error                                             { return errTodo }
func (s *Snapshot) StateHash() ([32]byte, error)                          { return [32]byte{}, errTodo }
func (s *Snapshot) Applied() Applied                                      { return Applied{} }
func (s *Snapshot) Release()                                              {}
