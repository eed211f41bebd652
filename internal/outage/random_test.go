package outage

import (
	"syscall"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/internal/damage"
)

// TestRandomOutages kills, stops and ends nodes by chance, one or more at a time, while the load goes on; in the long
// form for some minutes.
func TestRandomOutages(t *testing.T) {
	t.Parallel()
	chance := damage.Rand(t)
	n := startNodes(t, 3, quick)
	l := startLoad(n, 2*shortLease)
	for range damage.Rounds(4, 120) {
		l.more(20 + chance.IntN(100))
		chance.Shuffle(len(n.list), func(i, j int) { n.list[i], n.list[j] = n.list[j], n.list[i] })
		hit := n.list[:1+chance.IntN(len(n.list))]
		kind, pause := chance.IntN(4), time.Duration(chance.IntN(2000))*time.Millisecond
		if chance.IntN(10) == 0 {
			pause += 6 * time.Second // longer than any lease here, and than the grace of a session
		}
		t.Logf("outage %d of %d nodes, %s", kind, len(hit), pause)
		for _, one := range hit {
			switch kind {
			case 0:
				one.kill(t)
			case 1:
				one.signal(t, syscall.SIGTERM)
			default:
				one.signal(t, syscall.SIGSTOP)
			}
		}
		acked := l.snapshot()
		<-time.After(pause)
		for _, one := range hit {
			if kind > 1 {
				one.signal(t, syscall.SIGCONT)
				continue
			}
			one.exit(t)
			n.start(one)
			if chance.IntN(4) == 0 { // it does not come far
				<-time.After(time.Duration(chance.IntN(300)) * time.Millisecond)
				one.kill(t)
				n.start(one)
			}
		}
		n.complete()
		l.mustBeThere(acked, n.list[chance.IntN(len(n.list))])
		n.sameState()
	}
	l.finish()
	n.sameState()
}
