package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// Problem is the body of every error: RFC 9457 with the wire protocol's code.
type Problem struct {
	Type         string  `json:"type" doc:"urn:haiku:error: and the code"`
	Title        string  `json:"title" doc:"What the status means"`
	Status       int     `json:"status" doc:"HTTP status"`
	Detail       string  `json:"detail" doc:"What was wrong, and what is allowed"`
	Code         string  `json:"code" doc:"The wire protocol's name of the error"`
	Retryable    bool    `json:"retryable" doc:"Nothing took effect, and the same request may succeed later"`
	RetryAfterMS int64   `json:"retry_after_ms,omitempty" doc:"Wait at least this long"`
	Errors       []Fault `json:"errors,omitempty" doc:"Where the request is wrong, if it was not understood"`
}

// Fault is one thing that is wrong with a request.
type Fault struct {
	Location string `json:"location" doc:"Where, such as body.tasks[0].priority"`
	Message  string `json:"message"`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders returns what goes into the answer's headers.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.RetryAfterMS > 0 {
		h.Set("Retry-After", strconv.FormatInt((p.RetryAfterMS+999)/1000, 10))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="haiku"`)
	}
	return h
}

// ContentType is that of problems, whatever the client prefers.
func (p *Problem) ContentType(string) string { return problemType }

const problemType = "application/problem+json"

// statuses says which HTTP status an error of the domain has, by the name of its code; 500 for others.
var statuses = map[string]int{
	"invalid": http.StatusUnprocessableEntity, "too_large": http.StatusRequestEntityTooLarge,
	"unknown_type": http.StatusNotImplemented, "version": http.StatusBadGateway, "handshake": http.StatusBadGateway,
	"not_found": http.StatusNotFound, "conflict": http.StatusConflict, "unique_conflict": http.StatusConflict,
	"id_expired": http.StatusGone, "unknown_dependency": http.StatusUnprocessableEntity, "aborted": http.StatusConflict,
	"stale_lease": http.StatusConflict, "transition": http.StatusConflict, "not_allowed": http.StatusConflict,
	"unknown_outcome": http.StatusGatewayTimeout, "not_leader": http.StatusServiceUnavailable,
	"no_leader": http.StatusServiceUnavailable, "busy": http.StatusServiceUnavailable,
	"timeout": http.StatusGatewayTimeout, "shutdown": http.StatusServiceUnavailable,
	"disk_full": http.StatusInsufficientStorage, "queue_full": http.StatusTooManyRequests,
	"unauthenticated": http.StatusUnauthorized, "permission_denied": http.StatusForbidden,
	"precondition": http.StatusPreconditionFailed,
}

// problemOf says err as a problem; one that is one already stays as it is.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	switch {
	case errors.Is(err, client.ErrClosed):
		err = fmt.Errorf("%w: the HTTP server closes", task.ErrShutdown)
	case errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, task.ErrUnknownOutcome) && !wire.Retryable(err):
		err = fmt.Errorf("%w: %w", task.ErrTimeout, err)
	}
	nack := wire.NackFromError(err, "")
	p = newProblem(0, wire.Code(nack.Code).String(), nack.Message)
	p.Retryable = nack.Retryable
	p.RetryAfterMS = time.Duration(nack.RetryAfterUs * int64(time.Microsecond)).Milliseconds()
	return p
}

// newProblem makes a problem with a code; its status is the code's unless one is given.
func newProblem(status int, code, detail string) *Problem {
	if status == 0 {
		if status = statuses[code]; status == 0 {
			status = http.StatusInternalServerError
		}
	}
	return &Problem{Type: "urn:haiku:error:" + code, Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// fault is a problem with one value of the request.
func fault(location, format string, args ...any) *Problem {
	p := newProblem(0, "invalid", fmt.Sprintf(format, args...))
	p.Errors = []Fault{{location, p.Detail}}
	return p
}

// understand turns what huma says of a request into a Problem. Values of the request are not repeated.
func understand(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := "invalid"
	switch e.Status {
	case http.StatusRequestEntityTooLarge:
		code = "too_large"
	case http.StatusRequestTimeout:
		code = "timeout"
	case http.StatusInternalServerError:
		code = "internal"
	}
	p := newProblem(e.Status, code, e.Detail)
	for i, d := range e.Errors {
		if d == nil || i == 10 {
			break
		}
		p.Errors = append(p.Errors, Fault{task.ClipText(d.Location, 256), task.ClipText(d.Message, 512)})
	}
	if len(p.Errors) > 0 {
		p.Detail = p.Errors[0].Message
		if at := p.Errors[0].Location; at != "" {
			p.Detail = at + ": " + p.Detail
		}
	}
	return p, nil
}

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", problemType)
	w.Header().Del("Content-Encoding")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a client that is gone
}
