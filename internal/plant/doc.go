// Package plant damages the database of a stopped node, one key at a time, so that tests can see the damage found and
// repaired. It opens RocksDB itself, past all that package store takes care of. It is for tests only; production code
// never imports it.
package plant
