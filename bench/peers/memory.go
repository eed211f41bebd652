package main

import (
	"time"

	"github.com/haiku-queue/haiku/bench/proc"
)

// watchMemory samples the servers' memory every two seconds, which is too seldom
// to show in a 99th percentile; the returned function takes a last sample and
// tells the peak in bytes.
func watchMemory(procs []*proc.Proc) func() int64 {
	quit, result := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		var peak int64
		for {
			select {
			case <-tick.C:
				peak = max(peak, proc.Memory(proc.Tree(procs)))
			case <-quit:
				result <- max(peak, proc.Memory(proc.Tree(procs)))
				return
			}
		}
	}()
	return func() int64 {
		close(quit)
		return <-result
	}
}
