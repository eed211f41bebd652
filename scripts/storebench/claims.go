package main

import (
	"fmt"
	"slices"
	"time"
)

const (
	claimBatch  = 16  // tasks in a claim
	groupClaims = 8   // claims in a group
	claimGroups = 250 // groups measured each time
	fillBatch   = 500
	smallBytes  = 200 // payload
)

// claimCost is what was measured at one depth of the queue. Medians are of groups of claims: the store reads ahead and
// refills its heads once in a few claims.
type claimCost struct {
	name      string
	cpu, wall time.Duration // a task, medians
	mean      time.Duration // a task, by the clock
	slowest   time.Duration // a claim
	rss       uint64
	memory    string
}

// measureClaims fills one queue in steps, measures claims at each depth, then runs the queue down by claims and results
// and measures again.
func measureClaims(o *options) error {
	q, err := openQueue(o, "claims", smallBytes)
	if err != nil {
		return err
	}
	defer q.s.Close()
	var costs []claimCost
	few := o.scaled(10_000, 2_000)
	waiting := 0
	for _, depth := range []int{few, o.scaled(1_000_000, 4_000), o.scaled(10_000_000, 8_000)} {
		for ; waiting < depth; waiting += fillBatch {
			if _, err := q.submit(fillBatch); err != nil {
				return err
			}
		}
		c, err := q.claimCost(o, number(waiting)+" waiting")
		if err != nil {
			return err
		}
		costs = append(costs, c)
	}
	ended := 0
	for ; waiting > few; waiting, ended = waiting-fillBatch, ended+fillBatch {
		if _, err := q.claim(fillBatch); err != nil {
			return err
		}
		if _, err := q.complete(fillBatch); err != nil {
			return err
		}
	}
	c, err := q.claimCost(o, fmt.Sprintf("%s waiting, %s ended", number(waiting), number(ended)))
	if err != nil {
		return err
	}
	printClaims(append(costs, c))
	return nil
}

// claimCost measures claims. Each is followed by the results of its tasks and by as many submits.
func (q *queue) claimCost(o *options, name string) (c claimCost, err error) {
	if err := q.settle(); err != nil {
		return c, err
	}
	groups := o.scaled(claimGroups, 60)
	var cpus, walls []time.Duration
	for range groups {
		var group took
		for range groupClaims {
			d, err := q.claim(claimBatch)
			if err != nil {
				return c, err
			}
			group = took{group.wall + d.wall, group.cpu + d.cpu}
			c.slowest = max(c.slowest, d.wall)
			if _, err := q.complete(claimBatch); err != nil {
				return c, err
			}
			if _, err := q.submit(claimBatch); err != nil {
				return c, err
			}
		}
		const tasks = groupClaims * claimBatch
		cpus, walls = append(cpus, group.cpu/tasks), append(walls, group.wall/tasks)
		c.mean += group.wall / tasks / time.Duration(groups)
	}
	slices.Sort(cpus)
	slices.Sort(walls)
	c.name, c.cpu, c.wall = name, cpus[groups/2], walls[groups/2]
	u, err := q.s.Usage()
	if err != nil {
		return c, err
	}
	c.memory = fmt.Sprintf("%d + %d + %d", u.BlockCache>>20, u.Memtables>>20, u.TableReaders>>20)
	if c.rss, err = resident(); err != nil {
		return c, err
	}
	note("%s: a claim takes %s a task (mean %s, CPU %s), the slowest %s; %d MiB resident (RocksDB %s)", name, c.wall, c.mean, c.cpu, c.slowest,
		c.rss>>20, c.memory)
	return c, nil
}

func printClaims(costs []claimCost) {
	rows := [][]string{{"tasks", "CPU, ns a task", "to the first", "time, ns a task", "to the first", "mean", "slowest claim, ms"}}
	for _, c := range costs {
		rows = append(rows, []string{
			c.name, number(c.cpu.Nanoseconds()), ratio(c.cpu, costs[0].cpu), number(c.wall.Nanoseconds()), ratio(c.wall, costs[0].wall),
			number(c.mean.Nanoseconds()), fmt.Sprintf("%.1f", c.slowest.Seconds()*1000),
		})
	}
	printTable(fmt.Sprintf("Claims of %d tasks, payloads of %d bytes: medians of groups of %d claims", claimBatch, smallBytes, groupClaims), rows)

	rows = [][]string{{"tasks", "resident, MiB", "block cache + memtables + table readers, MiB"}}
	for _, c := range costs {
		rows = append(rows, []string{c.name, number(c.rss >> 20), c.memory})
	}
	printTable("Memory of the process", rows)
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f", float64(a)/float64(b)) }
