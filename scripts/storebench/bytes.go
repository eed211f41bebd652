package main

import (
	"fmt"
)

// wrote is what some step of many tasks' lives wrote.
type wrote struct{ handed, disk uint64 }

// measureBytes submits all tasks, then claims all, then completes all: so every status of a task reaches the files. What
// is written when tasks go through all of it at once is the last column.
func measureBytes(o *options) error {
	rows := [][]string{{"payload, bytes", "to RocksDB, a task: submit", "claim", "complete", "to disk, a task: submit", "claim", "complete",
		"all, by payload", "all at once, by payload"}}
	for _, c := range []struct{ payload, tasks, batch int }{
		{smallBytes, o.scaled(400_000, 4_000), 16}, {1 << 20, o.scaled(1_000, 48), 1},
	} {
		steps, err := stepwise(o, c.payload, c.tasks, c.batch)
		if err != nil {
			return err
		}
		at, err := atOnce(o, c.payload, c.tasks, c.batch)
		if err != nil {
			return err
		}
		a := func(n uint64) string { return number(n / uint64(c.tasks)) }
		all := float64(c.tasks) * float64(c.payload)
		rows = append(rows, []string{
			number(c.payload), a(steps[0].handed), a(steps[1].handed), a(steps[2].handed), a(steps[0].disk), a(steps[1].disk), a(steps[2].disk),
			fmt.Sprintf("%.2f", float64(steps[0].disk+steps[1].disk+steps[2].disk)/all), fmt.Sprintf("%.2f", float64(at.disk)/all),
		})
	}
	printTable("Bytes written in the life of a task; to disk go the log, flushes and compactions", rows)
	return nil
}

// stepwise takes all tasks through one step before the next, and counts each step until it is in files, compacted.
func stepwise(o *options, payload, tasks, batch int) (out [3]wrote, err error) {
	q, err := openQueue(o, fmt.Sprint("steps", payload), payload)
	if err != nil {
		return out, err
	}
	defer func() { q.s.Close() }()
	for i, step := range []func(int) (took, error){q.submit, q.claim, q.complete} {
		out[i], err = q.wrote(func() error {
			for n := 0; n < tasks; n += batch {
				if _, err := step(min(batch, tasks-n)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return out, err
		}
		note("%d bytes, step %d: %d bytes handed over, %d written", payload, i+1, out[i].handed, out[i].disk)
	}
	return out, nil
}

// atOnce takes each batch through its whole life before the next.
func atOnce(o *options, payload, tasks, batch int) (out wrote, err error) {
	q, err := openQueue(o, fmt.Sprint("once", payload), payload)
	if err != nil {
		return out, err
	}
	defer func() { q.s.Close() }()
	return q.wrote(func() error {
		for n := 0; n < tasks; n += batch {
			for _, step := range []func(int) (took, error){q.submit, q.claim, q.complete} {
				if _, err := step(min(batch, tasks-n)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// wrote counts what do writes.
func (q *queue) wrote(do func() error) (w wrote, err error) {
	before, err := diskBytes()
	if err != nil {
		return w, err
	}
	handed := q.s.Written().Bytes
	if err := do(); err != nil {
		return w, err
	}
	w.handed = q.s.Written().Bytes - handed
	if err := q.reopen(); err != nil {
		return w, err
	}
	after, err := diskBytes()
	w.disk = after - before
	return w, err
}
