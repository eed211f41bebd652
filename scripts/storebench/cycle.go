package main

import (
	"fmt"
	"runtime"
	"time"
)

// block is how many tasks take one step before they take the next. They stay in the store's memory meanwhile.
const block = 8192

// stepCost is what one step of the life cycle cost, all tasks together.
type stepCost struct {
	took, cpu     time.Duration
	allocs        uint64
	puts, deletes uint64
	commits       int
}

// measureCycle measures submit, claim and complete for several sizes of a batch.
func measureCycle(o *options) error {
	rows := [][]string{{"tasks a commit, step", "CPU, ns a task", "keys put", "keys deleted", "CPU, ns a key", "allocations a task", "time, ns a task", "commits/s", "tasks/s"}}
	names := [3]string{"submit", "claim", "complete"}
	for _, batch := range []int{1, 16, 256} {
		blocks := o.scaled(20, 1)
		costs, err := cycle(o, batch, blocks)
		if err != nil {
			return err
		}
		n := uint64(blocks * block)
		var all stepCost
		for i, c := range costs {
			rows = append(rows, c.cells(fmt.Sprintf("%d, %s", batch, names[i]), n))
			all.took, all.cpu = all.took+c.took, all.cpu+c.cpu
			all.allocs, all.commits = all.allocs+c.allocs, all.commits+c.commits
			all.puts, all.deletes = all.puts+c.puts, all.deletes+c.deletes
		}
		rows = append(rows, all.cells(fmt.Sprintf("%d, all three", batch), n))
		note("batches of %d: %s a task", batch, all.took/time.Duration(n))
	}
	printTable(fmt.Sprintf("Cost of the steps of a task's life, payloads of %d bytes", smallBytes), rows)
	return nil
}

func (c *stepCost) cells(name string, tasks uint64) []string {
	cpu := uint64(c.cpu.Nanoseconds())
	return []string{
		name, number(cpu / tasks), fmt.Sprintf("%.2f", float64(c.puts)/float64(tasks)), fmt.Sprintf("%.2f", float64(c.deletes)/float64(tasks)),
		number(cpu / (c.puts + c.deletes)), fmt.Sprintf("%.1f", float64(c.allocs)/float64(tasks)), number(uint64(c.took.Nanoseconds()) / tasks),
		number(int(float64(c.commits) / c.took.Seconds())), number(int(float64(tasks) / c.took.Seconds())),
	}
}

func cycle(o *options, batch, blocks int) (costs [3]stepCost, err error) {
	q, err := openQueue(o, fmt.Sprint("cycle", batch), smallBytes)
	if err != nil {
		return costs, err
	}
	defer q.s.Close()
	for range blocks {
		for i, step := range []func(int) (took, error){q.submit, q.claim, q.complete} {
			if err := costs[i].measure(q, step, batch); err != nil {
				return costs, err
			}
		}
	}
	return costs, nil
}

func (c *stepCost) measure(q *queue, step func(int) (took, error), batch int) error {
	var before, after runtime.MemStats
	written := q.s.Written()
	runtime.ReadMemStats(&before)
	for n := 0; n < block; n += batch {
		d, err := step(batch)
		if err != nil {
			return err
		}
		c.took += d.wall
		c.cpu += d.cpu
		c.commits++
	}
	runtime.ReadMemStats(&after)
	now := q.s.Written()
	c.allocs += after.Mallocs - before.Mallocs
	c.puts += now.Puts - written.Puts
	c.deletes += now.Deletes - written.Deletes
	return nil
}
