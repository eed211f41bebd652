package task

import (
	"errors"
	"time"
)

// The errors of Haiku's domain. Everything that goes wrong for a client wraps one of them; package wire gives each its
// code on the wire, and the client library gives the same error back, so errors.Is answers alike on both sides.
var (
	// ErrInvalid: the request is malformed or outside a limit; the same request never succeeds.
	ErrInvalid = errors.New("invalid request")
	// ErrTooLarge: a frame, payload, result or list is larger than its limit.
	ErrTooLarge = errors.New("too large")
	// ErrUnknownType: the frame's type is not one that this version knows.
	ErrUnknownType = errors.New("unknown frame type")
	// ErrVersion: the peer speaks a protocol version that this node does not.
	ErrVersion = errors.New("protocol version not supported")
	// ErrHandshake: the first frame was not a Hello, or the Hello named another cluster.
	ErrHandshake = errors.New("handshake refused")
	// ErrNotFound: there is no such task, node or queue.
	ErrNotFound = errors.New("not found")
	// ErrConflict: what is there stands against it, such as a task of the same id with other content.
	ErrConflict = errors.New("conflict")
	// ErrUniqueConflict: another task holds the unique key, and the conflict policy or its status leaves no other way.
	ErrUniqueConflict = errors.New("unique key held by another task")
	// ErrIDExpired: the id is older than the dedup window, so it cannot be told whether it was used.
	ErrIDExpired = errors.New("task id older than the dedup window")
	// ErrUnknownDependency: a task named as dependency does not exist.
	ErrUnknownDependency = errors.New("unknown dependency")
	// ErrAborted: another item of the atomic batch was refused, so this one did not take effect either.
	ErrAborted = errors.New("atomic batch refused")
	// ErrStaleLease: the lease is not the task's current one; whatever the worker did no longer counts.
	ErrStaleLease = errors.New("lease no longer held")
	// ErrTransition: the task's status does not allow that.
	ErrTransition = errors.New("not allowed in this status")
	// ErrNotLeader: this node does not lead and could not pass the request on; nothing took effect.
	ErrNotLeader = errors.New("not the leader")
	// ErrNoLeader: the cluster has no leader at the moment; nothing took effect.
	ErrNoLeader = errors.New("no leader")
	// ErrUnknownOutcome: the request may or may not have taken effect. Submits are safe to repeat with the same id.
	ErrUnknownOutcome = errors.New("outcome unknown")
	// ErrBusy: a limit of the node is reached; nothing took effect; try again later.
	ErrBusy = errors.New("busy")
	// ErrDiskFull: a disk of the cluster is nearly full; nothing took effect. Only submits are refused for that.
	ErrDiskFull = errors.New("disk nearly full")
	// ErrQueueFull: a limit of the queue's depth or bytes is reached; nothing took effect; try again later.
	ErrQueueFull = errors.New("queue full")
	// ErrTimeout: the time given for the request ran out before it took effect.
	ErrTimeout = errors.New("timed out")
	// ErrShutdown: the node is going down; nothing took effect.
	ErrShutdown = errors.New("shutting down")
	// ErrNotAllowed: the caller may not do that.
	ErrNotAllowed = errors.New("not allowed")
	// ErrUnauthenticated: the cluster has tokens, and the caller showed none of them, or one that is revoked or expired.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrPermissionDenied: the caller's token is not for that: its role is too weak, or the queue is not one of its own.
	ErrPermissionDenied = errors.New("permission denied")
	// ErrPrecondition: what was to be changed is not as the caller said that it is.
	ErrPrecondition = errors.New("changed meanwhile")
	// ErrInternal: the node met an error of its own; its log says more.
	ErrInternal = errors.New("internal error")
)

// RetryLater is an error together with the time after which the same request may succeed.
type RetryLater struct {
	Err   error
	After time.Duration
}

func (e *RetryLater) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e *RetryLater) Unwrap() error { return e.Err }
