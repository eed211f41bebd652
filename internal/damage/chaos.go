package damage

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Long reports whether the long form of tests was asked for.
func Long() bool { return os.Getenv("HAIKU_CHAOS") == "1" }

// Rounds is how often a test goes round in its short or long form.
func Rounds(short, long int) int {
	if Long() {
		return long
	}
	return short
}

// Rand returns the test's chance, and logs the seed that repeats it.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("HAIKU_CHAOS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("HAIKU_CHAOS_SEED: %v", err)
		}
	}
	t.Logf("HAIKU_CHAOS_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
