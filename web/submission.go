package web

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// Content is bytes in one of three forms.
type Content struct {
	Bytes []byte
	Text  *string
	JSON  json.RawMessage
}

// bytes returns what the client gave. what names the field.
func (c *Content) bytes(what string) ([]byte, error) {
	given := 0
	out := c.Bytes
	if c.Bytes != nil {
		given++
	}
	if c.Text != nil {
		given++
		out = []byte(*c.Text)
	}
	if c.JSON != nil {
		given++
		out = c.JSON
	}
	if given > 1 {
		return nil, fmt.Errorf("%w: %s, %s_text and %s_json exclude each other", task.ErrInvalid, what, what, what)
	}
	return out, nil
}

// Submission is one task to be submitted. What is left out takes its default.
type Submission struct {
	Name                string          `json:"name,omitempty" maxLength:"128" doc:"What after of other tasks in the same request calls it"`
	After               []string        `json:"after,omitempty" maxItems:"1000" doc:"Names of tasks in the same request that it depends on"`
	ID                  *task.ID        `json:"id,omitempty" format:"uuid" doc:"A UUID of version 7; a fresh one if left out"`
	Type                string          `json:"task_type,omitempty" maxLength:"128" doc:"What kind of task it is; workers claim by it"`
	Queue               string          `json:"queue,omitempty" maxLength:"128" doc:"default if left out"`
	Payload             Base64          `json:"payload,omitzero" doc:"Base64, up to 10 MiB; or payload_text or payload_json"`
	PayloadBase64       Base64          `json:"payload_base64,omitzero" doc:"The same as payload, by the name that it has in files of haiku task submit-many"`
	PayloadText         *string         `json:"payload_text,omitempty" doc:"The payload as text"`
	PayloadJSON         json.RawMessage `json:"payload_json,omitempty" doc:"The payload as JSON, kept byte for byte"`
	Priority            *uint8          `json:"priority,omitempty" maximum:"255" doc:"0 to 255, higher is more urgent"`
	DelaySeconds        float64         `json:"delay_seconds,omitempty" minimum:"0" doc:"Not before so much time has passed"`
	ScheduledAt         *time.Time      `json:"scheduled_at,omitempty" doc:"Not before this moment"`
	MaxRetries          *uint32         `json:"max_retries,omitempty" doc:"Runs after the first that failed"`
	MaxCrashes          *uint32         `json:"max_crashes,omitempty" doc:"Workers that may die of it"`
	TimeoutSeconds      uint64          `json:"timeout_seconds,omitempty" doc:"Longest run of one attempt; 0 for no limit"`
	Dependencies        []task.ID       `json:"dependencies,omitempty" maxItems:"1000" doc:"Tasks that have to complete first"`
	OnDependencyFailure string          `json:"on_dependency_failure,omitempty" enum:"cancel,ignore,block"`
	Headers             []task.Header   `json:"headers,omitempty" maxItems:"128" doc:"Names and values that travel with it"`
	UniqueKey           *string         `json:"unique_key,omitempty" minLength:"1" doc:"At most one task of the queue and type holds it"`
	UniqueScope         string          `json:"unique_scope,omitempty" enum:"until_done,pending,ttl"`
	UniqueTTLSeconds    float64         `json:"unique_ttl_seconds,omitempty" minimum:"0"`
	OnConflict          string          `json:"on_conflict,omitempty" enum:"return_existing,reject,replace,debounce"`
	ExpiresAt           *time.Time      `json:"expires_at,omitempty" doc:"Dead letter if it has not been started by then"`
	ExpiresInSeconds    float64         `json:"expires_in_seconds,omitempty" minimum:"0"`
	RetentionSeconds    float64         `json:"retention_seconds,omitempty" minimum:"0" doc:"Kept so long after its end"`
	Backoff             *Backoff        `json:"backoff,omitempty"`
}

