package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/internal/progress"
	"github.com/haiku-queue/haiku/task"
)

const (
	maxLine      = 32 << 20 // bytes; a payload of the largest size fits in base64
	batchItems   = task.MaxItems
	batchBytes   = 4 << 20 // payload bytes of one request
	maxComplaint = 10      // refused lines that are named
	fullPause    = time.Second
)

// errRefused: some lines were not submitted. It has no sentinel of task's, for they may have had several.
var errRefused = errors.New("not all were submitted")

func (a *app) submitManyCommand() *cobra.Command {
	var state string
	var atomic bool
	cmd := &cobra.Command{
		Use:   "submit-many FILE",
		Short: "Submit one task a line of a file, - for standard input",
		Long: "Submit one task a line of a file, - for standard input, in order and independent of each other.\n\n" +
			"A line is a JSON object with task_type and, where wanted, id, queue, payload or payload_text (text), payload_json\n" +
			"(kept byte for byte), payload_base64 (bytes), priority, delay (such as \"90s\"), scheduled_at, max_retries,\n" +
			"max_crashes, backoff ({\"initial_seconds\":..,\"factor_percent\":..,\"max_seconds\":..,\"jitter_percent\":..}),\n" +
			"timeout_seconds, retention (such as \"36h\"), dependencies, on_dependency_failure (cancel, ignore or block),\n" +
			"headers ([{\"name\":..,\"value\":..}]), unique_key, unique_scope (until_done, pending or ttl), unique_ttl,\n" +
			"on_conflict (return_existing, reject, replace or debounce), expires_in (a duration), expires_at, name (within the\n" +
			"file), and after (names of lines before that have to complete first).\n\n" +
			"A line that is refused does not stop the others; exit code 1 says that there were some. A queue that is full is\n" +
			"waited for. With --resume STATE a run that was interrupted goes on where it ended, and no task is submitted twice:\n" +
			"STATE keeps the place and what the ids are made from. Lines with an id of their own can be sent again anyway.\n" +
			"With --atomic up to 1000 lines are submitted in one piece: all, or none when one of them is refused or a queue full.\n" +
			"The ids are printed unless standard output is a terminal; -o jsonl prints the answer to each line, -o json and\n" +
			"yaml the summary.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.submitMany(cmd, args[0], state, atomic) },
	}
	cmd.Flags().StringVar(&state, "resume", "", "file that keeps how far this is, made if it is not there")
	cmd.Flags().BoolVar(&atomic, "atomic", false, "submit all lines or none")
	cmd.MarkFlagsMutuallyExclusive("atomic", "resume")
	return cmd
}

// manySubmit is one submit of a whole file, in batches.
type manySubmit struct {
	*app
	client *client.Client
	file   *taskFile
	bar    *progress.Bar
	atomic bool // all in one request

	specs []task.Spec
	lines []int // of each in the file
	bytes int
	last  int // line read, and answered once the batch is
}

func (a *app) submitMany(cmd *cobra.Command, path, state string, atomic bool) error {
	source := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fileError(err)
		}
		defer f.Close()
		source = f
	}
	file, err := openTaskFile(state, time.Now())
	if err != nil {
		return err
	}
	s := &manySubmit{app: a, file: file, bar: progress.NewCount(a.errOut, "submitting"), atomic: atomic}
	err = a.do(cmd, noLimit, func(ctx context.Context, c *client.Client) error {
		s.client = c
		return s.read(ctx, source)
	})
	s.bar.Clear()
	return errors.Join(err, s.summary())
}

// read submits line by line. After an error the lines before it have been submitted, or may have been.
func (s *manySubmit) read(ctx context.Context, source io.Reader) error {
	lines := bufio.NewScanner(source)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		number := s.last + 1
		text := bytes.TrimSpace(lines.Bytes())
		done, err := s.file.read(number, text)
		if err != nil {
			return err
		}
		s.last = number
		if len(text) == 0 {
			continue
		}
		spec, err := s.file.spec(number, text)
		switch {
		case done: // read for its name
			continue
		case err != nil:
			s.refuse(number, err)
			continue
		}
		s.specs, s.lines = append(s.specs, spec), append(s.lines, number)
		s.bytes += len(spec.Payload)
		if s.atomic && len(s.specs) > task.MaxItems {
			return fmt.Errorf("%w: more than %d tasks cannot be submitted as one", task.ErrTooLarge, task.MaxItems)
		}
		if !s.atomic && (len(s.specs) == batchItems || s.bytes >= batchBytes) {
			if err := s.send(ctx); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		err = fmt.Errorf("line %d: %w", s.last+1, err)
		if s.atomic {
			return err
		}
		return errors.Join(err, s.send(ctx))
	}
	if s.last < s.file.resume {
		return fmt.Errorf("%w: the file ends at line %d, an earlier run has done %d", task.ErrInvalid, s.last, s.file.resume)
	}
	if s.atomic {
		return s.sendAtomic(ctx)
	}
	return s.send(ctx)
}

