package member

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/haiku-queue/haiku/task"
)

// Access is who a client is to a node, and what it may do.
type Access struct {
	Authentication bool      `json:"authentication"`  // false while the cluster has no token: then everybody may do everything
	Token          string    `json:"token,omitempty"` // id of its token
	Name           string    `json:"name,omitempty"`  // of its token
	Role           Role      `json:"role"`
	Queues         []string  `json:"queues"` // prefixes of the names of its queues; none for all
	ExpiresAt      time.Time `json:"expires_at,omitzero"`
}

// Open is the access of everybody to a cluster without tokens.
func Open() Access { return Access{Role: RoleAdmin, Queues: []string{}} }

// AccessOf is the access that a token gives.
func AccessOf(t *Token) Access {
	return Access{Authentication: true, Token: t.ID, Name: t.Name, Role: t.Role, Queues: t.Queues, ExpiresAt: t.ExpiresAt}
}

// IsRestricted reports whether it is for some queues only.
func (a *Access) IsRestricted() bool { return len(a.Queues) > 0 }

// Covers reports whether it is for a queue; an empty name is that of the default queue.
func (a *Access) Covers(queue string) bool {
	if !a.IsRestricted() {
		return true
	}
	if queue == "" {
		queue = task.DefaultQueue
	}
	return slices.ContainsFunc(a.Queues, func(prefix string) bool { return strings.HasPrefix(queue, prefix) })
}

// Check returns nil if it is for a queue, else an error that wraps task.ErrPermissionDenied and says what is allowed.
func (a *Access) Check(queue string) error {
	if a.Covers(queue) {
		return nil
	}
	if queue == "" {
		queue = task.DefaultQueue
	}
	return fmt.Errorf("%w: token %s is for queues that begin with %s, not for %q",
		task.ErrPermissionDenied, a.Token, strings.Join(a.Queues, ", "), queue)
}

// nodePrincipal is what the principal of a node begins with; no id of a token does.
const nodePrincipal = "node/"

// Principal names a member, which may do everything, where tokens are named by their ids.
func Principal(node ID) string { return nodePrincipal + node.String() }

// NodeOf is the inverse of Principal; isNode is false for the id of a token.
func NodeOf(principal string) (node ID, isNode bool) {
	digits, isNode := strings.CutPrefix(principal, nodePrincipal)
	if !isNode {
		return ID{}, false
	}
	node, err := ParseID(digits)
	return node, err == nil
}
