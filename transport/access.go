package transport

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
	"github.com/haiku-queue/haiku/wire"
)

// rule says which role a request needs.
type rule struct {
	role   member.Role // to send it at all
	change member.Role // to change something with it; 0 where that is no difference
}

// rules has a row for each request. What has none is for nobody.
var rules = [...]rule{
	wire.QueryStatus:   {role: member.RoleViewer},
	wire.ListTasks:     {role: member.RoleViewer},
	wire.GetStats:      {role: member.RoleViewer},
	wire.Queues:        {role: member.RoleViewer},
	wire.Schedules:     {role: member.RoleViewer},
	wire.ClusterStatus: {role: member.RoleViewer},
	wire.Operations:    {role: member.RoleViewer, change: member.RoleOperator},
	wire.Workers:       {role: member.RoleViewer, change: member.RoleOperator},
	wire.Retention:     {role: member.RoleViewer, change: member.RoleOperator},

	wire.SubmitTask: {role: member.RoleWorker},
	wire.ClaimTask:  {role: member.RoleWorker},
	wire.TaskResult: {role: member.RoleWorker},
	wire.Heartbeat:  {role: member.RoleWorker},
	wire.CancelTask: {role: member.RoleWorker},

	wire.RetryTask:      {role: member.RoleOperator},
	wire.DeleteTask:     {role: member.RoleOperator},
	wire.StartOperation: {role: member.RoleOperator},
	wire.SetQueue:       {role: member.RoleOperator},
	wire.SetSchedule:    {role: member.RoleOperator},
	wire.SetDispatch:    {role: member.RoleOperator},

	wire.Join:         {role: member.RoleAdmin},
	wire.Remove:       {role: member.RoleAdmin},
	wire.Leave:        {role: member.RoleAdmin},
	wire.Transfer:     {role: member.RoleAdmin},
	wire.Mark:         {role: member.RoleAdmin},
	wire.Doctor:       {role: member.RoleAdmin},
	wire.Adopt:        {role: member.RoleAdmin},
	wire.SaveSnapshot: {role: member.RoleAdmin},
	wire.CreateToken:  {role: member.RoleAdmin},
	wire.Tokens:       {role: member.RoleAdmin},
	wire.RevokeToken:  {role: member.RoleAdmin},
}

func ruleOf(t wire.Type) rule {
	if int(t) < len(rules) {
		return rules[t]
	}
	return rule{}
}

// maySend returns nil if the client may send a request of this type.
func (c *conn) maySend(t wire.Type) error { return c.needs(t, ruleOf(t).role, "") }

// mayChange returns nil if the client may change something with a request of this type.
func (c *conn) mayChange(t wire.Type) error {
	r := ruleOf(t)
	return c.needs(t, cmp.Or(r.change, r.role), " to change something")
}

func (c *conn) needs(t wire.Type, role member.Role, why string) error {
	switch {
	case role == 0:
		return fmt.Errorf("%w: %s is for nobody", task.ErrPermissionDenied, t)
	case c.access.Role < role:
		return fmt.Errorf("%w: %s needs the role %s%s, token %s has the role %s",
			task.ErrPermissionDenied, t, role, why, c.access.Token, c.access.Role)
	}
	return nil
}

// mayAll returns nil if the client may change what concerns all queues.
func (c *conn) mayAll(t wire.Type) error {
	if err := c.mayChange(t); err != nil || !c.access.IsRestricted() {
		return err
	}
	return fmt.Errorf("%w: %s concerns all queues, token %s is for those that begin with %s",
		task.ErrPermissionDenied, t, c.access.Token, strings.Join(c.access.Queues, ", "))
}

// mayNamed returns nil if the client may use what a request selects by the name of a queue: all queues if it is empty.
func (c *conn) mayNamed(queue string) error {
	if queue == "" && c.access.IsRestricted() {
		return fmt.Errorf("%w: name a queue: token %s is for those that begin with %s",
			task.ErrPermissionDenied, c.access.Token, strings.Join(c.access.Queues, ", "))
	}
	return c.access.Check(queue)
}
