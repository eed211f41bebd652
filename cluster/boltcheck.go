package cluster

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io/fs"
	"os"
)

// What of bbolt's file format is read here, in the byte order of the machine:
//
//	page:   | id 8 | flags 2: 1 branch, 2 leaf, 4 meta | count 2 | further pages 4 | ... |
//	meta:   pages 0 and 1: | magic 4 | version 4 | page size 4 | flags 4 | root page 8 | sequence 8 | freelist 8
//	        | end of the used pages 8 | transaction 8 | FNV-1a 64 of all before 8 |
//	leaf:   elements | flags 4: 1 bucket | position 4 | key size 4 | value size 4 |, then each key and its value
//	branch: elements | position 4 | key size 4 | page 8 |, then each key
//	bucket: | root page 8 | sequence 8 |, and if the root is 0 its only page
//
// A position counts from its element. Keys and values follow each other without a gap, which ties every count and size
// of a page together.
const (
	boltMagic      = 0xED0CDAED
	boltVersion    = 2
	boltNoFreelist = 1<<64 - 1
	boltPageHead   = 16
	boltMetaSize   = 64
	boltElement    = 16
	boltBranch     = 1
	boltLeaf       = 2
	boltMeta       = 4
	boltIsBucket   = 1
	boltBucketHead = 16
	boltMaxDepth   = 32
)

// boltChecker walks over a whole file and maps nothing into memory: what it passes makes neither bbolt panic nor the
// system end the process.
type boltChecker struct {
	path     string
	file     *os.File
	pageSize int64
	end      uint64 // of the pages in use
	seen     map[uint64]bool
	extent   logExtent

	index uint64 // of the entry whose parts are being read; 0 before the first
	parts int    // of it so far
	size  int64  // of them
	sum   uint32 // CRC-32C of them
	want  uint32 // what the first of them says
}

// boltPage is one page with those that follow it, as far as it was read.
type boltPage struct {
	id     uint64
	leaf   bool
	count  int
	size   int64
	offset int64  // in the file; or, in a bucket without pages, not used
	head   []byte // its first bytes
}

// boltItem is one element of a page.
type boltItem struct {
	flags uint32
	child uint64
	key   []byte
	value int64 // where the value begins
	size  int64 // of the value
}

// checkBolt makes sure that the file at path is one that boltLog wrote, in every page, and says which entries it
// holds. A file that is missing or was just made holds none.
func checkBolt(path string) (logExtent, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return logExtent{}, nil
	}
	if err != nil {
		return logExtent{}, err
	}
	defer file.Close()
	c := &boltChecker{path: path, file: file, seen: make(map[uint64]bool)}
	if err := c.run(); err != nil {
		return logExtent{}, damaged(path, "%w", err)
	}
	return c.extent, nil
}

func (c *boltChecker) run() error {
	root, err := c.metas()
	if err != nil {
		return err
	}
	buckets := make(map[string]bool)
	err = c.walk(root, 0, func(p *boltPage, it *boltItem) error {
		if it.flags != boltIsBucket || it.size < boltBucketHead {
			return fmt.Errorf("%q is no bucket", it.key)
		}
		buckets[string(it.key)] = true
		value, err := c.bytes(p, it.value, it.size)
		if err != nil {
			return err
		}
		return c.bucket(string(it.key), value)
	})
	if err == nil && (len(buckets) != 2 || !buckets[string(logsBucket)] || !buckets[string(confBucket)]) {
		err = errors.New("it lacks a bucket")
	}
	return err
}

