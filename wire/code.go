package wire

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/internal/pb/wirepb"
	"github.com/haiku-queue/haiku/task"
)

// Code is the number of an error on the wire. Numbers are never reused.
type Code uint32

// codeRow ties a code to the sentinel that both sides compare with. retryable: nothing took effect, and the same
// request may succeed later.
type codeRow struct {
	code      Code
	name      string
	sentinel  error
	retryable bool
}

// codes is the one table between errors and codes. An error that wraps several sentinels gets the first row that
// matches, so the narrower ones stand above ErrInvalid and ErrInternal is last.
var codes = [...]codeRow{
	{2, "too_large", task.ErrTooLarge, false},
	{3, "unknown_type", task.ErrUnknownType, false},
	{4, "version", task.ErrVersion, false},
	{5, "handshake", task.ErrHandshake, false},
	{10, "not_found", task.ErrNotFound, false},
	{11, "conflict", task.ErrConflict, false},
	{28, "unique_conflict", task.ErrUniqueConflict, false},
	{12, "id_expired", task.ErrIDExpired, false},
	{13, "unknown_dependency", task.ErrUnknownDependency, false},
	{14, "aborted", task.ErrAborted, false},
	{15, "stale_lease", task.ErrStaleLease, false},
	{16, "transition", task.ErrTransition, false},
	{29, "unauthenticated", task.ErrUnauthenticated, false},
	{31, "permission_denied", task.ErrPermissionDenied, false},
	{17, "not_allowed", task.ErrNotAllowed, false},
	{40, "precondition", task.ErrPrecondition, false},
	{25, "unknown_outcome", task.ErrUnknownOutcome, false},
	{20, "not_leader", task.ErrNotLeader, true},
	{21, "no_leader", task.ErrNoLeader, true},
	{22, "busy", task.ErrBusy, true},
	{23, "timeout", task.ErrTimeout, true},
	{24, "shutdown", task.ErrShutdown, true},
	{26, "disk_full", task.ErrDiskFull, true},
	{27, "queue_full", task.ErrQueueFull, true},
	{1, "invalid", task.ErrInvalid, false},
	{30, "internal", task.ErrInternal, false},
}

const internal = len(codes) - 1

// maxNackMessage bounds the text of an error on the wire, in bytes.
const maxNackMessage = 2 << 10

func (c Code) String() string {
	for i := range codes {
		if codes[i].code == c {
			return codes[i].name
		}
	}
	return fmt.Sprintf("code(%d)", uint32(c))
}

// CodeOf returns the code of an error: that of the first sentinel of the table which it wraps, else internal's.
func CodeOf(err error) Code { return rowOf(err).code }

func rowOf(err error) *codeRow {
	for i := range codes {
		if errors.Is(err, codes[i].sentinel) {
			return &codes[i]
		}
	}
	return &codes[internal]
}

// RemoteError is an error as another process told it. errors.Is finds the sentinel of its code.
type RemoteError struct {
	Code       Code
	Message    string
	Retryable  bool          // nothing took effect, and the same request may succeed later
	RetryAfter time.Duration // wait at least this long; 0 if not said
	Leader     string        // HOST:PORT of the leader, if it was told
	sentinel   error
}

func (e *RemoteError) Error() string { return e.Message }

// Unwrap returns the sentinel of package task that belongs to the code; task.ErrInternal for codes of later versions.
func (e *RemoteError) Unwrap() error { return e.sentinel }

// NackFromError says err on the wire; nil gives nil. The text of an error that wraps no sentinel stays here: it may
// tell of files and addresses that are not the client's business.
func NackFromError(err error, leaderAddress string) *wirepb.Nack {
	if err == nil {
		return nil
	}
	row := rowOf(err)
	n := &wirepb.Nack{Code: uint32(row.code), Message: err.Error(), Retryable: row.retryable, LeaderAddress: leaderAddress}
	if !errors.Is(err, row.sentinel) {
		n.Message = row.sentinel.Error()
	}
	var remote *RemoteError
	if errors.As(err, &remote) {
		n.Code, n.Retryable, n.RetryAfterUs = uint32(remote.Code), remote.Retryable, remote.RetryAfter.Microseconds()
		if leaderAddress == "" {
			n.LeaderAddress = remote.Leader
		}
	}
	var later *task.RetryLater
	if errors.As(err, &later) {
		n.RetryAfterUs = later.After.Microseconds()
	}
	if n.Message = strings.ToValidUTF8(n.Message, "?"); len(n.Message) > maxNackMessage {
		n.Message = task.ClipText(n.Message, maxNackMessage)
	}
	return n
}

// ErrorFromNack is the inverse: nil for nil, else a *RemoteError.
func ErrorFromNack(n *wirepb.Nack) error {
	if n == nil {
		return nil
	}
	e := &RemoteError{Code: Code(n.Code), Message: n.Message, Retryable: n.Retryable, Leader: n.LeaderAddress,
		sentinel: task.ErrInternal}
	if after, err := duration("retry_after_us", n.RetryAfterUs); err == nil {
		e.RetryAfter = after
	}
	for i := range codes {
		if codes[i].code == e.Code {
			e.sentinel = codes[i].sentinel
		}
	}
	if e.Message == "" {
		e.Message = e.sentinel.Error()
	}
	return e
}

// Retryable reports whether nothing took effect and the same request may succeed later. An unknown outcome is not
// retryable in this sense: only a request that may take effect twice without harm can be repeated then.
func Retryable(err error) bool {
	if err == nil {
		return false
	}
	var remote *RemoteError
	if errors.As(err, &remote) {
		return remote.Retryable
	}
	return rowOf(err).retryable
}
