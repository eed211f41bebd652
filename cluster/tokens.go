package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/haiku-queue/haiku/fsm"
	"github.com/haiku-queue/haiku/member"
	"github.com/haiku-queue/haiku/task"
)

// CreateToken makes a token. The same again changes nothing.
func (n *Node) CreateToken(ctx context.Context, t member.NewToken) (member.Token, error) {
	if err := t.Validate(); err != nil {
		return member.Token{}, err
	}
	return n.changeToken(ctx, t.ID, newCreateToken(&t))
}

func newCreateToken(t *member.NewToken) *fsm.CreateToken {
	c := &fsm.CreateToken{Token: *t}
	rand.Read(c.NodeSecret[:]) // never fails
	return c
}

// RevokeToken ends a token; the last valid one of an admin only by force.
func (n *Node) RevokeToken(ctx context.Context, id string, force bool) (member.Token, error) {
	return n.changeToken(ctx, id, &fsm.RevokeToken{ID: id, Force: force})
}

// changeToken proposes a change of a token and returns it as it is then.
func (n *Node) changeToken(ctx context.Context, id string, c fsm.Command) (t member.Token, err error) {
	l, err := n.leading()
	if err == nil {
		err = n.allApply(c.Kind())
	}
	if err != nil {
		return t, err
	}
	r, err := l.do(ctx, c)
	if err == nil {
		err = r.Err
	}
	if err != nil {
		return t, err
	}
	byID, _, _ := n.guard.view()
	if byID[id] == nil { // forgotten since: it takes a thousand others
		return t, fmt.Errorf("%w: token %q", task.ErrNotFound, id)
	}
	return byID[id].Token, nil
}

// Tokens lists the tokens, in the order of their ids; with stale as this node knows them.
func (n *Node) Tokens(ctx context.Context, stale bool) (list []member.Token, err error) {
	err = n.read(ctx, stale, func(*leadership) error {
		all, _, err := fsm.Tokens(n.store)
		list = make([]member.Token, len(all))
		for i := range all {
			list[i] = all[i].Token
		}
		return err
	})
	return list, err
}

// ensureAdmin makes the first admin's token, from the settings, if no valid one is there. It is called by the leader.
func (n *Node) ensureAdmin(l *leadership) error {
	if n.cfg.FirstToken == "" || n.hasAdmin() {
		return nil
	}
	id, hash, err := member.ParseToken(n.cfg.FirstToken)
	if err != nil {
		return err
	}
	c := newCreateToken(&member.NewToken{ID: id, Hash: hash, Name: "bootstrap", Role: member.RoleAdmin})
	c.UnlessAdmin = true
	r, err := l.do(l.ctx, c)
	switch {
	case err != nil:
		return err
	case errors.Is(r.Err, task.ErrConflict): // another was faster
		return nil
	case r.Err != nil:
		return fmt.Errorf("first token: %w", r.Err)
	}
	n.log.Info("the cluster has an admin's token", "id", id)
	return nil
}

func (n *Node) hasAdmin() bool {
	byID, _, _ := n.guard.view()
	for _, t := range byID {
		if t.Role == member.RoleAdmin && t.IsValid(time.Now()) {
			return true
		}
	}
	return false
}
