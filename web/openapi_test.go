package web

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haiku-queue/haiku/task"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

const openAPIFile = "../docs/openapi.json"

// described is the API without a server.
func described(t *testing.T) []byte {
	t.Helper()
	a := newAPI(http.NewServeMux(), "")
	new(Server).register(a)
	text, err := a.describe()
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

// TestOpenAPI: the committed description is that of the code.
func TestOpenAPI(t *testing.T) {
	text := described(t)
	if *update {
		if err := os.WriteFile(openAPIFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(openAPIFile)
	if err != nil || !bytes.Equal(kept, text) {
		t.Errorf("%s is out of date: go test ./web -run OpenAPI -update (%v)", openAPIFile, err)
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Summary     string
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" || len(doc.Paths) < 40 {
		t.Errorf("OpenAPI %s with %d paths", doc.OpenAPI, len(doc.Paths))
	}
	seen := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			if o.OperationID == "" || seen[o.OperationID] || o.Summary == "" || o.Responses["default"] == nil {
				t.Errorf("%s %s: %+v", method, path, o)
			}
			seen[o.OperationID] = true
		}
	}
}

// TestTaskFields: the description of a task has the names that its JSON has.
func TestTaskFields(t *testing.T) {
	now, p := time.Now(), task.Progress{Percent: 3, Message: "m", Cursor: []byte("c")}
	full := task.Task{
		ID: task.NewID(), Type: "t", Payload: []byte("p"), Result: []byte("r"), Error: "e", WorkerID: "w", LeaseExpiresAt: now, Queue: "q",
		PayloadSize: 1, ResultSize: 1, LeaseID: 1, LeaseDuration: time.Second, Session: task.NewSessionID(), StartedAt: now, Reason: task.Poison,
		WaitingFor: 1, OnDependencyFailure: task.PolicyBlock, Headers: []task.Header{{Name: "a"}}, UniqueKey: "u", UniqueScope: task.UniqueTTL,
		UniqueUntil: now, UniqueHeld: true, ReplacedBy: task.NewID(), ExpiresAt: now, Retention: time.Second, DeleteAt: now,
		Backoff: task.Backoff{Initial: time.Second}, Progress: p, History: []task.Attempt{{}}, CancelRequested: true, Status: task.Pending,
	}
	text, err := json.Marshal(Task{&full})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range reflect.TypeFor[TaskFields]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[TaskFields]().Field(i).Tag.Get("json"), ",")
		names = append(names, name)
		if _, there := got[name]; !there {
			t.Errorf("%s is described and not there", name)
		}
	}
	for name := range got {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not described", name)
		}
	}
}