// sendAtomic submits all lines, or none if one was refused.
func (s *manySubmit) sendAtomic(ctx context.Context) error {
	if len(s.specs) == 0 || s.file.Refused > 0 {
		return nil
	}
	request, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	receipts, err := s.client.SubmitAtomic(request, s.specs)
	if err != nil && !errors.Is(err, task.ErrAborted) {
		return fmt.Errorf("the lines are not known to be submitted: %w", err)
	}
	for i, r := range receipts {
		if errors.Is(r.Err, task.ErrAborted) {
			continue
		}
		if err := s.take(s.lines[i], r); err != nil {
			return err
		}
	}
	return nil
}

// send submits the batch, waits for queues that are full, and keeps how far the file is.
func (s *manySubmit) send(ctx context.Context) error {
	specs, lines := s.specs, s.lines
	for len(specs) > 0 {
		request, cancel := context.WithTimeout(ctx, requestTimeout)
		receipts, err := s.client.SubmitMany(request, specs)
		cancel()
		if err != nil {
			return fmt.Errorf("lines %d to %d are not known to be submitted: %w", s.file.Line+1, s.last, err)
		}
		var again []int
		for i, r := range receipts {
			switch {
			case errors.Is(r.Err, task.ErrQueueFull), // or of one that has to wait, perhaps:
				len(again) > 0 && errors.Is(r.Err, task.ErrUnknownDependency):
				again = append(again, i)
				continue
			case errors.Is(r.Err, task.ErrIDExpired) && r.ID == s.file.id(lines[i]):
				return fmt.Errorf("line %d: the run that %s keeps is too old to be gone on with: %w", lines[i], s.file.path, r.Err)
			}
			s.file.answered(lines[i], &r)
			if err := s.take(lines[i], r); err != nil {
				return err
			}
		}
		if len(again) == 0 {
			break
		}
		redirect(specs, receipts, again)
		specs, lines = pick(specs, again), pick(lines, again)
		if err := pauseFor(ctx, fullPause); err != nil {
			return fmt.Errorf("lines from %d on wait for a queue that is full: %w", lines[0], err)
		}
	}
	s.specs, s.lines, s.bytes = s.specs[:0], s.lines[:0], 0
	s.file.Line, s.file.Digest = s.last, s.file.sum.Sum(nil)
	s.bar.Set(int64(s.file.Submitted+s.file.Refused), 0)
	return s.file.save()
}

// redirect lets specs that are sent once more depend on what lines of the request before were answered with: only the
// node that saw them together knew of it.
func redirect(specs []task.Spec, receipts []task.Receipt, again []int) {
	instead := make(map[task.ID]task.ID)
	for i := range receipts {
		if receipts[i].Existing {
			instead[specs[i].ID] = receipts[i].ID
		}
	}
	for _, place := range again {
		var parents []task.ID
		for _, id := range specs[place].Dependencies {
			if other, ok := instead[id]; ok {
				id = other
			}
			if !slices.Contains(parents, id) {
				parents = append(parents, id)
			}
		}
		specs[place].Dependencies = parents
	}
}

func pick[T any](list []T, places []int) []T {
	picked := make([]T, len(places))
	for i, place := range places {
		picked[i] = list[place]
	}
	return picked
}

func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lineReceipt is the answer to a line, for scripts.
type lineReceipt struct {
	Line int `json:"line"`
	receiptJSON
}

// take counts and prints the answer to a line.
func (s *manySubmit) take(number int, r task.Receipt) error {
	if r.Err != nil {
		s.refuse(number, r.Err)
	} else {
		s.file.Submitted++
		if r.Duplicate {
			s.file.Known++
		}
	}
	switch {
	case s.output == formatJSONL:
		return writeJSON(s.out, lineReceipt{number, receiptForm(r)}, "")
	case s.output == formatTable && r.Err == nil && !isTerminal(s.out):
		row(s.out, r.ID)
	}
	return nil
}

func (s *manySubmit) refuse(number int, why error) {
	s.file.Refused++
	s.bar.Clear()
	switch {
	case s.file.Refused <= maxComplaint:
		s.say("haiku: line %d: %s", number, why)
	case s.file.Refused == maxComplaint+1:
		s.say("haiku: and others; -o jsonl has the answer to each line")
	}
}

// summary prints what came of the file; over all runs, if it was resumed. The error says whether lines were refused.
func (s *manySubmit) summary() error {
	f := s.file
	var err error
	if s.output == formatJSON || s.output == formatYAML {
		err = s.print(f, nil)
	}
	s.say("%d lines: %d tasks submitted, %d of them known before, %d refused", s.last, f.Submitted, f.Known, f.Refused)
	if f.Refused > 0 {
		err = errors.Join(err, errRefused)
	}
	return err
}

// isTerminal reports whether a person watches the stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
