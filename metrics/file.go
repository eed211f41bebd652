package metrics

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
)

// The file of the history:
//
//	"haikuhis" 8 | version uint32 = 1 | series uint32 | ring of seconds | ring of minutes | CRC-32C of all before uint32
//
// and a ring:
//
//	step uint64, in nanoseconds | slots uint32 | newest slot int64 | slots times series times float32; NaN for none
//
// all big-endian. To change it, or what the series are, raise the version: a file of another one is set aside.
const (
	historyMagic   = "haikuhis"
	historyVersion = 1
)

var errHistory = errors.New("history is damaged")

// encodeHistory makes the content of the file.
func encodeHistory(rings ...*ring) []byte {
	b := append([]byte{}, historyMagic...)
	b = binary.BigEndian.AppendUint32(b, historyVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(seriesCount))
	for _, r := range rings {
		b = binary.BigEndian.AppendUint64(b, uint64(r.step))
		b = binary.BigEndian.AppendUint32(b, uint32(len(r.values)))
		b = binary.BigEndian.AppendUint64(b, uint64(r.last))
		for i := range r.values {
			for _, v := range r.values[i] {
				b = binary.BigEndian.AppendUint32(b, math.Float32bits(v))
			}
		}
	}
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// readHistory fills rings from the file; one that is not there leaves them empty. After an error they hold anything.
func readHistory(path string, rings ...*ring) error {
	want := len(encodeHistory(rings...)) // nothing larger is read
	if info, err := os.Stat(path); err == nil && info.Size() != int64(want) {
		return fmt.Errorf("%w: it has %d bytes, not %d", errHistory, info.Size(), want)
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return decodeHistory(b, rings...)
}

// decodeHistory is the inverse of encodeHistory.
func decodeHistory(b []byte, rings ...*ring) error {
	want := encodeHistory(rings...)
	if len(b) != len(want) {
		return fmt.Errorf("%w: it has %d bytes, not %d", errHistory, len(b), len(want))
	}
	content, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if checksum(content) != sum {
		return fmt.Errorf("%w: its checksum differs", errHistory)
	}
	head := len(historyMagic) + 8
	if !bytes.Equal(content[:head], want[:head]) {
		return fmt.Errorf("%w: it begins with %x", errHistory, content[:head])
	}
	content = content[head:]
	for _, r := range rings {
		step, slots := binary.BigEndian.Uint64(content), binary.BigEndian.Uint32(content[8:])
		if step != uint64(r.step) || int(slots) != len(r.values) {
			return fmt.Errorf("%w: %d slots of %d ns", errHistory, slots, step)
		}
		r.last = int64(binary.BigEndian.Uint64(content[12:]))
		content = content[20:]
		for i := range r.values {
			for k := range r.values[i] {
				r.values[i][k] = math.Float32frombits(binary.BigEndian.Uint32(content))
				content = content[4:]
			}
		}
	}
	return nil
}

// writeFile puts content in place of a file in one step.
func writeFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// setAside keeps a file that cannot be read for people to look at; one that was kept before goes.
func setAside(path string) (aside string, err error) {
	aside = path + ".damaged"
	return aside, os.Rename(path, aside)
}
