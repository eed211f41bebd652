package wire

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// The tests in this file hold PROTOCOL.md to the code: messages, frame types, codes, numbers, limits and examples.

func protocol(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rows returns the cells of a table's rows: the first table behind a line that begins with head.
func rows(t *testing.T, text, head string) [][]string {
	t.Helper()
	_, rest, found := strings.Cut("\n"+text, "\n"+head)
	if !found {
		t.Fatalf("PROTOCOL.md has no line that begins with %q", head)
	}
	var out [][]string
	for _, line := range strings.Split(rest, "\n")[1:] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		out = append(out, cells)
	}
	return out
}

func TestProtocolMessages(t *testing.T) {
	text := protocol(t)
	messages := wirepb.File_wire_proto.Messages()
	described := regexp.MustCompile(`(?m)^#### (\w+)$`).FindAllStringSubmatch(text, -1)
	if len(described) != messages.Len() {
		t.Errorf("%d messages are described, there are %d", len(described), messages.Len())
	}
	for i := range messages.Len() {
		m := messages.Get(i)
		_, section, found := strings.Cut(text, fmt.Sprintf("\n#### %s\n\n", m.Name()))
		if !found {
			t.Errorf("%s is not described", m.Name())
			continue
		}
		if m.Fields().Len() == 0 {
			if !strings.HasPrefix(section, "No fields.") {
				t.Errorf("%s has no fields", m.Name())
			}
			continue
		}
		table := rows(t, section, "| Field | Name | Type |")
		if len(table) != m.Fields().Len() {
			t.Errorf("%s: %d fields are described, there are %d", m.Name(), len(table), m.Fields().Len())
			continue
		}
		for j, cells := range table {
			f := m.Fields().Get(j)
			want := fmt.Sprintf("%d %s %s", f.Number(), f.Name(), kindOf(f))
			if got := strings.Join(cells[:3], " "); got != want {
				t.Errorf("%s: %q is described, it is %q", m.Name(), got, want)
			}
		}
	}
}

func kindOf(f protoreflect.FieldDescriptor) string {
	kind := f.Kind().String()
	if f.Message() != nil {
		kind = string(f.Message().Name())
	}
	switch {
	case f.IsList():
		return "repeated " + kind
	case f.HasOptionalKeyword():
		return "optional " + kind
	}
	return kind
}

func TestProtocolTypes(t *testing.T) {
	table := rows(t, protocol(t), "| Number | Type |")
	if len(table) != len(Types) {
		t.Fatalf("%d frame types are described, there are %d", len(table), len(Types))
	}
	name := func(m Message) string {
		return string(m.(protoreflect.ProtoMessage).ProtoReflect().Descriptor().Name())
	}
	for i, cells := range table {
		kind := Types[i]
		from, body, reply := "server", "the reply to the request", ""
		if m := NewRequest(kind); m != nil {
			body = name(m)
		}
		if m := NewReply(kind); m != nil {
			from, reply = "client", name(m)
		}
		want := []string{strconv.Itoa(int(kind)), kind.String(), from, body, reply}
		if strings.Join(cells, "|") != strings.Join(want, "|") {
			t.Errorf("%v is described, it is %v", cells, want)
		}
	}
}

func TestProtocolCodes(t *testing.T) {
	table := rows(t, protocol(t), "| Code | Name |")
	if len(table) != len(codes) {
		t.Errorf("%d codes are described, there are %d", len(table), len(codes))
	}
	described := map[string][]string{}
	for _, cells := range table {
		described[cells[0]] = cells
	}
	for _, row := range codes {
		cells := described[strconv.Itoa(int(row.code))]
		retryable := map[bool]string{true: "yes", false: "no"}[row.retryable]
		if len(cells) != 4 || cells[1] != row.name || cells[2] != retryable || cells[3] == "" {
			t.Errorf("code %d, %s, retryable %s is described as %v", row.code, row.name, retryable, cells)
		}
	}
}

