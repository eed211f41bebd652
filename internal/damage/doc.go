// Package damage spoils files the way that disks, crashes and people do, for tests that want a node to refuse them or to
// answer as if nothing had happened. A run is told by its seed, which every test logs: HAIKU_CHAOS_SEED repeats it, and
// HAIKU_CHAOS=1 asks for the long form of each test.
//
// Only tests import it. It refuses to judge what a damage should lead to. Its functions hold no state; a Rand belongs to
// one goroutine.
package damage
