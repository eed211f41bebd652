package web

import (
	"context"
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/haiku-queue/haiku/client"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// permission says whose an operation is.
type permission struct {
	role member.Role
	all  bool // not for tokens of some queues: it shows or changes what concerns all
	// leader: nothing but a leader can answer it, so that it is refused at once while waiting for one is vain
	leader bool
}

// permissions has a row for each operation but login and logout, which are for everybody. They are those of the requests
// of the wire protocol that an operation becomes; here they are decided before anything of the request is read.
var permissions = map[string]permission{
	"get-session": {role: member.RoleViewer}, "get-overview": {role: member.RoleViewer},
	"get-stats": {role: member.RoleViewer}, "stream-events": {role: member.RoleViewer},
	"get-history": {role: member.RoleViewer, all: true}, "list-tasks": {role: member.RoleViewer},
	"get-task": {role: member.RoleViewer}, "get-payload": {role: member.RoleViewer},
	"get-result": {role: member.RoleViewer}, "list-queues": {role: member.RoleViewer},
	"get-queue": {role: member.RoleViewer}, "get-retention": {role: member.RoleViewer},
	"list-schedules": {role: member.RoleViewer}, "get-schedule": {role: member.RoleViewer},
	"get-next-fires": {role: member.RoleViewer}, "list-operations": {role: member.RoleViewer},
	"get-operation": {role: member.RoleViewer}, "group-dead-letters": {role: member.RoleViewer},
	"list-workers": {role: member.RoleViewer, leader: true}, "get-cluster": {role: member.RoleViewer},

	"submit-tasks": {role: member.RoleWorker, leader: true},
	"cancel-task":  {role: member.RoleWorker, leader: true},
	"cancel-tasks": {role: member.RoleWorker, leader: true},
	"claim-tasks":  {role: member.RoleWorker, leader: true}, "heartbeat": {role: member.RoleWorker, leader: true},
	"ack-task": {role: member.RoleWorker, leader: true}, "nack-task": {role: member.RoleWorker, leader: true},

	"retry-task":       {role: member.RoleOperator, leader: true},
	"retry-tasks":      {role: member.RoleOperator, leader: true},
	"delete-task":      {role: member.RoleOperator, leader: true},
	"delete-tasks":     {role: member.RoleOperator, leader: true},
	"start-operation":  {role: member.RoleOperator, leader: true},
	"cancel-operation": {role: member.RoleOperator, leader: true},
	"change-queue":     {role: member.RoleOperator, leader: true},
	"pause-queue":      {role: member.RoleOperator, leader: true},
	"resume-queue":     {role: member.RoleOperator, leader: true},
	"set-retention":    {role: member.RoleOperator, all: true, leader: true},
	"make-schedule":    {role: member.RoleOperator, leader: true},
	"set-schedule":     {role: member.RoleOperator, leader: true},
	"remove-schedule":  {role: member.RoleOperator, leader: true},
	"pause-schedule":   {role: member.RoleOperator, leader: true},
	"resume-schedule":  {role: member.RoleOperator, leader: true},
	"trigger-schedule": {role: member.RoleOperator, leader: true},
	"drain-workers":    {role: member.RoleOperator, all: true, leader: true},
	"pause-dispatch":   {role: member.RoleOperator, all: true, leader: true},
	"resume-dispatch":  {role: member.RoleOperator, all: true, leader: true},

	"transfer-leader": {role: member.RoleAdmin, leader: true}, "remove-member": {role: member.RoleAdmin},
	"leave-cluster": {role: member.RoleAdmin, leader: true}, "join-cluster": {role: member.RoleAdmin},
	"save-snapshot": {role: member.RoleAdmin}, "start-examination": {role: member.RoleAdmin, leader: true},
	"get-examination": {role: member.RoleAdmin}, "list-tokens": {role: member.RoleAdmin},
	"make-token": {role: member.RoleAdmin, leader: true}, "revoke-token": {role: member.RoleAdmin, leader: true},
}

// accessKey is the key in a request's context of what whoever asks may do.
type accessKey struct{}

// permit refuses who may not carry out an operation, and what no leader is there for. It tells the handler who asks.
func (s *Server) permit(hc huma.Context, next func(huma.Context)) {
	p, there := permissions[hc.Operation().OperationID]
	if !there {
		next(hc)
		return
	}
	a, err := s.access(hc.Context(), tokenIn(hc.Context()))
	if err == nil {
		err = p.check(&a)
	}
	if queue := hc.Param("queue"); err == nil && queue != "" {
		err = a.Check(queue)
	}
	if err == nil && p.leader {
		err = s.leaders.need()
	}
	if err != nil {
		_, w := humago.Unwrap(hc)
		writeProblem(w, problemOf(err))
		return
	}
	next(huma.WithValue(hc, accessKey{}, a))
}

// check returns nil for whom the operation is.
func (p permission) check(a *member.Access) error {
	switch {
	case a.Role < p.role:
		return fmt.Errorf("%w: this needs the role %s, the token %s has the role %s", task.ErrPermissionDenied, p.role, a.Token, a.Role)
	case p.all && a.IsRestricted():
		return fmt.Errorf("%w: this concerns all queues, the token %s is for those that begin with %s",
			task.ErrPermissionDenied, a.Token, strings.Join(a.Queues, ", "))
	}
	return nil
}

// accessIn is what whoever asks for an operation may do.
func accessIn(ctx context.Context) member.Access {
	a, _ := ctx.Value(accessKey{}).(member.Access)
	return a
}

// access asks the node what a token may do.
func (s *Server) access(ctx context.Context, token string) (a member.Access, err error) {
	ctx, cancel := within(ctx)
	defer cancel()
	err = s.callAs(clientKey{token: token}, func(c *client.Client) error {
		a, err = c.Access(ctx)
		return err
	})
	return a, err
}
