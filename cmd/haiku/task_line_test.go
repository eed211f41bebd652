package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// readLine reads a line as submit-many does, with the id of its place if it has none.
func readLine(line []byte) (task.Spec, error) {
	f := newTaskFile(time.Now())
	return f.spec(1, line)
}

func TestParseSpec(t *testing.T) {
	id, parent := task.NewID(), task.NewID()
	spec, err := readLine([]byte(`{"id":"` + id.String() + `","task_type":"resize","queue":"q","payload":"text","priority":255,
		"delay":"90s","max_retries":0,"max_crashes":2,"timeout_seconds":7,"dependencies":["` + parent.String() + `"],
		"on_dependency_failure":"ignore","headers":[{"name":"trace","value":"1"}],"unique_key":"k","unique_ttl":"1h",
		"on_conflict":"reject","expires_in":"2h","backoff":{"initial_seconds":0.5,"factor_percent":150,"max_seconds":60,"jitter_percent":5}}`))
	if err != nil {
		t.Fatal(err)
	}
	if spec.ID != id || spec.Type != "resize" || spec.Queue != "q" || string(spec.Payload) != "text" || *spec.Priority != 255 ||
		spec.Delay != 90*time.Second || *spec.MaxRetries != 0 || *spec.MaxCrashes != 2 || spec.TimeoutSeconds != 7 ||
		len(spec.Dependencies) != 1 || spec.Dependencies[0] != parent || spec.OnDependencyFailure != task.PolicyIgnore ||
		len(spec.Headers) != 1 || spec.Headers[0].Value != "1" || spec.UniqueKey != "k" ||
		spec.UniqueScope != task.UniqueTTL || spec.UniqueTTL != time.Hour || spec.OnConflict != task.ConflictReject || spec.ExpiresIn != 2*time.Hour ||
		spec.Backoff != (task.Backoff{Initial: time.Second / 2, FactorPercent: 150, Max: time.Minute, JitterPercent: 5}) {
		t.Errorf("read as %+v", spec)
	}
	spec, err = readLine([]byte(`{"task_type":"t","payload_base64":"AAEC","scheduled_at":"2030-01-02T03:04:05Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	if string(spec.Payload) != "\x00\x01\x02" || spec.ScheduledAt.Year() != 2030 || spec.ID == (task.ID{}) || spec.Priority != nil {
		t.Errorf("read as %+v", spec)
	}
}

// TestPayloadForms: the unambiguous names mean the same in a file as over HTTP, and who mistakes one is told the other.
func TestPayloadForms(t *testing.T) {
	for line, want := range map[string]string{
		`{"task_type":"t","payload_text":"aGk="}`:            "aGk=",
		`{"task_type":"t","payload_json":{"n": 1e400}}`:      `{"n": 1e400}`,
		`{"task_type":"t","payload_base64":"aGk="}`:          "hi",
		`{"task_type":"t","payload":"","payload_text":"hi"}`: "hi",
	} {
		if spec, err := readLine([]byte(line)); err != nil || string(spec.Payload) != want {
			t.Errorf("%s: %q, %v; want %q", line, spec.Payload, err, want)
		}
	}
	_, err := readLine([]byte(`{"task_type":"t","payload_base64":"hallo"}`))
	if err == nil || !strings.Contains(err.Error(), "payload_base64 is not base64") || !strings.Contains(err.Error(), "payload_text") {
		t.Errorf("no base64: %v", err)
	}
}

func TestParseSpecRefuses(t *testing.T) {
	for name, line := range map[string]string{
		"not JSON":           `resize`,
		"half a line":        `{"task_type":"t"`,
		"two values":         `{"task_type":"t"} {"task_type":"t"}`,
		"a task's JSON":      `{"task_type":"t","status":"pending"}`,
		"no type":            `{"payload":"x"}`,
		"empty type":         `{"task_type":""}`,
		"priority 256":       `{"task_type":"t","priority":256}`,
		"negative priority":  `{"task_type":"t","priority":-1}`,
		"negative retries":   `{"task_type":"t","max_retries":-1}`,
		"delay as a number":  `{"task_type":"t","delay":90}`,
		"delay without unit": `{"task_type":"t","delay":"90"}`,
		"negative delay":     `{"task_type":"t","delay":"-1s"}`,
		"both payloads":      `{"task_type":"t","payload":"x","payload_base64":"AA=="}`,
		"text and base64":    `{"task_type":"t","payload_text":"x","payload_base64":"AA=="}`,
		"text and JSON":      `{"task_type":"t","payload_text":"x","payload_json":{}}`,
		"no base64":          `{"task_type":"t","payload_base64":"?"}`,
		"bad id":             `{"task_type":"t","id":"1"}`,
		"empty key":          `{"task_type":"t","unique_key":""}`,
		"unknown scope":      `{"task_type":"t","unique_key":"k","unique_scope":"ever"}`,
		"ttl as a number":    `{"task_type":"t","unique_key":"k","unique_ttl":1}`,
		"negative pause":     `{"task_type":"t","backoff":{"initial_seconds":-1}}`,
		"slow growth":        `{"task_type":"t","backoff":{"factor_percent":99}}`,
		"unknown pause":      `{"task_type":"t","backoff":{"initial":1}}`,
		"unknown policy":     `{"task_type":"t","on_dependency_failure":"hope"}`,
		"long payload":       `{"task_type":"t","payload":"` + strings.Repeat("x", task.MaxPayload+1) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readLine([]byte(line))
			if !errors.Is(err, task.ErrInvalid) && !errors.Is(err, task.ErrTooLarge) {
				t.Errorf("got %v", err)
			}
			if exitCode(err) != exitUsage {
				t.Errorf("exit code %d, want %d", exitCode(err), exitUsage)
			}
		})
	}
}

// TestLineIDs: a line has the same id in every run of one state file, and ids are in the order of lines.
func TestLineIDs(t *testing.T) {
	f, other := newTaskFile(time.Now()), newTaskFile(time.Now())
	last := task.ID{}
	for _, line := range []int{1, 2, 3, 1<<20 - 1, 1 << 20, 1<<20 + 1, 1 << 30} {
		id := f.id(line)
		if err := id.Validate(); err != nil || !id.Time().Equal(f.Begun) {
			t.Errorf("line %d: %s of %s, %v", line, id, id.Time(), err)
		}
		if id != f.id(line) || id == other.id(line) || slices.Compare(id[:], last[:]) <= 0 {
			t.Errorf("line %d: %s after %s, the other run has %s", line, id, last, other.id(line))
		}
		last = id
	}
}
