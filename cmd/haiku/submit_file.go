package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
)

const (
	maxLine      = 32 << 20 // bytes; a payload of the largest size fits in base64
	batchItems   = task.MaxItems
	batchBytes   = 4 << 20 // payload bytes of one request
	maxComplaint = 10      // refused tasks that are named
)

// specLine is one task as a line of a file. Its names are those of a task's JSON, except payload, which is text here.
type specLine struct {
	ID                  task.ID               `json:"id"`
	Type                string                `json:"task_type"`
	Queue               string                `json:"queue"`
	Payload             string                `json:"payload"`
	PayloadBase64       []byte                `json:"payload_base64"`
	Priority            *task.Priority        `json:"priority"`
	Delay               string                `json:"delay"`
	Retention           string                `json:"retention"`
	ScheduledAt         time.Time             `json:"scheduled_at"`
	MaxRetries          *uint32               `json:"max_retries"`
	MaxCrashes          *uint32               `json:"max_crashes"`
	TimeoutSeconds      uint64                `json:"timeout_seconds"`
	Dependencies        []task.ID             `json:"dependencies"`
	OnDependencyFailure task.DependencyPolicy `json:"on_dependency_failure"`
	Headers             []task.Header         `json:"headers"`
	UniqueKey           string                `json:"unique_key"`
}

// parseSpec reads one line. A name that is not in specLine is refused, so that nothing is left out in silence.
func parseSpec(line []byte) (task.Spec, error) {
	var l specLine
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return task.Spec{}, fmt.Errorf("%w: %w", task.ErrInvalid, err)
	}
	if decoder.More() {
		return task.Spec{}, fmt.Errorf("%w: more than one JSON value", task.ErrInvalid)
	}
	spec := task.Spec{
		ID: l.ID, Type: l.Type, Queue: l.Queue, Payload: []byte(l.Payload), Priority: l.Priority, ScheduledAt: l.ScheduledAt,
		MaxRetries: l.MaxRetries, MaxCrashes: l.MaxCrashes, TimeoutSeconds: l.TimeoutSeconds, Dependencies: l.Dependencies,
		OnDependencyFailure: l.OnDependencyFailure, Headers: l.Headers, UniqueKey: l.UniqueKey,
	}
	if spec.ID == (task.ID{}) {
		spec.ID = task.NewID()
	}
	if l.PayloadBase64 != nil {
		if l.Payload != "" {
			return spec, fmt.Errorf("%w: payload and payload_base64 exclude each other", task.ErrInvalid)
		}
		spec.Payload = l.PayloadBase64
	}
	if l.Delay != "" {
		delay, err := time.ParseDuration(l.Delay)
		if err != nil {
			return spec, fmt.Errorf("%w: delay %q is not a duration such as 90s", task.ErrInvalid, l.Delay)
		}
		spec.Delay = delay
	}
	if l.Retention != "" {
		retention, err := time.ParseDuration(l.Retention)
		if err != nil {
			return spec, fmt.Errorf("%w: retention %q is not a duration such as 36h", task.ErrInvalid, l.Retention)
		}
		spec.Retention = retention
	}
	return spec, spec.Validate()
}

// fileSubmit is one submit of a whole file, in batches.
type fileSubmit struct {
	*app
	client   *client.Client
	timeout  time.Duration // of one batch
	batch    []task.Spec
	bytes    int
	accepted []task.ID
	forms    []receiptJSON
	refused  int
	first    error // of the refused ones
	progress bool
}

func (a *app) submitFile(cmd *cobra.Command, s *submission) error {
	source := a.in
	if s.file != "-" {
		f, err := os.Open(s.file)
		if err != nil {
			return err
		}
		defer f.Close()
		source = f
	}
	f := &fileSubmit{
		app: a, timeout: requestTimeout, forms: []receiptJSON{}, progress: isTerminal(a.errOut) && !isTerminal(a.out),
	}
	err := a.do(cmd, noLimit, func(ctx context.Context, c *client.Client) error {
		f.client = c
		return f.read(ctx, source)
	})
	if err := errors.Join(err, f.finish()); err != nil || !s.wait {
		return err
	}
	return a.do(cmd, s.waitTimeout, func(ctx context.Context, c *client.Client) error {
		return a.waitFor(ctx, c, f.accepted)
	})
}

// read submits line by line. After an error the lines before it have been submitted.
func (f *fileSubmit) read(ctx context.Context, source io.Reader) error {
	lines := bufio.NewScanner(source)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for number := 1; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		spec, err := parseSpec(line)
		if err != nil {
			return errors.Join(fmt.Errorf("line %d: %w", number, err), f.send(ctx))
		}
		if len(f.batch) == batchItems || f.bytes+len(spec.Payload) > batchBytes {
			if err := f.send(ctx); err != nil {
				return err
			}
		}
		f.batch = append(f.batch, spec)
		f.bytes += len(spec.Payload)
	}
	if err := lines.Err(); err != nil {
		return errors.Join(fmt.Errorf("read tasks: %w", err), f.send(ctx))
	}
	return f.send(ctx)
}

// send submits the batch and prints the ids of what was accepted.
func (f *fileSubmit) send(ctx context.Context) error {
	if len(f.batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	receipts, err := f.client.SubmitMany(ctx, f.batch)
	f.batch, f.bytes = f.batch[:0], 0
	out := bufio.NewWriter(f.out)
	for _, r := range receipts {
		if err != nil && r.Err != nil {
			err = fmt.Errorf("task %s and those after it: %w", r.ID, err)
			break
		}
		if err := f.take(out, r); err != nil {
			return err
		}
	}
	if f.progress {
		fmt.Fprintf(f.errOut, "\r%d submitted, %d refused", len(f.accepted), f.refused)
	}
	return errors.Join(err, out.Flush())
}

func (f *fileSubmit) take(out io.Writer, r task.Receipt) error {
	if r.Err == nil {
		f.accepted = append(f.accepted, r.ID)
	} else if f.refused++; f.refused == 1 {
		f.first = fmt.Errorf("task %s: %w", r.ID, r.Err)
	} else if f.refused <= maxComplaint {
		f.say("haiku: task %s: %s", r.ID, r.Err)
	}
	switch {
	case f.output == formatJSONL:
		return writeJSON(out, receiptForm(r), "")
	case f.output != formatTable:
		f.forms = append(f.forms, receiptForm(r))
	case r.Err == nil:
		row(out, r.ID)
	}
	return nil
}

// finish prints what could not be printed before the end. The error says how many tasks were refused, and why.
func (f *fileSubmit) finish() error {
	if f.progress {
		fmt.Fprintln(f.errOut)
	}
	var err error
	if f.output == formatJSON || f.output == formatYAML {
		err = f.print(f.forms, nil)
	}
	if f.refused > 0 {
		all := f.refused + len(f.accepted)
		err = errors.Join(err, fmt.Errorf("%d of %d tasks were refused, the first: %w", f.refused, all, f.first))
	}
	return err
}

// isTerminal reports whether a person watches the stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
