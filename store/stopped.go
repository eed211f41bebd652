package store

// WritesStopped reports whether RocksDB makes writers wait until its flushes or compactions have caught up.
func (s *Store) WritesStopped() bool {
	d, err := s.acquire()
	if err != nil {
		return false
	}
	defer d.users.Done()
	stopped, ok := d.db.GetIntProperty("rocksdb.is-write-stopped")
	return ok && stopped != 0
}
