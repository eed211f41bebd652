package proc

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestTreeIsCountedAndStopped(t *testing.T) {
	p, err := Start(Spec{Name: "tree", Dir: t.TempDir(), Path: "/bin/sh", Args: []string{"-c", "sleep 60 & wait"}})
	if err != nil {
		t.Fatal(err)
	}
	var tree []Stat
	err = Retry(t.Context(), "two processes", func() error {
		if tree = Tree([]*Proc{p}); len(tree) != 2 {
			return fmt.Errorf("%d processes", len(tree))
		}
		return nil
	})
	if err != nil || Memory(tree) == 0 {
		t.Errorf("tree %v with %d bytes: %v", tree, Memory(tree), err)
	}
	p.Stop()
	for _, s := range tree {
		if now, err := readStat(s.pid); err == nil && now.start == s.start && now.ppid == os.Getpid() {
			t.Errorf("process %d is still there", s.pid)
		}
	}
}

func TestUsageCountsThisProcess(t *testing.T) {
	before := ReadUsage(nil, t.TempDir())
	for begin := time.Now(); time.Since(begin) < 100*time.Millisecond; {
		_ = fmt.Sprint(begin)
	}
	used := ReadUsage(nil, t.TempDir()).Sub(before)
	if used.Driver < 30*time.Millisecond || used.Machine <= 0 || used.Servers != 0 {
		t.Errorf("after 100 ms of work: %+v", used)
	}
}
