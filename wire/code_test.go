package wire

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

var sentinels = map[string]error{
	"ErrInvalid": task.ErrInvalid, "ErrTooLarge": task.ErrTooLarge, "ErrUnknownType": task.ErrUnknownType,
	"ErrVersion": task.ErrVersion, "ErrHandshake": task.ErrHandshake, "ErrNotFound": task.ErrNotFound,
	"ErrConflict": task.ErrConflict, "ErrUniqueConflict": task.ErrUniqueConflict, "ErrIDExpired": task.ErrIDExpired, "ErrUnknownDependency": task.ErrUnknownDependency,
	"ErrAborted": task.ErrAborted, "ErrStaleLease": task.ErrStaleLease, "ErrTransition": task.ErrTransition,
	"ErrNotLeader": task.ErrNotLeader, "ErrNoLeader": task.ErrNoLeader, "ErrUnknownOutcome": task.ErrUnknownOutcome,
	"ErrBusy": task.ErrBusy, "ErrTimeout": task.ErrTimeout, "ErrShutdown": task.ErrShutdown, "ErrDiskFull": task.ErrDiskFull,
	"ErrQueueFull":       task.ErrQueueFull,
	"ErrUnauthenticated": task.ErrUnauthenticated, "ErrPermissionDenied": task.ErrPermissionDenied,
	"ErrNotAllowed": task.ErrNotAllowed, "ErrPrecondition": task.ErrPrecondition, "ErrInternal": task.ErrInternal,
}

// TestEverySentinel: each sentinel of package task has one row, and crosses the wire as itself and nothing else.
func TestEverySentinel(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../task/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for _, name := range v.Names {
				declared++
				if sentinels[name.Name] == nil {
					t.Errorf("%s is not in this test's list", name.Name)
				}
			}
		}
		return true
	})
	if declared != len(sentinels) || len(codes) != len(sentinels) {
		t.Errorf("%d sentinels, %d in the test, %d rows", declared, len(sentinels), len(codes))
	}
	seen := map[Code]bool{}
	for name, sentinel := range sentinels {
		back := ErrorFromNack(NackFromError(fmt.Errorf("submit: %w: more", sentinel), ""))
		for other, s := range sentinels {
			if errors.Is(back, s) != (other == name) {
				t.Errorf("%s crosses the wire as %s", name, other)
			}
		}
		code := CodeOf(sentinel)
		if code == 0 || seen[code] || strings.HasPrefix(code.String(), "code(") {
			t.Errorf("%s has code %s", name, code)
		}
		seen[code] = true
		if Retryable(sentinel) != Retryable(back) {
			t.Errorf("%s: retryable %v here, %v there", name, Retryable(sentinel), Retryable(back))
		}
		if back.Error() != "submit: "+sentinel.Error()+": more" {
			t.Errorf("%s: text %q", name, back)
		}
	}
}

func TestRetryable(t *testing.T) {
	want := map[error]bool{task.ErrNotLeader: true, task.ErrNoLeader: true, task.ErrBusy: true, task.ErrTimeout: true,
		task.ErrShutdown: true, task.ErrDiskFull: true, task.ErrQueueFull: true}
	for name, sentinel := range sentinels {
		if Retryable(fmt.Errorf("x: %w", sentinel)) != want[sentinel] {
			t.Errorf("%s: retryable %v", name, Retryable(sentinel))
		}
	}
	if Retryable(nil) || Retryable(errors.New("other")) || Retryable(context.Canceled) {
		t.Error("an error without sentinel is retryable")
	}
	if !Retryable(&RemoteError{Code: 999, Retryable: true, sentinel: task.ErrInternal}) {
		t.Error("what the server says of an unknown code does not count")
	}
}

// TestNarrowerWins: an error that wraps several sentinels has the code of the narrower one.
func TestNarrowerWins(t *testing.T) {
	for _, narrow := range []error{task.ErrTooLarge, task.ErrUnknownDependency, task.ErrConflict, task.ErrNotLeader} {
		for _, wide := range []error{task.ErrInvalid, task.ErrInternal} {
			if got := CodeOf(fmt.Errorf("%w: %w", wide, narrow)); got != CodeOf(narrow) {
				t.Errorf("%v with %v has code %s", wide, narrow, got)
			}
		}
	}
}

func TestNackFromError(t *testing.T) {
	if NackFromError(nil, "a") != nil || ErrorFromNack(nil) != nil {
		t.Error("no error becomes one")
	}
	secret := errors.New("open /var/lib/secret")
	n := NackFromError(secret, "h:1")
	if n.Code != uint32(CodeOf(task.ErrInternal)) || strings.Contains(n.Message,
		"secret") || n.LeaderAddress != "h:1" || n.Retryable {
		t.Errorf("an error without sentinel: %v", n)
	}
	if n = NackFromError(fmt.Errorf("%w: depth", &task.RetryLater{Err: task.ErrBusy, After: time.Second}),
		""); n.RetryAfterUs != 1e6 || !n.Retryable {
		t.Errorf("retry later: %v", n)
	}
	n = NackFromError(fmt.Errorf("%w: %s\xff", task.ErrInvalid, strings.Repeat("é", maxNackMessage)), "")
	if len(n.Message) > maxNackMessage || !utf8.ValidString(n.Message) {
		t.Errorf("a message of %d bytes", len(n.Message))
	}
}

// TestRemoteError: what a node was told by another it tells on, leader and all.
func TestRemoteError(t *testing.T) {
	first := &wirepb.Nack{Code: uint32(CodeOf(task.ErrBusy)), Message: "busy: depth", Retryable: true, RetryAfterUs: 5e6,
		LeaderAddress: "h:1"}
	err := ErrorFromNack(first)
	var remote *RemoteError
	if !errors.As(err, &remote) || remote.RetryAfter != 5*time.Second || remote.Leader != "h:1" || !errors.Is(err,
		task.ErrBusy) {
		t.Fatalf("%+v", remote)
	}
	again := NackFromError(err, "")
	if again.String() != first.String() {
		t.Errorf("%v became %v", first, again)
	}
	for name, n := range map[string]*wirepb.Nack{
		"unknown code": {Code: 4711, Message: "new"}, "code 0": {}, "negative wait": {Code: 22, RetryAfterUs: -1},
		"huge wait": {Code: 22, RetryAfterUs: 1 << 62},
	} {
		err := ErrorFromNack(n)
		if !errors.As(err, &remote) || remote.RetryAfter != 0 || err.Error() == "" || errors.Unwrap(err) == nil {
			t.Errorf("%s: %+v", name, remote)
		}
	}
	if !errors.Is(ErrorFromNack(&wirepb.Nack{Code: 4711}), task.ErrInternal) {
		t.Error("an unknown code is no internal error")
	}
}