// metas reads the first two pages and returns the root. Each is written in one sector, so that both have to be whole:
// to go back to the older one would be to forget what was acknowledged.
func (c *boltChecker) metas() (root uint64, err error) {
	info, err := c.file.Stat()
	if err != nil {
		return 0, err
	}
	var newest, txid [2]uint64
	c.pageSize = int64(os.Getpagesize())
	for i := range int64(2) {
		b := make([]byte, boltPageHead+boltMetaSize)
		if _, err := c.file.ReadAt(b, i*c.pageSize); err != nil {
			return 0, fmt.Errorf("page %d: %w", i, err)
		}
		m := b[boltPageHead:]
		sum := fnv.New64a()
		sum.Write(m[:boltMetaSize-8])
		if binary.NativeEndian.Uint32(m) != boltMagic || binary.NativeEndian.Uint32(m[4:]) != boltVersion ||
			sum.Sum64() != binary.NativeEndian.Uint64(m[boltMetaSize-8:]) ||
			binary.NativeEndian.Uint64(b) != uint64(i) || binary.NativeEndian.Uint16(b[8:]) != boltMeta {
			return 0, fmt.Errorf("page %d has a wrong checksum", i)
		}
		if size := binary.NativeEndian.Uint32(m[8:]); int64(size) != c.pageSize {
			return 0, fmt.Errorf("its pages have %d bytes, those of this machine %d", size, c.pageSize)
		}
		if txid[i] = binary.NativeEndian.Uint64(m[48:]); i == 0 || txid[1] > txid[0] {
			newest = [2]uint64{binary.NativeEndian.Uint64(m[16:]), binary.NativeEndian.Uint64(m[32:])}
			c.end = binary.NativeEndian.Uint64(m[40:])
		}
	}
	switch {
	case txid[0] != txid[1]+1 && txid[1] != txid[0]+1:
		return 0, fmt.Errorf("its first pages are of writes %d and %d", txid[0], txid[1])
	case newest[1] != boltNoFreelist:
		return 0, errors.New("it has a list of free pages")
	case c.end > uint64(info.Size()/c.pageSize):
		return 0, fmt.Errorf("it has %d bytes and should have %d pages of %d", info.Size(), c.end, c.pageSize)
	}
	return newest[0], nil
}

// bucket checks one of the two buckets.
func (c *boltChecker) bucket(name string, value []byte) error {
	root, sequence := binary.NativeEndian.Uint64(value), binary.NativeEndian.Uint64(value[8:])
	var found uint64
	visit := func(p *boltPage, it *boltItem) error {
		if it.flags != 0 {
			return fmt.Errorf("%s has an element of kind %d", name, it.flags)
		}
		if name == string(logsBucket) {
			return c.part(p, it)
		}
		v, err := c.bytes(p, it.value, it.size)
		if err == nil && !sumHolds(it.key, v) {
			err = fmt.Errorf("%q has a wrong checksum", it.key)
		}
		found = uint64(sumPair(uint32(found), it.key, v))
		return err
	}
	var err error
	if root == 0 {
		err = c.inline(value[boltBucketHead:], visit)
	} else {
		err = c.walk(root, 0, visit)
	}
	if err == nil && name == string(logsBucket) {
		found, err = c.index, c.endEntry()
	}
	if err == nil && found != sequence {
		err = fmt.Errorf("%s ends at %d and should end at %d", name, found, sequence)
	}
	return err
}

// part takes the next part of an entry, in order.
func (c *boltChecker) part(p *boltPage, it *boltItem) error {
	if len(it.key) != 10 || it.size == 0 || it.size > partBytes {
		return fmt.Errorf("a part of an entry with a key of %d bytes and %d bytes", len(it.key), it.size)
	}
	value, err := c.bytes(p, it.value, it.size)
	if err != nil {
		return err
	}
	index, part := binary.BigEndian.Uint64(it.key), int(binary.BigEndian.Uint16(it.key[8:]))
	if index != c.index {
		if err := c.endEntry(); err != nil {
			return err
		}
		if index == 0 || c.index != 0 && index != c.index+1 {
			return fmt.Errorf("%w: %d after %d", errLogGap, index, c.index)
		}
		c.index, c.parts, c.size = index, 0, 0
	}
	if part != c.parts {
		return fmt.Errorf("part %d of entry %d stands where part %d should", part, index, c.parts)
	}
	if part == 0 {
		if it.size < entryHead {
			return fmt.Errorf("entry %d begins with %d bytes", index, it.size)
		}
		c.want, c.sum = binary.BigEndian.Uint32(value), crc32.Checksum(it.key[:8], castagnoli)
		value = value[sumBytes:]
	}
	c.parts++
	c.size += it.size
	c.sum = crc32.Update(c.sum, castagnoli, value)
	return nil
}

// endEntry takes note of the entry whose parts were read.
func (c *boltChecker) endEntry() error {
	if c.index == 0 {
		return nil
	}
	if c.sum != c.want {
		return fmt.Errorf("entry %d has a wrong checksum", c.index)
	}
	c.extent.push(c.index, c.size-entryHead+entryOverhead)
	return nil
}

