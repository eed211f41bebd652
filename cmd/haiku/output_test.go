package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/haiku-queue/haiku/task"
)

func TestFormats(t *testing.T) {
	type thing struct {
		Name  string   `json:"name"`
		Count int      `json:"count"`
		Tags  []string `json:"tags"`
	}
	things := []thing{{"<a>", 1, []string{"x", "true"}}, {"b", 2, nil}}
	for format, want := range map[string]string{
		formatJSON: "[\n  {\n    \"name\": \"<a>\",\n    \"count\": 1,\n    \"tags\": [\n      \"x\",\n      \"true\"\n    ]\n  },\n" +
			"  {\n    \"name\": \"b\",\n    \"count\": 2,\n    \"tags\": null\n  }\n]\n",
		formatJSONL: "{\"name\":\"<a>\",\"count\":1,\"tags\":[\"x\",\"true\"]}\n{\"name\":\"b\",\"count\":2,\"tags\":null}\n",
		formatYAML:  "- name: <a>\n  count: 1\n  tags:\n    - x\n    - \"true\"\n- name: b\n  count: 2\n  tags: null\n",
		formatTable: "NAME  COUNT\n<a>   1\nb     2\n",
	} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			a := &app{out: &out, output: format}
			err := a.print(things, func(w io.Writer) {
				row(w, "NAME", "COUNT")
				for _, thing := range things {
					row(w, thing.Name, thing.Count)
				}
			})
			if err != nil || out.String() != want {
				t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{
		{errors.New("other"), 1},
		{task.ErrInternal, 1},
		{context.Canceled, 1},
		{&usageError{errors.New("x")}, 2},
		{task.ErrInvalid, 2},
		{task.ErrTooLarge, 2},
		{task.ErrNotFound, 3},
		{task.ErrUnknownDependency, 3},
		{task.ErrConflict, 4},
		{task.ErrTransition, 4},
		{task.ErrNotAllowed, 5},
		{task.ErrNoLeader, 6},
		{task.ErrUnknownOutcome, 6},
		{task.ErrBusy, 6},
		{errors.Join(task.ErrNoLeader, context.DeadlineExceeded), 6},
		{task.ErrTimeout, 7},
		{context.DeadlineExceeded, 7},
		{fmt.Errorf("task %w: x", errTaskFailed), 8},
	} {
		if got := exitCode(fmt.Errorf("while testing: %w", test.err)); got != test.want {
			t.Errorf("%v: exit code %d, want %d", test.err, got, test.want)
		}
	}
}

// TestShorten: text of a task comes from strangers and must not move the cursor of who looks at it.
func TestShorten(t *testing.T) {
	for in, want := range map[string]string{"plain": "plain", "two\nlines": "two lines", "\x1b[2Jgone": " [2Jgone", "été": "été", "abcdefghijk": "abcdefghij..."} {
		if got := shorten(in, 10); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
	if got := content([]byte("\x1b]0;x\a"), 6); strings.Contains(got, "\x1b") {
		t.Errorf("an escape is shown as %q", got)
	}
}
