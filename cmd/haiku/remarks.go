package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/worker"
)

const (
	maxRemark   = 1 << 20     // bytes of a line
	remarkGrace = time.Second // for what is still in the pipe when the command has ended
)

// remarkForms lists what a line can be, for errors and the help of worker run.
const remarkForms = "progress PERCENT [TEXT], cursor TEXT, submit JSON, retry-after DURATION, snooze DURATION, cancel, dead"

// remarks is what a command says on descriptor 3, line by line, besides its result and its exit code.
type remarks struct {
	ctx      context.Context // the handler's
	progress task.Progress
	tasks    *taskFile // names and ids of the lines that submit
	number   int
	verdict  string // the last of retry-after, snooze, cancel and dead
	after    time.Duration
	wrong    error // the first line that was refused
	pipe     *os.File
	read     chan struct{} // closed when all has been read
}

// hear begins to read from a pipe until it is closed at the other end.
func hear(ctx context.Context, pipe *os.File, t *task.Task) *remarks {
	r := &remarks{ctx: ctx, progress: t.Progress, tasks: newTaskFile(time.Now()), pipe: pipe, read: make(chan struct{})}
	go func() {
		defer close(r.read)
		lines := bufio.NewScanner(pipe)
		lines.Buffer(nil, maxRemark)
		for lines.Scan() {
			if err := r.line(bytes.TrimSpace(lines.Bytes())); err != nil && r.wrong == nil {
				r.wrong = err
			}
		}
		if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) && r.wrong == nil {
			r.wrong = fmt.Errorf("%w: a line on descriptor 3 has more than %d bytes", task.ErrTooLarge, maxRemark)
		}
		_, _ = io.Copy(io.Discard, pipe) // so that the command does not wait for ever to write
	}()
	return r
}

// end waits for what the command has said. What it left running elsewhere may keep the pipe open: that is not waited for.
func (r *remarks) end() {
	_ = r.pipe.SetReadDeadline(time.Now().Add(remarkGrace))
	<-r.read
	_ = r.pipe.Close()
}

func (r *remarks) line(line []byte) (err error) {
	if len(line) == 0 {
		return nil
	}
	word, rest, _ := strings.Cut(string(line), " ")
	rest = strings.TrimSpace(rest)
	defer func() {
		if err != nil {
			err = fmt.Errorf("descriptor 3: %.60q: %w", line, err)
		}
	}()
	switch word {
	case "progress":
		number, text, _ := strings.Cut(rest, " ")
		percent, err := strconv.ParseUint(strings.TrimSuffix(number, "%"), 10, 32)
		if err != nil {
			return fmt.Errorf("%w: progress wants a number from 0 to 100", task.ErrInvalid)
		}
		return r.report(task.Progress{Percent: uint32(percent), Message: strings.TrimSpace(text), Cursor: r.progress.Cursor})
	case "cursor":
		p := r.progress
		p.Cursor = []byte(rest)
		return r.report(p)
	case "submit":
		r.number++
		spec, err := r.tasks.spec(r.number, []byte(rest))
		if err == nil {
			_, err = worker.Enqueue(r.ctx, spec)
		}
		return err
	case "retry-after", "snooze":
		if r.after, err = time.ParseDuration(rest); err != nil || r.after < 0 || r.after > task.MaxDelay {
			return fmt.Errorf("%w: %s wants a duration such as 90s, up to %s", task.ErrInvalid, word, task.MaxDelay)
		}
	case "cancel", "dead":
		if rest != "" {
			return fmt.Errorf("%w: nothing follows %s; standard error says why", task.ErrInvalid, word)
		}
	default:
		return fmt.Errorf("%w: allowed are %s", task.ErrInvalid, remarkForms)
	}
	r.verdict = word
	return nil
}

func (r *remarks) report(p task.Progress) error {
	err := worker.Report(r.ctx, p)
	if err == nil {
		r.progress = p
	}
	return err
}

// outcome is the handler's error, once end has returned. failed is that of the exit code, nil for 0; said is what
// standard error ended with.
func (r *remarks) outcome(failed error, said string) error {
	if r.wrong != nil {
		return r.wrong
	}
	if r.verdict == "" {
		return failed
	}
	why := failed
	if why == nil {
		why = errors.New(r.verdict)
		if said = strings.TrimSpace(strings.ToValidUTF8(said, "?")); said != "" {
			why = errors.New(said)
		}
	}
	switch r.verdict {
	case "retry-after":
		return worker.RetryAfter(why, r.after)
	case "snooze":
		return worker.Snooze(r.after)
	case "cancel":
		return worker.Discard(why)
	}
	return worker.Reject(why)
}