// walk visits the elements of all leaves from a page on, in order.
func (c *boltChecker) walk(id uint64, depth int, visit func(*boltPage, *boltItem) error) error {
	p, err := c.page(id)
	if err != nil {
		return err
	}
	if depth > boltMaxDepth {
		return errors.New("its pages form a ring")
	}
	return c.items(p, func(it *boltItem) error {
		if p.leaf {
			return visit(p, it)
		}
		return c.walk(it.child, depth+1, visit)
	})
}

// inline visits the elements of a bucket that has no page of its own.
func (c *boltChecker) inline(b []byte, visit func(*boltPage, *boltItem) error) error {
	p := &boltPage{head: b, size: int64(len(b)), offset: -1}
	if err := p.parse(0); err != nil || !p.leaf {
		return fmt.Errorf("a small bucket makes no sense: %w", errors.Join(err, errors.New("it has to be a leaf")))
	}
	return c.items(p, func(it *boltItem) error { return visit(p, it) })
}

func (c *boltChecker) page(id uint64) (*boltPage, error) {
	if id < 2 || id >= c.end || c.seen[id] {
		return nil, fmt.Errorf("page %d does not exist, or is used twice", id)
	}
	p := &boltPage{id: id, offset: int64(id) * c.pageSize, head: make([]byte, c.pageSize)}
	if _, err := c.file.ReadAt(p.head, p.offset); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	further := uint64(binary.NativeEndian.Uint32(p.head[12:]))
	if further >= c.end-id {
		return nil, fmt.Errorf("page %d goes on for %d pages", id, further)
	}
	for i := range further + 1 {
		if c.seen[id+i] {
			return nil, fmt.Errorf("page %d is used twice", id+i)
		}
		c.seen[id+i] = true
	}
	p.size = int64(further+1) * c.pageSize
	return p, p.parse(id)
}

// parse reads the head of a page.
func (p *boltPage) parse(id uint64) error {
	if len(p.head) < boltPageHead {
		return fmt.Errorf("page %d has %d bytes", id, len(p.head))
	}
	flags := binary.NativeEndian.Uint16(p.head[8:])
	p.leaf, p.count = flags == boltLeaf, int(binary.NativeEndian.Uint16(p.head[10:]))
	if got := binary.NativeEndian.Uint64(p.head); got != id || flags != boltLeaf && flags != boltBranch {
		return fmt.Errorf("page %d says that it is page %d of kind %d", id, got, flags)
	}
	if boltPageHead+int64(p.count)*boltElement > p.size || p.count == 0 && !p.leaf {
		return fmt.Errorf("page %d has %d elements", id, p.count)
	}
	return nil
}

// items visits the elements of one page, whose keys have to rise.
func (c *boltChecker) items(p *boltPage, visit func(*boltItem) error) error {
	next := int64(boltPageHead + p.count*boltElement)
	var before []byte
	for i := range p.count {
		begin := int64(boltPageHead + i*boltElement)
		e, err := c.bytes(p, begin, boltElement)
		if err != nil {
			return err
		}
		u32 := func(at int) int64 { return int64(binary.NativeEndian.Uint32(e[at:])) }
		it, position, keySize := boltItem{child: binary.NativeEndian.Uint64(e[8:])}, u32(0), u32(4)
		if p.leaf {
			it, position, keySize = boltItem{flags: uint32(u32(0)), size: u32(12)}, u32(4), u32(8)
		}
		it.value = next + keySize
		if begin+position != next || it.value+it.size > p.size {
			return fmt.Errorf("page %d: element %d is out of place", p.id, i)
		}
		if it.key, err = c.bytes(p, next, keySize); err != nil {
			return err
		}
		if i > 0 && bytes.Compare(before, it.key) >= 0 {
			return fmt.Errorf("page %d: key %d is out of order", p.id, i)
		}
		before, next = it.key, it.value+it.size
		if err := visit(&it); err != nil {
			return err
		}
	}
	return nil
}

// bytes reads from a page.
func (c *boltChecker) bytes(p *boltPage, from, n int64) ([]byte, error) {
	switch {
	case from+n > p.size:
		return nil, fmt.Errorf("page %d is too short", p.id)
	case from+n <= int64(len(p.head)):
		return p.head[from : from+n], nil
	}
	b := make([]byte, n)
	if _, err := c.file.ReadAt(b, p.offset+from); err != nil {
		return nil, fmt.Errorf("page %d: %w", p.id, err)
	}
	return b, nil
}
