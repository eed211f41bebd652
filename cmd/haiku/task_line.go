package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// specLine is one task as a line of a file. Its names are those of a task's JSON, except payload, which is text here and
// base64 there (payload_text, payload_json and payload_base64 are the same to both), and name and after, which are local to
// the file.
type specLine struct {
	Name                string                `json:"name"`
	After               []string              `json:"after"`
	ID                  task.ID               `json:"id"`
	Type                string                `json:"task_type"`
	Queue               string                `json:"queue"`
	Payload             *string               `json:"payload"`
	PayloadText         *string               `json:"payload_text"`
	PayloadJSON         json.RawMessage       `json:"payload_json"`
	PayloadBase64       []byte                `json:"payload_base64"`
	Priority            *task.Priority        `json:"priority"`
	Delay               string                `json:"delay"`
	Retention           string                `json:"retention"`
	ScheduledAt         time.Time             `json:"scheduled_at"`
	MaxRetries          *uint32               `json:"max_retries"`
	MaxCrashes          *uint32               `json:"max_crashes"`
	Backoff             *backoffLine          `json:"backoff"`
	TimeoutSeconds      uint64                `json:"timeout_seconds"`
	Dependencies        []task.ID             `json:"dependencies"`
	OnDependencyFailure task.DependencyPolicy `json:"on_dependency_failure"`
	Headers             []task.Header         `json:"headers"`
	ExpiresIn           string                `json:"expires_in"`
	ExpiresAt           time.Time             `json:"expires_at"`
	UniqueKey           *string               `json:"unique_key"`
	UniqueScope         task.UniqueScope      `json:"unique_scope"`
	UniqueTTL           string                `json:"unique_ttl"`
	OnConflict          task.ConflictPolicy   `json:"on_conflict"`
}

// parseLine reads one line. A key that is not in specLine is refused, so that nothing is left out in silence. The spec
// is without what after says; it has no id if the line has none.
func parseLine(line []byte) (l specLine, spec task.Spec, err error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return l, spec, fmt.Errorf("%w: %w", task.ErrInvalid, plainly(err))
	}
	if decoder.More() {
		return l, spec, fmt.Errorf("%w: more than one JSON value", task.ErrInvalid)
	}
	spec = task.Spec{
		ID: l.ID, Type: l.Type, Queue: l.Queue, Priority: l.Priority, ScheduledAt: l.ScheduledAt,
		MaxRetries: l.MaxRetries, MaxCrashes: l.MaxCrashes, TimeoutSeconds: l.TimeoutSeconds, Dependencies: l.Dependencies,
		OnDependencyFailure: l.OnDependencyFailure, Headers: l.Headers,
		ExpiresAt: l.ExpiresAt, UniqueScope: l.UniqueScope, OnConflict: l.OnConflict,
	}
	if spec.Payload, err = l.payload(); err != nil {
		return l, spec, err
	}
	if l.Backoff != nil {
		if spec.Backoff, err = l.Backoff.backoff(); err != nil {
			return l, spec, err
		}
	}
	if l.UniqueKey != nil {
		if spec.UniqueKey = *l.UniqueKey; spec.UniqueKey == "" {
			return l, spec, fmt.Errorf("%w: unique_key is empty", task.ErrInvalid)
		}
	}
	for _, d := range []struct {
		name, text string
		to         *time.Duration
	}{
		{"delay", l.Delay, &spec.Delay}, {"retention", l.Retention, &spec.Retention}, {"expires_in", l.ExpiresIn, &spec.ExpiresIn},
		{"unique_ttl", l.UniqueTTL, &spec.UniqueTTL},
	} {
		if d.text == "" {
			continue
		}
		if *d.to, err = time.ParseDuration(d.text); err != nil {
			return l, spec, fmt.Errorf("%w: %s %q is not a duration such as 90s", task.ErrInvalid, d.name, d.text)
		}
	}
	if spec.UniqueTTL != 0 && spec.UniqueScope == 0 {
		spec.UniqueScope = task.UniqueTTL
	}
	return l, spec, nil
}

// payload is what one of the four fields says.
func (l *specLine) payload() (out []byte, err error) {
	given := 0
	for _, text := range []*string{l.Payload, l.PayloadText} {
		if text != nil && *text != "" {
			given++
			out = []byte(*text)
		}
	}
	for _, bytes := range [][]byte{l.PayloadJSON, l.PayloadBase64} {
		if bytes != nil {
			given++
			out = bytes
		}
	}
	if given > 1 {
		return nil, fmt.Errorf("%w: payload, payload_text, payload_json and payload_base64 exclude each other", task.ErrInvalid)
	}
	return out, nil
}

// plainly says without names of Go what a value of a line should have been.
func plainly(err error) error {
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) {
		return fmt.Errorf("payload_base64 is not base64 (%w); payload_text takes text as it is", err)
	}
	var wrong *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax) || errors.As(err, &wrong) && wrong.Field == "":
		return fmt.Errorf(`not a JSON object such as {"task_type": "resize", "payload": "x"}: %w`, err)
	case wrong == nil:
		return err
	}
	wanted := "another kind of value"
	switch wrong.Type.Kind() {
	case reflect.Uint8:
		wanted = "a whole number from 0 to 255"
	case reflect.Uint32:
		wanted = fmt.Sprintf("a whole number from 0 to %d", uint32(math.MaxUint32))
	case reflect.Uint64:
		wanted = "a whole number, 0 or more"
	case reflect.String:
		wanted = "a text"
	case reflect.Slice:
		wanted = "a list"
	case reflect.Struct:
		wanted = "an object"
	}
	return fmt.Errorf("%s wants %s, not %s", wrong.Field, wanted, strings.TrimPrefix(wrong.Value, "number "))
}
