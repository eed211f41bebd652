package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/progress"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

const (
	doctorTimeout  = 15 * time.Minute
	doctorPatience = 10 * time.Second // with a node that does not answer
	doctorAnswer   = 5 * time.Second  // for one answer
	doctorPause    = 200 * time.Millisecond
)

// errUnwell: the doctor found something.
var errUnwell = errors.New("the cluster is not well")

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Have every node examine its state at one moment, and compare them", Args: noArgs,
		Long: "Have every node examine its state at one moment, and compare them.\n\n" +
			"At one place in the log each node hashes its state, compares its indexes with the tasks' records, and counts anew,\n" +
			"while everything goes on. The doctor changes nothing. Exit code 1 says that something is wrong, or that a node did\n" +
			"not answer.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.do(cmd, doctorTimeout, a.doctor) },
	}
}

// patient is one node under examination.
type patient struct {
	member member.Member
	found  member.Examination
	err    error // why there is no result
	differ bool  // from the state that most nodes have
}

// healthy reports whether nothing is wrong with the node.
func (p *patient) healthy() bool { return p.err == nil && !p.differ && p.found.Found.Healthy() }

func (a *app) doctor(ctx context.Context, c *client.Client) error {
	index, err := c.Mark(ctx)
	if err != nil {
		return err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	patients := make([]*patient, len(status.Members))
	w := &ward{client: c, index: index, bar: progress.NewCount(a.errOut, "examining"), now: make(map[*patient]member.Examination)}
	var done sync.WaitGroup
	for i, m := range status.Members {
		p := &patient{member: m}
		patients[i] = p
		done.Go(func() { w.examine(ctx, p) })
	}
	done.Wait()
	w.bar.Clear()
	hashes := make([]string, len(patients))
	for i, p := range patients {
		hashes[i] = p.found.StateHash
	}
	for i, differs := range member.Differing(hashes) {
		patients[i].differ = differs
	}
	return a.report(index, patients)
}

// ward is the examination of all nodes.
type ward struct {
	client *client.Client
	index  uint64

	mu  sync.Mutex
	bar *progress.Bar
	now map[*patient]member.Examination
}

// examine asks one node until it is finished, or has not answered for too long.
func (w *ward) examine(ctx context.Context, p *patient) {
	tick := time.NewTicker(doctorPause)
	defer tick.Stop()
	answered := time.Now()
	for {
		asking, cancel := context.WithTimeout(ctx, doctorAnswer)
		found, err := w.client.Examine(asking, p.member.Address, w.index)
		cancel()
		switch {
		case err == nil && found.Finished:
			p.found = found
			if found.Error != "" {
				p.err = errors.New(found.Error)
			}
			return
		case err == nil:
			answered = time.Now()
			w.show(p, found)
		case errors.Is(err, task.ErrConflict) || time.Since(answered) > doctorPatience:
			p.err = err
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.err = fmt.Errorf("not finished in time: %w", ctx.Err())
			return
		}
	}
}

// show draws how far all nodes are.
func (w *ward) show(p *patient, found member.Examination) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now[p] = found
	var done, total uint64
	for _, e := range w.now {
		done, total = done+e.Done, total+e.Total
	}
	w.bar.Set(int64(done), int64(total))
}

// patientForm is a node's examination as scripts see it.
type patientForm struct {
	ID        member.ID `json:"id"`
	Name      string    `json:"name"`
	Address   string    `json:"address"`
	Role      string    `json:"role"`
	Healthy   bool      `json:"healthy"`
	StateHash string    `json:"state_hash"`
	Differs   bool      `json:"differs"`
	Error     string    `json:"error,omitempty"`
	// Findings is empty if the node is well.
	Findings []member.Finding `json:"findings"`
	task.Verification
	ElapsedSeconds float64 `json:"elapsed_seconds"`
}

// doctorForm is the doctor's report as scripts see it.
type doctorForm struct {
	Index   uint64        `json:"index"`
	Healthy bool          `json:"healthy"`
	Nodes   []patientForm `json:"nodes"`
}

func (a *app) report(index uint64, patients []*patient) error {
	form := doctorForm{Index: index, Healthy: true, Nodes: []patientForm{}}
	for _, p := range patients {
		f := patientForm{
			ID: p.member.ID, Name: p.member.Name, Address: p.member.Address, Role: p.member.Role, Healthy: p.healthy(),
			StateHash: p.found.StateHash, Differs: p.differ, Verification: p.found.Found,
			ElapsedSeconds: p.found.Found.Elapsed.Seconds(),
		}
		if p.err != nil {
			f.Error = oneLine(p.err)
		}
		f.Findings = member.Findings(f.Error, f.Differs, &f.Verification)
		form.Healthy = form.Healthy && f.Healthy
		form.Nodes = append(form.Nodes, f)
	}
	if err := a.print(form, func(w io.Writer) { writeReport(w, &form) }); err != nil {
		return err
	}
	if !form.Healthy {
		return errUnwell
	}
	return nil
}

func writeReport(w io.Writer, form *doctorForm) {
	row(w, "NODE", "ADDRESS", "ROLE", "STATE", "RECORDS", "ENTRIES", "WRONG", "DAMAGED", "TOOK")
	for i := range form.Nodes {
		n := &form.Nodes[i]
		state := n.StateHash
		if len(state) > 12 {
			state = state[:12]
		}
		row(w, n.Name, n.Address, n.Role, state, n.Records, n.Checked, n.Wrong(), n.Damaged, n.Elapsed.Round(time.Millisecond))
	}
	for i := range form.Nodes {
		n := &form.Nodes[i]
		name := fmt.Sprintf("%s (%s)", n.Name, n.ID)
		for _, f := range n.Findings {
			fmt.Fprintf(w, "%s: %s\n    what to do: %s\n", name, f.Problem, f.Advice)
		}
		for _, problem := range n.Problems {
			fmt.Fprintf(w, "%s: %s\n", name, problem)
		}
	}
	if form.Healthy {
		fmt.Fprintf(w, "All %d nodes are well at index %d.\n", len(form.Nodes), form.Index)
	}
}
