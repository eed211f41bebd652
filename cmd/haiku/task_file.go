package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// maxNames bounds the local names of one file, which are kept in memory.
const maxNames = 100_000

// taskFile is what is known of a file of tasks that is being submitted: enough to give each line the same id again, and to
// go on where an earlier run ended. As JSON it is the state file of submit-many.
type taskFile struct {
	Run       task.SessionID `json:"run"`    // random: lines of two runs never have the same id
	Begun     time.Time      `json:"begun"`  // of the first run; the ids carry it
	Line      int            `json:"line"`   // the last one that was answered
	Digest    []byte         `json:"sha256"` // of the lines up to there
	Submitted int            `json:"submitted"`
	Known     int            `json:"known"` // of those: had been submitted before
	Refused   int            `json:"refused"`
	// Instead has the names of lines that were answered with another task, which held their unique key.
	Instead map[string]task.ID `json:"instead,omitempty"`

	path   string             // of the state file, if there is one
	sum    hash.Hash          // of the lines read
	names  map[string]task.ID // of the lines read, or of what they were answered with
	called map[int]string     // names of the lines that are not answered yet
	resume int                // lines that an earlier run has done
}

func newTaskFile(now time.Time) *taskFile {
	return &taskFile{Run: task.NewSessionID(), Begun: now.UTC().Truncate(time.Millisecond), sum: sha256.New(),
		names: make(map[string]task.ID), called: make(map[int]string), Instead: make(map[string]task.ID)}
}

// openTaskFile goes on with the state file of an earlier run, or begins one. Without a path nothing is kept.
func openTaskFile(path string, now time.Time) (*taskFile, error) {
	f := newTaskFile(now)
	f.path = path
	if path == "" {
		return f, nil
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := f.save(); err != nil {
			return nil, fileError(fmt.Errorf("--resume: %w", err))
		}
		return f, nil
	case err != nil:
		return nil, fileError(fmt.Errorf("--resume: %w", err))
	}
	f.Run = task.SessionID{} // every state file has one, and what has none must not be overwritten
	if err := json.Unmarshal(text, f); err != nil || f.Run.IsZero() || f.Line < 0 {
		return nil, &usageError{fmt.Errorf("%s is no state file of submit-many: %w", path, errors.Join(err, task.ErrInvalid))}
	}
	f.resume = f.Line
	return f, nil
}

// save writes the state file, whole or not at all.
func (f *taskFile) save() (err error) {
	if f.path == "" {
		return nil
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("state file: %w", err), temporary.Close(), os.Remove(temporary.Name()))
		}
	}()
	if _, err := temporary.Write(append(text, '\n')); err != nil {
		return err
	}
	if err := temporary.Sync(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), f.path)
}

// read takes in one line and reports whether an earlier run has done it. The error says that the file is another one.
func (f *taskFile) read(number int, line []byte) (done bool, err error) {
	f.sum.Write(line)
	f.sum.Write([]byte{'\n'})
	if number > f.resume {
		return false, nil
	}
	if number == f.resume && string(f.sum.Sum(nil)) != string(f.Digest) {
		return true, fmt.Errorf("%w: the file has changed since %s was written: lines 1 to %d are not the same", task.ErrInvalid,
			f.path, number)
	}
	return true, nil
}

// spec makes the task of a line. The error wraps task.ErrInvalid or task.ErrTooLarge.
func (f *taskFile) spec(number int, text []byte) (task.Spec, error) {
	line, spec, err := parseLine(text)
	if err != nil {
		return spec, err
	}
	if spec.ID == (task.ID{}) {
		spec.ID = f.id(number)
	}
	for _, name := range line.After {
		parent, known := f.names[name]
		if !known {
			return spec, fmt.Errorf("%w: after names %q, which no line before has as its name", task.ErrInvalid, name)
		}
		spec.Dependencies = append(spec.Dependencies, parent)
	}
	if err := spec.Validate(); err != nil || line.Name == "" {
		return spec, err
	}
	if _, twice := f.names[line.Name]; twice {
		return spec, fmt.Errorf("%w: another line is called %q", task.ErrInvalid, line.Name)
	}
	if len(f.names) >= maxNames {
		return spec, fmt.Errorf("%w: more than %d lines have names", task.ErrTooLarge, maxNames)
	}
	if err := task.ValidateName("name", line.Name); err != nil {
		return spec, err
	}
	f.names[line.Name] = spec.ID
	if other, ok := f.Instead[line.Name]; ok {
		f.names[line.Name] = other
	}
	if number > f.resume {
		f.called[number] = line.Name
	}
	return spec, nil
}

// answered takes in which task a line was answered with: what comes after the line comes after that one.
func (f *taskFile) answered(number int, r *task.Receipt) {
	name, ok := f.called[number]
	delete(f.called, number)
	if ok && r.Existing {
		f.names[name], f.Instead[name] = r.ID, r.ID
	}
}

// id is the id of a line without one: a UUID of version 7 that is the same for the same run and line,
//
//	milliseconds since 1970 uint48 | 7 uint4 | line's upper 12 bits | 2 uint2 | line's lower 20 bits | SHA-256(run, line) 42
//
// so ids are in the order of lines.
func (f *taskFile) id(number int) (id task.ID) {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte(nil), f.Run[:]...), uint64(number)))
	low := uint64(2)<<62 | uint64(number&0xfffff)<<42 | binary.BigEndian.Uint64(sum[:])>>22
	binary.BigEndian.PutUint64(id[:8], uint64(f.Begun.UnixMilli())<<16|7<<12|uint64(number>>20)&0xfff)
	binary.BigEndian.PutUint64(id[8:], low)
	return id
}
