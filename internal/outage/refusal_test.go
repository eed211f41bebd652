package outage

import (
	"net"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
)

// What cmd/testdata/refusals.txt has is not repeated here.

// TestTwoStartAtOnce starts two nodes at the same moment on one new directory: one of them serves, the other one says
// that the directory is in use.
func TestTwoStartAtOnce(t *testing.T) {
	t.Parallel()
	n := &nodes{t: t, dir: t.TempDir()}
	n.c = dial(t, client.Config{Addrs: []string{freeAddress(t)}})
	for range 2 {
		one := &node{name: "one", data: "data", address: freeAddress(t)}
		n.list = append(n.list, one)
		n.start(one)
	}
	refused, serving := n.list[0], n.list[1]
	select {
	case <-refused.done:
	case <-serving.done:
		refused, serving = serving, refused
	case <-time.After(patience):
		t.Fatal("both go on")
	}
	refused.refused(t, "another haikud runs on data")
	n.serving(serving)
}

// TestJoinWhereNobodyTakesIn joins where somebody listens and still nobody can take the node in.
func TestJoinWhereNobodyTakesIn(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts, nobody ever answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	n := startNodes(t, 2, quick)
	n.list[1].kill(t)
	n.await(n.list[0], "knows of no leader", func(s member.Status) bool { return s.LeaderAddress == "" })
	own := freeAddress(t)
	join := func(listen, at string) *process {
		return start(t, t.TempDir(), quick, haikud, "--listen", listen, "--join", at)
	}
	toSilent, toSelf, toMinority := join(freeAddress(t), silent.Addr().String()), join(own, own), join(freeAddress(t), n.list[0].address)
	toSilent.refused(t, "join", silent.Addr().String(), "no answer", "deadline")
	toSelf.refused(t, "join", own)
	toMinority.refused(t, "join", n.list[0].address, "no leader")
}