// TestProtocolNumbers checks the tables of statuses, outcomes and policies.
func TestProtocolNumbers(t *testing.T) {
	text := protocol(t)
	for head, name := range map[string]func(uint8) string{
		"| status | Name |": func(v uint8) string { return known(task.Status(v).Valid(), task.Status(v)) },
		"| kind | Name |": func(v uint8) string {
			return known(task.OutcomeKind(v).Valid(),
				task.OutcomeKind(v))
		},
		"| on_dependency_failure | Name |": func(v uint8) string {
			return known(v <= uint8(task.PolicyBlock),
				task.DependencyPolicy(v))
		},
	} {
		want := map[string]string{}
		for v := range 256 {
			if n := name(uint8(v)); n != "" {
				want[strconv.Itoa(v)] = n
			}
		}
		table := rows(t, text, head)
		for _, cells := range table {
			if want[cells[0]] != cells[1] {
				t.Errorf("%s: %s is described as %s, it is %s", head, cells[0], cells[1], want[cells[0]])
			}
		}
		if len(table) != len(want) {
			t.Errorf("%s: %d are described, there are %d", head, len(table), len(want))
		}
	}
	for _, reason := range []task.Reason{
		task.RetriesExhausted, task.Poison, task.DependencyFailed, task.Rejected, task.OnRequest, task.ByHandler,
	} {
		if !strings.Contains(text, "`"+string(reason)+"`") {
			t.Errorf("reason %s is not described", reason)
		}
	}
}

func known(valid bool, v fmt.Stringer) string {
	if !valid {
		return ""
	}
	return v.String()
}

func TestProtocolLimits(t *testing.T) {
	seconds := func(d time.Duration) int { return int(d / time.Second) }
	want := map[string]int{
		"length of a frame": MaxFrame, "payload, bytes": task.MaxPayload, "result, bytes": task.MaxResult,
		"error text, bytes": task.MaxError, "headers of a task, bytes of names and values": task.MaxHeaders,
		"headers of a task": task.MaxHeaderCount, "name, bytes": task.MaxName, "unique_key, bytes": task.MaxUniqueKey,
		"progress, bytes of message and cursor": task.MaxProgress, "cursor of a list, bytes": task.MaxCursor, "error_contains, bytes": task.MaxErrorContains,
		"token, bytes": task.MaxToken, "items of a request": task.MaxItems, "dependencies of a task": task.MaxDependencies,
		"dependencies of a request": task.MaxBatchParents, "(queue, type) pairs of a claim": task.MaxPairs,
		"payload bytes of a claim's answer": task.MaxClaimBytes, "attempts in the history": task.MaxHistory,
		"timeout_seconds": seconds(task.MaxTimeout),
		"delay, retention, backoff, retry_after: seconds": seconds(task.MaxDelay),
		"wait of a claim or query, seconds":               seconds(task.MaxWait), "lease, seconds": seconds(task.MaxLease),
	}
	table := rows(t, protocol(t), "| Limit | Value |")
	for _, cells := range table {
		if v, ok := want[cells[0]]; !ok || cells[1] != strconv.Itoa(v) {
			t.Errorf("%s is described as %s, it is %d", cells[0], cells[1], v)
		}
	}
	if len(table) != len(want) {
		t.Errorf("%d limits are described, there are %d", len(table), len(want))
	}
}

// TestProtocolExamples: every worked example is, byte for byte, the golden frame that it names.
func TestProtocolExamples(t *testing.T) {
	examples := regexp.MustCompile("(?s)\n```hex (\\w+) (\\d+)\n(.*?)\n```\n").FindAllStringSubmatch(protocol(t), -1)
	if len(examples) < 5 {
		t.Errorf("only %d examples", len(examples))
	}
	for _, e := range examples {
		golden, err := os.ReadFile("testdata/" + e[1] + ".hex")
		if err != nil {
			t.Error(err)
			continue
		}
		frames, place := parseHex(t, string(golden)), 0
		if place, err = strconv.Atoi(e[2]); err != nil || place < 1 || place > len(frames) {
			t.Errorf("%s has no frame %s", e[1], e[2])
			continue
		}
		shown := parseHex(t, e[3])
		if want := frames[place-1]; len(shown) != 1 || shown[0].up != want.up || !bytes.Equal(shown[0].bytes, want.bytes) {
			t.Errorf("example %s %s is not the golden frame", e[1], e[2])
		}
	}
}