// spec is the task that a submission describes, without the tasks that after names.
func (b *Submission) spec() (s task.Spec, err error) {
	s = task.Spec{
		Type: b.Type, Queue: b.Queue, MaxRetries: b.MaxRetries, MaxCrashes: b.MaxCrashes, TimeoutSeconds: b.TimeoutSeconds,
		Dependencies: b.Dependencies, Headers: b.Headers, ScheduledAt: momentOf(b.ScheduledAt), ExpiresAt: momentOf(b.ExpiresAt),
	}
	if b.ID != nil {
		s.ID = *b.ID
	}
	if !b.PayloadBase64.IsZero() {
		if !b.Payload.IsZero() {
			return s, fmt.Errorf("%w: payload and payload_base64 exclude each other", task.ErrInvalid)
		}
		b.Payload = b.PayloadBase64
	}
	content := Content{b.Payload.Bytes, b.PayloadText, b.PayloadJSON}
	if s.Payload, err = content.bytes("payload"); err != nil {
		return s, err
	}
	if b.Priority != nil {
		p := task.Priority(*b.Priority)
		s.Priority = &p
	}
	if b.UniqueKey != nil {
		s.UniqueKey = *b.UniqueKey
	}
	if s.OnDependencyFailure, err = task.ParsePolicy(b.OnDependencyFailure); err != nil {
		return s, err
	}
	if s.UniqueScope, err = task.ParseUniqueScope(b.UniqueScope); err != nil {
		return s, err
	}
	if s.OnConflict, err = task.ParseConflictPolicy(b.OnConflict); err != nil {
		return s, err
	}
	if err := b.times(&s); err != nil {
		return s, err
	}
	if s.UniqueTTL != 0 && b.UniqueScope == "" {
		s.UniqueScope = task.UniqueTTL
	}
	return s, nil
}

func (b *Submission) times(s *task.Spec) (err error) {
	list := []timeField{
		{"delay_seconds", b.DelaySeconds, &s.Delay}, {"unique_ttl_seconds", b.UniqueTTLSeconds, &s.UniqueTTL},
		{"expires_in_seconds", b.ExpiresInSeconds, &s.ExpiresIn}, {"retention_seconds", b.RetentionSeconds, &s.Retention},
	}
	if b.Backoff != nil {
		s.Backoff.FactorPercent, s.Backoff.JitterPercent = b.Backoff.FactorPercent, b.Backoff.JitterPercent
		list = append(list, timeField{"backoff.initial_seconds", b.Backoff.InitialSeconds, &s.Backoff.Initial},
			timeField{"backoff.max_seconds", b.Backoff.MaxSeconds, &s.Backoff.Max})
	}
	for _, f := range list {
		if *f.to, err = durationOf(f.name, f.seconds); err != nil {
			return err
		}
	}
	return nil
}

type timeField struct {
	name    string
	seconds float64
	to      *time.Duration
}

// durationOf turns seconds into a duration, to the microsecond.
func durationOf(field string, seconds float64) (time.Duration, error) {
	limit := task.MaxDelay.Seconds()
	if seconds < 0 || seconds > limit {
		return 0, fmt.Errorf("%w: %s %g is not within 0 and %.0f", task.ErrInvalid, field, seconds, limit)
	}
	return time.Duration(math.Round(seconds*1e6)) * time.Microsecond, nil
}

func momentOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func momentOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// specsOf makes the tasks of one request, with ids, and with what after names among their dependencies. ids gives the id
// of the i-th where the client gave none.
func specsOf(list []Submission, ids func(i int) task.ID) ([]task.Spec, error) {
	specs, named := make([]task.Spec, len(list)), make(map[string]task.ID)
	for i := range list {
		b := &list[i]
		s, err := b.spec()
		if err != nil {
			return nil, at(i, len(list), err)
		}
		if b.ID == nil {
			s.ID = ids(i)
		}
		if b.Name != "" {
			if _, twice := named[b.Name]; twice {
				return nil, at(i, len(list), fmt.Errorf("%w: another task is called %q", task.ErrInvalid, clipped(b.Name)))
			}
			named[b.Name] = s.ID
		}
		specs[i] = s
	}
	for i := range list {
		for _, name := range list[i].After {
			parent, known := named[name]
			if !known {
				return nil, at(i, len(list), fmt.Errorf("%w: after names %q, which no task of the request is called", task.ErrInvalid, clipped(name)))
			}
			specs[i].Dependencies = append(specs[i].Dependencies, parent)
		}
	}
	return specs, nil
}

// at says which task of a request an error is about.
func at(i, of int, err error) error {
	if of == 1 {
		return err
	}
	return fmt.Errorf("task %d: %w", i, err)
}
