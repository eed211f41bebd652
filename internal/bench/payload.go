package bench

import (
	"encoding/binary"
	"math/rand/v2"
)

// A payload begins with
//
//	run 8 bytes | number 8 bytes, big-endian
//
// and goes on with bytes that hardly compress, the same in every task.
const headerSize = 16

// payloads makes and reads the payloads of one part of one benchmark.
type payloads struct {
	run    uint64
	filler []byte
}

func newPayloads(size int) payloads {
	p := payloads{run: rand.Uint64(), filler: make([]byte, size)}
	letters := rand.New(rand.NewPCG(1, 2)) // the same in every run
	for i := range p.filler {
		p.filler[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[letters.IntN(64)]
	}
	return p
}

func (p payloads) make(number int) []byte {
	b := append([]byte(nil), p.filler...)
	binary.BigEndian.PutUint64(b, p.run)
	binary.BigEndian.PutUint64(b[8:], uint64(number))
	return b
}

// number tells which task a payload belongs to; false if it is none of this part.
func (p payloads) number(payload []byte) (int, bool) {
	if len(payload) != len(p.filler) || binary.BigEndian.Uint64(payload) != p.run {
		return 0, false
	}
	return int(binary.BigEndian.Uint64(payload[8:])), true
}
